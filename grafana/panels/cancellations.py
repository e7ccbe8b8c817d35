"""What ran out of time, what was cancelled, and whether it was cleaned up."""

from grafana_foundation_sdk.builders import common

from grafana import thresholds, traces
from grafana.colours import CANCEL_CAUSES, CLEANUP_OUTCOMES, ORANGE, PURPLE
from grafana.panel_kinds import PER_SECOND, Panel, distribution, query, trend
from grafana.panels.by_operation import BY, worst_operations
from grafana.promql import OPERATIONS, WORKFLOWS
from retryscope import semconv
from retryscope_service.slo import traceql
from retryscope_service.slo.promql import CANCELLED, COUNTED, TIMED_OUT, share, summed

SCOPE = (traces.IN_WORKFLOWS, traces.IN_OPERATIONS)
RUNS = (traces.IN_WORKFLOWS, traceql.IS_WORKFLOW)


def timeout_ratio_of(*by: str) -> str:
    """Operations that reached their own limit, over counted ones."""
    duration = semconv.OPERATION_DURATION
    timed_out = summed(OPERATIONS.count(duration, TIMED_OUT), *by)
    return share(timed_out, summed(OPERATIONS.count(duration, COUNTED), *by))


def attempt_timeout_ratio_of(*by: str) -> str:
    """Attempts that reached their own limit, over counted ones."""
    timed_out = summed(OPERATIONS.counter(semconv.ATTEMPTS, TIMED_OUT), *by)
    return share(timed_out, summed(OPERATIONS.counter(semconv.ATTEMPTS, COUNTED), *by))


def cancelled_share_of(*by: str) -> str:
    """Cancelled operations over all."""
    duration = semconv.OPERATION_DURATION
    cancelled = summed(OPERATIONS.count(duration, CANCELLED), *by)
    return share(cancelled, summed(OPERATIONS.count(duration), *by))


def cancelled_runs_share_of(*by: str) -> str:
    """Cancelled workflow runs over all."""
    duration = semconv.WORKFLOW_DURATION
    cancelled = summed(WORKFLOWS.count(duration, CANCELLED), *by)
    return share(cancelled, summed(WORKFLOWS.count(duration), *by))


def cleanup_failures_of(*by: str) -> str:
    """Cleanups that did not complete, over all."""
    cleanup = semconv.CLEANUP_DURATION
    failed = summed(OPERATIONS.count(cleanup, 'outcome!="completed"'), *by)
    return share(failed, summed(OPERATIONS.count(cleanup), *by))


def timeout_ratio() -> Panel:
    """Timeouts of operations."""
    return trend(
        "Operations that timed out",
        worst_operations(timeout_ratio_of(*BY)),
        means="Operations that reached their own limit, over those that were not cancelled.",
        do="Compare the limit with p99 of the duration: raise it, or make faster what is behind it.",
        unit="percentunit",
        links=[traces.of_series(*BY, conditions=(traces.has(semconv.OUTCOME, "timeout"),))],
    )


def attempt_timeout_ratio() -> Panel:
    """Timeouts of attempts."""
    return trend(
        "Attempts that timed out",
        worst_operations(attempt_timeout_ratio_of(*BY)),
        means="Attempts that reached their own limit, over those that were not cancelled; a retry may have"
        " repaired them. The dashed line is where TimeoutRatioHigh fires.",
        do="High here and low in the operations: retries hide a slow call. Raise the attempt's limit, or"
        " find out why it is slow.",
        unit="percentunit",
        lines={thresholds.TIMEOUT_RATIO: ORANGE},
        links=[traces.of_series(*BY, conditions=(traces.has(semconv.OUTCOME, "timeout"),))],
    )


def cancelled_runs() -> Panel:
    """Share of cancelled workflow runs."""
    return trend(
        "Cancelled workflow runs",
        query(cancelled_runs_share_of("workflow"), "{{workflow}}"),
        means="Runs of workflows that someone outside stopped, over all. They are no failures, but work"
        " thrown away. The dashed line is where CancellationSpike fires.",
        do="Look at the causes: clients that hang up are often ones that time out before the service does.",
        unit="percentunit",
        lines={thresholds.CANCELLED_SHARE: PURPLE},
        links=[
            traces.of_series(
                "workflow", conditions=(traceql.IS_WORKFLOW, traces.has(semconv.OUTCOME, "cancelled"))
            )
        ],
    )


def cancelled_share() -> Panel:
    """Share of cancelled operations."""
    return trend(
        "Cancelled operations",
        worst_operations(cancelled_share_of(*BY)),
        means="Operations that someone outside stopped, over all: also parts of a run that goes on, such as"
        " the siblings of one that failed.",
        do="Look at the causes. High here and low in the runs: the workflow itself stops its parts.",
        unit="percentunit",
        width=24,
        links=[traces.of_series(*BY, conditions=(traces.has(semconv.OUTCOME, "cancelled"),))],
    )


def causes(width: int = 12, height: int = 8, legend: common.VizLegendOptions | None = None) -> Panel:
    """Cancellations by cause."""
    return trend(
        "Cancellations by cause",
        query(summed(OPERATIONS.counter(semconv.CANCELLATIONS), "cause"), "{{cause}}"),
        means="Who stopped operations: a request to cancel, a client that went away, a failing sibling, a"
        " deadline further out, a shutdown.",
        do="client_disconnect: the client is less patient than the service. deadline: too little time left"
        " for this step. shutdown: raise the drain time.",
        unit=PER_SECOND,
        width=width,
        height=height,
        legend=legend,
        colours=CANCEL_CAUSES,
        links=[
            traces.of_series(
                "cause",
                conditions=(*SCOPE, traces.has(semconv.OUTCOME, "cancelled")),
                title="Cancelled traces",
            )
        ],
    )


def cleanups() -> Panel:
    """Cleanups by outcome."""
    return trend(
        "Cleanups by outcome",
        query(summed(OPERATIONS.count(semconv.CLEANUP_DURATION), "outcome"), "{{outcome}}"),
        means="What cancelled operations still did before they ended: completed, failed, or cut off at its"
        " deadline.",
        do="Anything but completed leaves something behind, a lock, a hold, a row: open the trace and undo"
        " it.",
        unit=PER_SECOND,
        colours=CLEANUP_OUTCOMES,
        links=[
            traces.explore(
                "Cleanups",
                *SCOPE,
                traceql.IS_CLEANUP,
                traces.has(semconv.CLEANUP_OUTCOME, "${__field.labels.outcome}"),
            )
        ],
    )


def cleanup_duration() -> Panel:
    """How long cleanups take."""
    cleanup = semconv.CLEANUP_DURATION
    return trend(
        "Cleanup p95",
        worst_operations(OPERATIONS.quantile(0.95, cleanup, by=BY)),
        means="19 of 20 cancelled operations stop sooner. A shutdown and a disconnected client wait for it.",
        do="Near the cleanup's deadline it will soon be cut off: do less in it, or raise the deadline.",
        unit="s",
        empty="Nothing was cleaned up in this time range",
        links=[traces.of_series(*BY, conditions=(traceql.IS_CLEANUP,))],
    )


def cleanup_distribution() -> Panel:
    """Distribution of the durations of cleanups."""
    return distribution(
        "Distribution of cleanups",
        summed(OPERATIONS.buckets(semconv.CLEANUP_DURATION), "le"),
        means="Cleanups that ended, a second, by how long they took. A diamond is one cleanup.",
        do="A band at the deadline are cleanups that were cut off: click a diamond in it.",
        unit="s",
        empty="Nothing was cleaned up in this time range",
        exemplar=True,
        links=[traces.explore("Cleanups", *SCOPE, traceql.IS_CLEANUP)],
    )
