"""The one table of names: every span, attribute, event and metric that this library emits.

OpenTelemetry has no convention for retry, backoff, timeout or cancellation, so the names under
``resilience.`` are this project's own. Where a convention exists (``error.type``, ``exception.*``,
the HTTP server names) it is followed to the letter. Dashboards, alert rules, documents and tests
read their names from here; nothing else spells one out.

Units, by one rule: OpenTelemetry names carry none, durations are seconds; Prometheus names end in theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

SCOPE_NAME: Final = "retryscope.instrumentation"
"""Instrumentation scope of every span."""

OTHER: Final = "_OTHER"
"""What a label value becomes when it is not in its declared, bounded set."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A span attribute, span event attribute or log field.

    Attributes:
        name: Dotted name, as it appears in a trace backend.
        type: ``string``, ``int``, ``double`` or ``boolean``.
        help: What it says; units where it has one.
    """

    name: str
    type: Literal["string", "int", "double", "boolean"]
    help: str


@dataclass(frozen=True, slots=True)
class Metric:
    """A Prometheus metric family.

    Attributes:
        name: Family name without the ``_total`` that counters get when exposed.
        type: ``counter``, ``gauge`` or ``histogram``.
        labels: Label names, in the order in which children are made.
        help: One sentence for ``# HELP``.
        unit: Base unit, or an empty string for a plain count.
        buckets: Upper bounds of a histogram, without ``+Inf``.
    """

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    unit: str = ""
    buckets: tuple[float, ...] = ()

    @property
    def series_per_label_set(self) -> int:
        """Time series of one label set: buckets, ``+Inf``, sum and count for a histogram, else 1."""
        return len(self.buckets) + 3 if self.type == "histogram" else 1


_attributes: dict[str, Attribute] = {}
_events: dict[str, str] = {}
_metrics: dict[str, Metric] = {}


def _attribute(name: str, type_: Literal["string", "int", "double", "boolean"], help_: str) -> str:
    _attributes[name] = Attribute(name, type_, help_)
    return name


def _event(name: str, help_: str) -> str:
    _events[name] = help_
    return name


def _metric(metric: Metric) -> Metric:
    _metrics[metric.name] = metric
    return metric


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

WORKFLOW: Final = _attribute("resilience.workflow", "string", "Declared name of the workflow.")
OPERATION: Final = _attribute("resilience.operation", "string", "Declared name of the operation.")
TASK_NAME: Final = _attribute("resilience.task.name", "string", "Name of one task; may be variable.")
OUTCOME: Final = _attribute(
    "resilience.outcome", "string", "success, error, timeout, exhausted or cancelled; absent while it runs."
)
ATTEMPT_NUMBER: Final = _attribute("resilience.attempt.number", "int", "Number of the attempt, from 1.")
ATTEMPT_BACKOFF: Final = _attribute(
    "resilience.attempt.backoff",
    "double",
    "From the second attempt on: time really waited before it, in seconds.",
)
ATTEMPT_ELAPSED: Final = _attribute(
    "resilience.attempt.elapsed", "double", "On the event of an attempt: how long it took, in seconds."
)
RETRY_MAX_ATTEMPTS: Final = _attribute(
    "resilience.retry.max_attempts", "int", "Most attempts the policy allows."
)
RETRY_ATTEMPTS: Final = _attribute("resilience.retry.attempts", "int", "Attempts made.")
RETRY_BACKOFF: Final = _attribute(
    "resilience.retry.backoff", "double", "Time really spent waiting between attempts, in seconds."
)
RETRY_GIVEUP_REASON: Final = _attribute(
    "resilience.retry.giveup_reason", "string", "max_attempts, deadline, budget or non_retryable."
)
RETRY_DELAY: Final = _attribute(
    "resilience.retry.delay", "double", "Planned wait before the next attempt, in seconds."
)
RETRY_DELAY_SOURCE: Final = _attribute(
    "resilience.retry.delay_source", "string", "Who set the delay: policy or retry_after."
)
DEADLINE: Final = _attribute(
    "resilience.deadline", "double", "Time left when the span started until its deadline, in seconds."
)
TIMEOUT_LIMIT: Final = _attribute(
    "resilience.timeout.limit", "double", "Limit of the timeout, or of one attempt, in seconds."
)
TIMEOUT_ELAPSED: Final = _attribute(
    "resilience.timeout.elapsed", "double", "Time that really passed where the limit was overrun, in seconds."
)
GATHER_SIZE: Final = _attribute("resilience.gather.size", "int", "Children started together.")
GATHER_SUCCEEDED: Final = _attribute("resilience.gather.succeeded", "int", "Children that returned.")
GATHER_FAILED: Final = _attribute("resilience.gather.failed", "int", "Children that raised.")
GATHER_CANCELLED: Final = _attribute("resilience.gather.cancelled", "int", "Children that were cancelled.")
CLEANUP_DEADLINE: Final = _attribute(
    "resilience.cleanup.deadline", "double", "Most time that the cleanup may take, in seconds."
)
CLEANUP_OUTCOME: Final = _attribute("resilience.cleanup.outcome", "string", "completed, failed or timed_out.")
CANCEL_CAUSE: Final = _attribute(
    "resilience.cancel.cause", "string", "request, client_disconnect, sibling, deadline or shutdown."
)
CANCEL_REASON: Final = _attribute(
    "resilience.cancel.reason", "string", "Why, in the words of whoever asked; absent where they gave none."
)
CANCEL_TASK: Final = _attribute(
    "resilience.cancel.task", "string", "Name of the task that asked, where a task factory saw it."
)
CANCEL_LOCATION: Final = _attribute(
    "resilience.cancel.location", "string", "Where in the code, as module.function:line, where it saw that."
)
LINK_KIND: Final = _attribute(
    "resilience.link.kind", "string", "What a link means: cancelled_by, redelivery_of."
)
RUN_ID: Final = _attribute("retryscope.run.id", "string", "Id of a background run.")
RUN_DELIVERY: Final = _attribute(
    "retryscope.run.delivery", "int", "Number of the delivery of a background run to a worker, from 1."
)
RUN_QUEUE_WAIT: Final = _attribute(
    "retryscope.run.queue_wait", "double", "Time between submission and this delivery, in seconds."
)
RUN_TASKS_SUCCEEDED: Final = _attribute(
    "retryscope.run.tasks.succeeded",
    "int",
    "Tasks of the run that returned; on its workflow span, at its end.",
)
RUN_TASKS_FAILED: Final = _attribute(
    "retryscope.run.tasks.failed",
    "int",
    "Tasks of the run that ended with an error or exhausted their retries.",
)
RUN_TASKS_TIMED_OUT: Final = _attribute(
    "retryscope.run.tasks.timed_out", "int", "Tasks of the run that ran out of time."
)
RUN_TASKS_CANCELLED: Final = _attribute(
    "retryscope.run.tasks.cancelled", "int", "Tasks of the run that were cancelled."
)
RUN_ATTEMPTS: Final = _attribute(
    "retryscope.run.attempts", "int", "Attempts of all tasks of the run together."
)
ERROR_TYPE: Final = _attribute(
    "error.type", "string", "Class of the error, `timeout` for an own timeout, or `_OTHER`."
)
EXCEPTION_TYPE: Final = _attribute("exception.type", "string", "Class of the exception, with its module.")
EXCEPTION_MESSAGE: Final = _attribute("exception.message", "string", "The exception's message.")
EXCEPTION_STACKTRACE: Final = _attribute(
    "exception.stacktrace", "string", "Stack trace, as Python prints it."
)
# HTTP server spans, as the OpenTelemetry HTTP conventions name them.
HTTP_REQUEST_METHOD: Final = _attribute("http.request.method", "string", "Method, or _OTHER.")
HTTP_RESEND_COUNT: Final = _attribute(
    "http.request.resend_count", "int", "How often the request was sent before; absent the first time."
)
HTTP_ROUTE: Final = _attribute("http.route", "string", "Route template; absent where no route matched.")
HTTP_RESPONSE_STATUS_CODE: Final = _attribute("http.response.status_code", "int", "Status code sent.")
URL_PATH: Final = _attribute("url.path", "string", "Path of the request.")
URL_SCHEME: Final = _attribute("url.scheme", "string", "http or https.")
SERVER_ADDRESS: Final = _attribute("server.address", "string", "Host that the client asked for.")
SERVER_PORT: Final = _attribute("server.port", "int", "Port that the client asked for.")
CLIENT_ADDRESS: Final = _attribute("client.address", "string", "Address of the client.")
NETWORK_PROTOCOL_VERSION: Final = _attribute("network.protocol.version", "string", "1.0 or 1.1.")
USER_AGENT_ORIGINAL: Final = _attribute("user_agent.original", "string", "The User-Agent header.")

EVENT_RETRY_SCHEDULED: Final = _event(
    "resilience.retry.scheduled", "An attempt failed and another one will follow after the delay."
)
EVENT_ATTEMPT: Final = _event(
    "resilience.attempt", "An attempt ended; with the setting `events` it is this instead of a span."
)
EVENT_TIMEOUT: Final = _event("resilience.timeout", "The operation's own limit was reached.")
EVENT_CANCEL_REQUESTED: Final = _event(
    "resilience.cancel.requested", "Someone asked the operation to stop; the cause is on the event."
)
EVENT_EXCEPTION: Final = _event("exception", "An exception, recorded once, where it is handled.")

LINK_CANCELLED_BY: Final = "cancelled_by"
LINK_REDELIVERY_OF: Final = "redelivery_of"
ERROR_TYPE_TIMEOUT: Final = "timeout"

DURATION_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds."""
ATTEMPT_BUCKETS: Final = (1.0, 2.0, 3.0, 4.0, 5.0, 8.0)
"""Attempts."""
HTTP_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds; the boundaries that the HTTP convention recommends."""
LAG_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds."""

_OPERATION_LABELS = ("workflow", "operation")

OPERATION_DURATION: Final = _metric(
    Metric(
        "resilience_operation_duration_seconds",
        "histogram",
        (*_OPERATION_LABELS, "outcome"),
        "Duration of an operation, all its attempts and backoff included.",
        "seconds",
        DURATION_BUCKETS,
    )
)
ATTEMPTS: Final = _metric(
    Metric(
        "resilience_attempts",
        "counter",
        (*_OPERATION_LABELS, "outcome", "error_type"),
        "Attempts of an operation; an operation that is not retried is one attempt.",
    )
)
ATTEMPT_DURATION: Final = _metric(
    Metric(
        "resilience_attempt_duration_seconds",
        "histogram",
        (*_OPERATION_LABELS, "outcome"),
        "Duration of one attempt; an operation that is not retried is one attempt.",
        "seconds",
        DURATION_BUCKETS,
    )
)
OPERATION_ATTEMPTS: Final = _metric(
    Metric(
        "resilience_operation_attempts",
        "histogram",
        (*_OPERATION_LABELS, "outcome"),
        "Attempts that one operation took.",
        buckets=ATTEMPT_BUCKETS,
    )
)
BACKOFF_DURATION: Final = _metric(
    Metric(
        "resilience_backoff_duration_seconds",
        "histogram",
        _OPERATION_LABELS,
        "Time really spent waiting between two attempts, also when interrupted.",
        "seconds",
        DURATION_BUCKETS,
    )
)
RETRY_GIVEUPS: Final = _metric(
    Metric(
        "resilience_retry_giveups",
        "counter",
        (*_OPERATION_LABELS, "reason"),
        "Retries that gave up, by reason.",
    )
)
CANCELLATIONS: Final = _metric(
    Metric(
        "resilience_cancellations",
        "counter",
        (*_OPERATION_LABELS, "cause"),
        "Operations that were cancelled, by cause.",
    )
)
CLEANUP_DURATION: Final = _metric(
    Metric(
        "resilience_cleanup_duration_seconds",
        "histogram",
        (*_OPERATION_LABELS, "outcome"),
        "Duration of the cleanup of a cancelled operation.",
        "seconds",
        DURATION_BUCKETS,
    )
)
OPERATIONS_IN_FLIGHT: Final = _metric(
    Metric(
        "resilience_operations_in_flight",
        "gauge",
        _OPERATION_LABELS,
        "Operations that have started and not ended.",
    )
)
WORKFLOW_DURATION: Final = _metric(
    Metric(
        "resilience_workflow_duration_seconds",
        "histogram",
        ("workflow", "outcome"),
        "Duration of a workflow.",
        "seconds",
        DURATION_BUCKETS,
    )
)
WORKFLOWS_IN_FLIGHT: Final = _metric(
    Metric(
        "resilience_workflows_in_flight",
        "gauge",
        ("workflow",),
        "Workflows that have started and not ended.",
    )
)
FOLDED_LABELS: Final = _metric(
    Metric(
        "resilience_telemetry_folded_labels",
        "counter",
        ("label",),
        "Label values that were outside their bounded set and became _OTHER.",
    )
)
DROPPED_SPANS: Final = _metric(
    Metric(
        "resilience_telemetry_dropped_spans",
        "counter",
        ("reason",),
        "Spans that never reached the collector: queue_full, export_failed, rejected or already_shutdown.",
    )
)
DROPPED_LOG_LINES: Final = _metric(
    Metric(
        "resilience_telemetry_dropped_log_lines",
        "counter",
        ("reason",),
        "Log lines that were never written: queue_full (nobody reads them) or write_failed.",
    )
)
TELEMETRY_FAILURES: Final = _metric(
    Metric(
        "resilience_telemetry_failures",
        "counter",
        ("part",),
        "Errors inside the telemetry itself, kept away from the caller.",
    )
)
HTTP_SERVER_DURATION: Final = _metric(
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
RUNS: Final = _metric(
    Metric(
        "retryscope_runs",
        "counter",
        ("workflow", "state", "outcome"),
        "Background runs that reached a state; the outcome only of those that ended.",
    )
)
RUN_DURATION: Final = _metric(
    Metric(
        "retryscope_run_duration_seconds",
        "histogram",
        ("workflow", "state"),
        "Time from the last delivery of a background run to its end.",
        "seconds",
        DURATION_BUCKETS,
    )
)
RUN_QUEUE_WAIT_DURATION: Final = _metric(
    Metric(
        "retryscope_run_queue_wait_seconds",
        "histogram",
        ("workflow",),
        "Time from the submission of a background run to its first delivery.",
        "seconds",
        DURATION_BUCKETS,
    )
)
RUNS_IN_FLIGHT: Final = _metric(
    Metric("retryscope_runs_in_flight", "gauge", ("workflow",), "Background runs on this worker.")
)
RUNS_ACTIVE: Final = _metric(
    Metric("retryscope_runs_active", "gauge", (), "Background runs of the engine, queued and running.")
)
RUN_QUEUE_DEPTH: Final = _metric(
    Metric("retryscope_run_queue_depth", "gauge", (), "Background runs of the engine that wait for a worker.")
)
RUN_REDELIVERIES: Final = _metric(
    Metric(
        "retryscope_run_redeliveries",
        "counter",
        ("workflow",),
        "Deliveries of a background run after its first.",
    )
)
RUN_LATE_RESULTS: Final = _metric(
    Metric(
        "retryscope_run_late_results",
        "counter",
        ("workflow",),
        "Results of a delivery that another one had overtaken; they are dropped.",
    )
)
RUN_JOINED_DELIVERIES: Final = _metric(
    Metric(
        "retryscope_run_joined_deliveries",
        "counter",
        ("workflow",),
        "Deliveries of a background run that was running in the same worker; they joined it.",
    )
)
RUN_RECONCILED: Final = _metric(
    Metric(
        "retryscope_run_reconciled",
        "counter",
        ("workflow",),
        "Background runs that had not ended and that the engine no longer held; they are handed over again.",
    )
)
CONCURRENCY_IN_FLIGHT: Final = _metric(
    Metric(
        "retryscope_concurrency_in_flight",
        "gauge",
        ("pool",),
        "What a bounded pool holds: inline (runs in requests), worker (background runs on this worker),"
        " engine (background runs queued and running, counted every second).",
    )
)
CONCURRENCY_LIMIT: Final = _metric(
    Metric("retryscope_concurrency_limit", "gauge", ("pool",), "Bound of a pool; beyond it 429 or waiting.")
)
EVENT_LOOP_LAG: Final = _metric(
    Metric(
        "retryscope_event_loop_lag_seconds",
        "histogram",
        (),
        "How late the event loop ran what was due; looked at every 0.1 s.",
        "seconds",
        LAG_BUCKETS,
    )
)
BUILD_INFO: Final = _metric(
    Metric(
        "retryscope_build_info", "gauge", ("version", "python_version"), "Always 1; the labels say what runs."
    )
)
ALERT_NOTIFICATIONS: Final = _metric(
    Metric(
        "retryscope_alert_notifications",
        "counter",
        ("status",),
        "Alerts that Alertmanager has delivered here: firing or resolved.",
    )
)
ALERTS_IMPAIRED: Final = _metric(
    Metric(
        "retryscope_alerts_impaired",
        "counter",
        ("effect",),
        "Alerts that did not arrive whole: cut (too long), refused (not readable), left_out (too many).",
    )
)

ATTRIBUTES: Final[Mapping[str, Attribute]] = MappingProxyType(_attributes)
"""Every attribute by name."""
EVENTS: Final[Mapping[str, str]] = MappingProxyType(_events)
"""Every span event by name, with what it says."""
METRICS: Final[Mapping[str, Metric]] = MappingProxyType(_metrics)
"""Every metric family by name."""
