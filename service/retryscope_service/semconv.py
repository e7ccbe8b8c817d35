"""The service's table of names: what it emits beside the library, by the rules of `retryscope.semconv`."""

from collections.abc import Mapping
from typing import Final

from retryscope.names import Attribute, Metric, NameTable
from retryscope.semconv import DURATION_BUCKETS

_names = NameTable()

RUN_ID: Final = _names.attribute("retryscope.run.id", "string", "Id of a background run.")
RUN_DELIVERY: Final = _names.attribute(
    "retryscope.run.delivery", "int", "Number of the delivery of a background run to a worker, from 1."
)
RUN_QUEUE_WAIT: Final = _names.attribute(
    "retryscope.run.queue_wait", "double", "Time between submission and this delivery, in seconds."
)
RUN_TASKS_SUCCEEDED: Final = _names.attribute(
    "retryscope.run.tasks.succeeded",
    "int",
    "Tasks of the run that returned; on its workflow span, at its end.",
)
RUN_TASKS_FAILED: Final = _names.attribute(
    "retryscope.run.tasks.failed",
    "int",
    "Tasks of the run that ended with an error or exhausted their retries.",
)
RUN_TASKS_TIMED_OUT: Final = _names.attribute(
    "retryscope.run.tasks.timed_out", "int", "Tasks of the run that ran out of time."
)
RUN_TASKS_CANCELLED: Final = _names.attribute(
    "retryscope.run.tasks.cancelled", "int", "Tasks of the run that were cancelled."
)
RUN_ATTEMPTS: Final = _names.attribute(
    "retryscope.run.attempts", "int", "Attempts of all tasks of the run together."
)
DB_SYSTEM_NAME: Final = _names.attribute("db.system.name", "string", "sqlite or postgresql.")
DB_NAMESPACE: Final = _names.attribute("db.namespace", "string", "Name of the database, or of its file.")
DB_OPERATION_NAME: Final = _names.attribute("db.operation.name", "string", "SELECT, INSERT and so on.")
DB_COLLECTION_NAME: Final = _names.attribute("db.collection.name", "string", "First table of the query.")
DB_QUERY_TEXT: Final = _names.attribute("db.query.text", "string", "The query without its values.")
DB_RESPONSE_STATUS_CODE: Final = _names.attribute(
    "db.response.status_code", "string", "The database's own code of an error, as 40001 or SQLITE_BUSY."
)

UPSTREAM_FAULT: Final = _names.attribute(
    "retryscope.upstream.fault",
    "string",
    "What the flaky upstream did to the request: error, rate_limited, unavailable, hang, reset, truncated or"
    " slow_body; absent where nothing.",
)

LAG_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds."""

RUNS: Final = _names.metric(
    Metric(
        "retryscope_runs",
        "counter",
        ("workflow", "state", "outcome"),
        "Background runs that reached a state; the outcome only of those that ended.",
    )
)
RUN_DURATION: Final = _names.metric(
    Metric(
        "retryscope_run_duration_seconds",
        "histogram",
        ("workflow", "state"),
        "Time from the last delivery of a background run to its end.",
        "seconds",
        DURATION_BUCKETS,
    )
)
RUN_QUEUE_WAIT_DURATION: Final = _names.metric(
    Metric(
        "retryscope_run_queue_wait_seconds",
        "histogram",
        ("workflow",),
        "Time from the submission of a background run to its first delivery.",
        "seconds",
        DURATION_BUCKETS,
    )
)
RUNS_IN_FLIGHT: Final = _names.metric(
    Metric("retryscope_runs_in_flight", "gauge", ("workflow",), "Background runs on this worker.")
)
RUNS_ACTIVE: Final = _names.metric(
    Metric("retryscope_runs_active", "gauge", (), "Background runs of the engine, queued and running.")
)
RUN_QUEUE_DEPTH: Final = _names.metric(
    Metric("retryscope_run_queue_depth", "gauge", (), "Background runs of the engine that wait for a worker.")
)
RUN_REDELIVERIES: Final = _names.metric(
    Metric(
        "retryscope_run_redeliveries",
        "counter",
        ("workflow",),
        "Deliveries of a background run after its first.",
    )
)
RUN_LATE_RESULTS: Final = _names.metric(
    Metric(
        "retryscope_run_late_results",
        "counter",
        ("workflow",),
        "Results of a delivery that another one had overtaken; they are dropped.",
    )
)
RUN_JOINED_DELIVERIES: Final = _names.metric(
    Metric(
        "retryscope_run_joined_deliveries",
        "counter",
        ("workflow",),
        "Deliveries of a background run that was running in the same worker; they joined it.",
    )
)
RUN_RECONCILED: Final = _names.metric(
    Metric(
        "retryscope_run_reconciled",
        "counter",
        ("workflow",),
        "Background runs that had not ended and that the engine no longer held; they are handed over again.",
    )
)
CONCURRENCY_IN_FLIGHT: Final = _names.metric(
    Metric(
        "retryscope_concurrency_in_flight",
        "gauge",
        ("pool",),
        "What a bounded pool holds: inline (runs in requests), worker (background runs on this worker),"
        " engine (background runs queued and running, counted every second).",
    )
)
CONCURRENCY_LIMIT: Final = _names.metric(
    Metric("retryscope_concurrency_limit", "gauge", ("pool",), "Bound of a pool; beyond it 429 or waiting.")
)
ORDERS: Final = _names.metric(
    Metric(
        "retryscope_orders",
        "counter",
        ("state",),
        "Orders of checkout that ended: settled, or compensated; by the process that wrote it.",
    )
)
THREADS_ABANDONED: Final = _names.metric(
    Metric(
        "retryscope_threads_abandoned",
        "counter",
        (),
        "Threads that went on when the run that awaited them was cancelled, as they did not stop in time.",
    )
)
EVENT_LOOP_LAG: Final = _names.metric(
    Metric(
        "retryscope_event_loop_lag_seconds",
        "histogram",
        (),
        "How late the event loop ran what was due; looked at every 0.1 s.",
        "seconds",
        LAG_BUCKETS,
    )
)
UPSTREAM_REQUESTS: Final = _names.metric(
    Metric(
        "retryscope_upstream_requests",
        "counter",
        ("route", "status", "fault"),
        "Requests to the flaky upstream; no status: they got no answer; no fault: none was put in.",
    )
)
UPSTREAM_REQUEST_DURATION: Final = _names.metric(
    Metric(
        "retryscope_upstream_request_duration_seconds",
        "histogram",
        ("route", "fault"),
        "Duration of requests to the flaky upstream.",
        "seconds",
        DURATION_BUCKETS,
    )
)
BUILD_INFO: Final = _names.metric(
    Metric(
        "retryscope_build_info", "gauge", ("version", "python_version"), "Always 1; the labels say what runs."
    )
)
ALERT_NOTIFICATIONS: Final = _names.metric(
    Metric(
        "retryscope_alert_notifications",
        "counter",
        ("status",),
        "Alerts that Alertmanager has delivered here: firing or resolved.",
    )
)
ALERTS_IMPAIRED: Final = _names.metric(
    Metric(
        "retryscope_alerts_impaired",
        "counter",
        ("effect",),
        "Alerts that did not arrive whole: cut (too long), refused (not readable), left_out (too many).",
    )
)

ATTRIBUTES: Final[Mapping[str, Attribute]] = _names.attributes
"""Every attribute by name."""
METRICS: Final[Mapping[str, Metric]] = _names.metrics
"""Every metric family by name."""
