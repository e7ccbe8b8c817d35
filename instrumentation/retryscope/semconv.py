"""The library's table of names: every span, attribute, event and metric that it emits.

OpenTelemetry has no convention for retry, backoff, timeout or cancellation, so the names under
``resilience.`` are this project's own. Where a convention exists (``error.type``, ``exception.*``,
the HTTP server names) it is followed to the letter. Dashboards, alert rules, documents and tests
read their names from here; nothing else spells one out.

Units, by one rule: OpenTelemetry names carry none, durations are seconds; Prometheus names end in theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from retryscope.names import Attribute, Metric, NameTable

SCOPE_NAME: Final = "retryscope.instrumentation"
"""Instrumentation scope of every span."""

OTHER: Final = "_OTHER"
"""What a label value becomes when it is not in its declared, bounded set."""

HTTP_METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
"""The methods of RFC 9110, and PATCH."""


def known_method(method: str) -> str:
    """The method of a request, or what stands for others: whoever sends it may send anything.

    >>> known_method("GET"), known_method("BREW")
    ('GET', '_OTHER')
    """
    return method if method in HTTP_METHODS else OTHER


def http_span_name(method: str, route: str = "") -> str:
    """The name of an HTTP span, in which a method that is not known is ``HTTP``.

    >>> http_span_name("GET", "/job/{name}"), http_span_name("_OTHER")
    ('GET /job/{name}', 'HTTP')
    """
    return f"{'HTTP' if method == OTHER else method} {route}".rstrip()


_names = NameTable()

# Spans: `{primitive} {operation}`. Nothing variable is in a name.
SPAN_WORKFLOW: Final = "workflow"
SPAN_TASK: Final = "task"
SPAN_RETRY: Final = "retry"
SPAN_ATTEMPT: Final = "attempt"
SPAN_BACKOFF: Final = "backoff"
SPAN_TIMEOUT: Final = "timeout"
SPAN_GATHER: Final = "gather"
SPAN_CLEANUP: Final = "cleanup"
PRIMITIVES: Final = (
    SPAN_WORKFLOW,
    SPAN_TASK,
    SPAN_RETRY,
    SPAN_ATTEMPT,
    SPAN_BACKOFF,
    SPAN_TIMEOUT,
    SPAN_GATHER,
    SPAN_CLEANUP,
)

WORKFLOW: Final = _names.attribute("resilience.workflow", "string", "Declared name of the workflow.")
OPERATION: Final = _names.attribute("resilience.operation", "string", "Declared name of the operation.")
TASK_NAME: Final = _names.attribute("resilience.task.name", "string", "Name of one task; may be variable.")
OUTCOME: Final = _names.attribute(
    "resilience.outcome", "string", "success, error, timeout, exhausted or cancelled; absent while it runs."
)
ATTEMPT_NUMBER: Final = _names.attribute("resilience.attempt.number", "int", "Number of the attempt, from 1.")
ATTEMPT_BACKOFF: Final = _names.attribute(
    "resilience.attempt.backoff",
    "double",
    "From the second attempt on: time really waited before it, in seconds.",
)
ATTEMPT_ELAPSED: Final = _names.attribute(
    "resilience.attempt.elapsed", "double", "On the event of an attempt: how long it took, in seconds."
)
RETRY_MAX_ATTEMPTS: Final = _names.attribute(
    "resilience.retry.max_attempts", "int", "Most attempts the policy allows."
)
RETRY_ATTEMPTS: Final = _names.attribute("resilience.retry.attempts", "int", "Attempts made.")
RETRY_BACKOFF: Final = _names.attribute(
    "resilience.retry.backoff", "double", "Time really spent waiting between attempts, in seconds."
)
RETRY_GIVEUP_REASON: Final = _names.attribute(
    "resilience.retry.giveup_reason", "string", "max_attempts, deadline, budget or non_retryable."
)
RETRY_DELAY: Final = _names.attribute(
    "resilience.retry.delay", "double", "Planned wait before the next attempt, in seconds."
)
RETRY_DELAY_SOURCE: Final = _names.attribute(
    "resilience.retry.delay_source", "string", "Who set the delay: policy or retry_after."
)
DEADLINE: Final = _names.attribute(
    "resilience.deadline", "double", "Time left when the span started until its deadline, in seconds."
)
TIMEOUT_LIMIT: Final = _names.attribute(
    "resilience.timeout.limit", "double", "Limit of the timeout, or of one attempt, in seconds."
)
TIMEOUT_ELAPSED: Final = _names.attribute(
    "resilience.timeout.elapsed", "double", "Time that really passed where the limit was overrun, in seconds."
)
GATHER_SIZE: Final = _names.attribute("resilience.gather.size", "int", "Children started together.")
GATHER_SUCCEEDED: Final = _names.attribute("resilience.gather.succeeded", "int", "Children that returned.")
GATHER_FAILED: Final = _names.attribute("resilience.gather.failed", "int", "Children that raised.")
GATHER_CANCELLED: Final = _names.attribute(
    "resilience.gather.cancelled", "int", "Children that were cancelled."
)
CLEANUP_DEADLINE: Final = _names.attribute(
    "resilience.cleanup.deadline", "double", "Most time that the cleanup may take, in seconds."
)
CLEANUP_OUTCOME: Final = _names.attribute(
    "resilience.cleanup.outcome", "string", "completed, failed or timed_out."
)
CANCEL_CAUSE: Final = _names.attribute(
    "resilience.cancel.cause", "string", "request, client_disconnect, sibling, deadline or shutdown."
)
CANCEL_REASON: Final = _names.attribute(
    "resilience.cancel.reason", "string", "Why, in the words of whoever asked; absent where they gave none."
)
CANCEL_TASK: Final = _names.attribute(
    "resilience.cancel.task", "string", "Name of the task that asked, where a task factory saw it."
)
CANCEL_LOCATION: Final = _names.attribute(
    "resilience.cancel.location", "string", "Where in the code, as module.function:line, where it saw that."
)
LINK_KIND: Final = _names.attribute(
    "resilience.link.kind", "string", "What a link means: cancelled_by, redelivery_of."
)
ERROR_TYPE: Final = _names.attribute(
    "error.type", "string", "Class of the error, `timeout` for an own timeout, or `_OTHER`."
)
EXCEPTION_TYPE: Final = _names.attribute(
    "exception.type", "string", "Class of the exception, with its module."
)
EXCEPTION_MESSAGE: Final = _names.attribute("exception.message", "string", "The exception's message.")
EXCEPTION_STACKTRACE: Final = _names.attribute(
    "exception.stacktrace", "string", "Stack trace, as Python prints it."
)
# HTTP spans, as the OpenTelemetry HTTP conventions name them.
HTTP_REQUEST_METHOD: Final = _names.attribute("http.request.method", "string", "Method, or _OTHER.")
HTTP_REQUEST_METHOD_ORIGINAL: Final = _names.attribute(
    "http.request.method_original", "string", "On a client's span: the method where it is counted as _OTHER."
)
HTTP_RESEND_COUNT: Final = _names.attribute(
    "http.request.resend_count", "int", "How often the request was sent before; absent the first time."
)
HTTP_ROUTE: Final = _names.attribute("http.route", "string", "Route template; absent where no route matched.")
HTTP_RESPONSE_STATUS_CODE: Final = _names.attribute(
    "http.response.status_code", "int", "Status code of the answer."
)
URL_PATH: Final = _names.attribute("url.path", "string", "Path of the request.")
URL_SCHEME: Final = _names.attribute("url.scheme", "string", "http or https.")
URL_FULL: Final = _names.attribute(
    "url.full", "string", "On a client's span: the URL, without user, password and known signatures."
)
SERVER_ADDRESS: Final = _names.attribute("server.address", "string", "Host that the client asks for.")
SERVER_PORT: Final = _names.attribute("server.port", "int", "Port that the client asks for.")
CLIENT_ADDRESS: Final = _names.attribute("client.address", "string", "Address of the client.")
NETWORK_PROTOCOL_VERSION: Final = _names.attribute("network.protocol.version", "string", "1.0 or 1.1.")
USER_AGENT_ORIGINAL: Final = _names.attribute("user_agent.original", "string", "The User-Agent header.")

EVENT_RETRY_SCHEDULED: Final = _names.event(
    "resilience.retry.scheduled", "An attempt failed and another one will follow after the delay."
)
EVENT_ATTEMPT: Final = _names.event(
    "resilience.attempt", "An attempt ended; with the setting `events` it is this instead of a span."
)
EVENT_TIMEOUT: Final = _names.event("resilience.timeout", "The operation's own limit was reached.")
EVENT_CANCEL_REQUESTED: Final = _names.event(
    "resilience.cancel.requested", "Someone asked the operation to stop; the cause is on the event."
)
EVENT_EXCEPTION: Final = _names.event("exception", "An exception, recorded once, where it is handled.")

LINK_CANCELLED_BY: Final = "cancelled_by"
LINK_REDELIVERY_OF: Final = "redelivery_of"
ERROR_TYPE_TIMEOUT: Final = "timeout"

DURATION_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds."""
ATTEMPT_BUCKETS: Final = (1.0, 2.0, 3.0, 4.0, 5.0, 8.0)
"""Attempts."""
HTTP_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds; the boundaries that the HTTP convention recommends."""

_OPERATION_LABELS = ("workflow", "operation")

OPERATION_DURATION: Final = _names.metric(
    Metric(
        "resilience_operation_duration_seconds",
        "histogram",
        (*_OPERATION_LABELS, "outcome"),
        "Duration of an operation, all its attempts and backoff included.",
        "seconds",
        DURATION_BUCKETS,
    )
)
ATTEMPTS: Final = _names.metric(
    Metric(
        "resilience_attempts",
        "counter",
        (*_OPERATION_LABELS, "outcome", "error_type"),
        "Attempts of an operation; an operation that is not retried is one attempt.",
    )
)
ATTEMPT_DURATION: Final = _names.metric(
    Metric(
        "resilience_attempt_duration_seconds",
        "histogram",
        (*_OPERATION_LABELS, "outcome"),
        "Duration of one attempt; an operation that is not retried is one attempt.",
        "seconds",
        DURATION_BUCKETS,
    )
)
OPERATION_ATTEMPTS: Final = _names.metric(
    Metric(
        "resilience_operation_attempts",
        "histogram",
        (*_OPERATION_LABELS, "outcome"),
        "Attempts that one operation took.",
        buckets=ATTEMPT_BUCKETS,
    )
)
BACKOFF_DURATION: Final = _names.metric(
    Metric(
        "resilience_backoff_duration_seconds",
        "histogram",
        _OPERATION_LABELS,
        "Time really spent waiting between two attempts, also when interrupted.",
        "seconds",
        DURATION_BUCKETS,
    )
)
RETRY_GIVEUPS: Final = _names.metric(
    Metric(
        "resilience_retry_giveups",
        "counter",
        (*_OPERATION_LABELS, "reason"),
        "Retries that gave up, by reason.",
    )
)
CANCELLATIONS: Final = _names.metric(
    Metric(
        "resilience_cancellations",
        "counter",
        (*_OPERATION_LABELS, "cause"),
        "Operations that were cancelled, by cause.",
    )
)
CLEANUP_DURATION: Final = _names.metric(
    Metric(
        "resilience_cleanup_duration_seconds",
        "histogram",
        (*_OPERATION_LABELS, "outcome"),
        "Duration of the cleanup of a cancelled operation.",
        "seconds",
        DURATION_BUCKETS,
    )
)
OPERATIONS_IN_FLIGHT: Final = _names.metric(
    Metric(
        "resilience_operations_in_flight",
        "gauge",
        _OPERATION_LABELS,
        "Operations that have started and not ended.",
    )
)
WORKFLOW_DURATION: Final = _names.metric(
    Metric(
        "resilience_workflow_duration_seconds",
        "histogram",
        ("workflow", "outcome"),
        "Duration of a workflow.",
        "seconds",
        DURATION_BUCKETS,
    )
)
WORKFLOWS_IN_FLIGHT: Final = _names.metric(
    Metric(
        "resilience_workflows_in_flight",
        "gauge",
        ("workflow",),
        "Workflows that have started and not ended.",
    )
)
FOLDED_LABELS: Final = _names.metric(
    Metric(
        "resilience_telemetry_folded_labels",
        "counter",
        ("label",),
        "Label values that were outside their bounded set and became _OTHER.",
    )
)
DROPPED_SPANS: Final = _names.metric(
    Metric(
        "resilience_telemetry_dropped_spans",
        "counter",
        ("reason",),
        "Spans that never reached the collector: queue_full, export_failed, rejected or already_shutdown.",
    )
)
LEFT_OUT_SPANS: Final = _names.metric(
    Metric(
        "resilience_telemetry_left_out_spans",
        "counter",
        (),
        "Spans of plain successes that were not exported on purpose, by keep_successes.",
    )
)
EARLY_DECISIONS: Final = _names.metric(
    Metric(
        "resilience_telemetry_early_decisions",
        "counter",
        (),
        "Traces that were kept before it was known what came of them, as too many waited for that.",
    )
)
DROPPED_LOG_LINES: Final = _names.metric(
    Metric(
        "resilience_telemetry_dropped_log_lines",
        "counter",
        ("reason",),
        "Log lines that were never written: queue_full (nobody reads them) or write_failed.",
    )
)
TELEMETRY_FAILURES: Final = _names.metric(
    Metric(
        "resilience_telemetry_failures",
        "counter",
        ("part",),
        "Errors inside the telemetry itself, kept away from the caller.",
    )
)
HTTP_SERVER_DURATION: Final = _names.metric(
    Metric(
        "http_server_request_duration_seconds",
        "histogram",
        (
            "http_request_method",
            "http_route",
            "http_response_status_code",
            "url_scheme",
            "error_type",
        ),
        "Duration of HTTP server requests.",
        "seconds",
        HTTP_BUCKETS,
    )
)
HTTP_CLIENT_DURATION: Final = _names.metric(
    Metric(
        "http_client_request_duration_seconds",
        "histogram",
        (
            "http_request_method",
            "server_address",
            "server_port",
            "http_response_status_code",
            "error_type",
        ),
        "Duration of HTTP client requests.",
        "seconds",
        HTTP_BUCKETS,
    )
)

ATTRIBUTES: Final[Mapping[str, Attribute]] = _names.attributes
"""Every attribute by name."""
EVENTS: Final[Mapping[str, str]] = _names.events
"""Every span event by name, with what it says."""
METRICS: Final[Mapping[str, Metric]] = _names.metrics
"""Every metric family by name."""
