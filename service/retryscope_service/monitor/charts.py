"""The charts of the console: what each shows, here as in Prometheus, and the traces behind it."""

from collections.abc import Mapping
from typing import Final

from retryscope import semconv
from retryscope.outcome import ATTEMPT_OUTCOMES, CANCEL_CAUSES, COUNTED, FAILED, OUTCOMES
from retryscope_service.monitor.chart import Chart, Colour, Threshold
from retryscope_service.monitor.curves import Counter, Counters, Gauge, Quantiles, Rates, Share
from retryscope_service.monitor.delta import Delta
from retryscope_service.slo import promql, traceql
from retryscope_service.slo.definition import SloDefinition

_COVERS: Final = "Each point covers the last 10 s; at the resolution of 10 s, the last minute."

_RUNS: Final = Counters(promql.WORKFLOW_RUNS, "outcome", lambda totals: totals.runs)
_ATTEMPTS: Final = Counters(promql.ATTEMPTS, "outcome", lambda totals: totals.attempts)
_CANCELLATIONS: Final = Counters(
    f"{semconv.CANCELLATIONS.name}_total", "cause", lambda totals: totals.cancellations
)
_OPERATIONS: Final = Counter(promql.OPERATIONS, lambda totals: totals.operations)
_WAITED: Final = Counter(f"{semconv.BACKOFF_DURATION.name}_sum", lambda totals: totals.backoff_seconds)
_TOOK: Final = Counter(f"{semconv.OPERATION_DURATION.name}_sum", lambda totals: totals.operation_seconds)

_CAUSE_COLOURS: Final[Mapping[str, Colour]] = {
    "request": "cancelled",
    "client_disconnect": "neutral",
    "sibling": "error",
    "deadline": "timeout",
    "shutdown": "cancelled",
}


def charts(definition: SloDefinition) -> tuple[Chart, ...]:
    """The charts, with the thresholds of a definition."""
    job, lag = definition.job, definition.alerts.event_loop_lag_high
    fastest = max(definition.burn_rates, key=lambda burn: burn.factor)
    return (
        Chart(
            "rate",
            "Runs by outcome",
            "1/s",
            f"Workflow runs that ended, a second. {_COVERS}",
            job,
            Rates(_RUNS, {outcome: outcome for outcome in OUTCOMES}),
            traceql.spans(job, traceql.IS_WORKFLOW),
        ),
        Chart(
            "failure_ratio",
            "Failure ratio",
            "ratio",
            f"Failed runs ({', '.join(FAILED)}) over all that were not cancelled; no value without runs."
            f" {_COVERS}",
            job,
            Share(_RUNS.ended(*FAILED), _RUNS.ended(*COUNTED), "failed", "error"),
            traceql.spans(job, traceql.IS_WORKFLOW, traceql.FAILED),
            Threshold(
                fastest.factor * definition.objective.budget,
                f"FailureBudgetBurn over {fastest.short} and {fastest.long}",
            ),
        ),
        Chart(
            "latency",
            "Duration of runs",
            "s",
            "Half of the runs that ended were faster than p50, 99 of 100 faster than p99. Interpolated within"
            " the buckets of a histogram, and so never above its last bound,"
            f" {semconv.DURATION_BUCKETS[-1]:g} s. {_COVERS}",
            job,
            Quantiles(
                f"{semconv.WORKFLOW_DURATION.name}_bucket",
                Delta.run_quantile,
                {0.5: "neutral", 0.95: "backoff", 0.99: "error"},
            ),
            traceql.spans(job, traceql.IS_WORKFLOW, "duration > 1s"),
        ),
        Chart(
            "attempts",
            "Attempts by outcome",
            "1/s",
            f"Attempts of operations that ended, a second, also while their retry goes on. {_COVERS}",
            job,
            Rates(_ATTEMPTS, {outcome: outcome for outcome in ATTEMPT_OUTCOMES}),
            traceql.spans(job, traceql.IS_ATTEMPT),
        ),
        Chart(
            "amplification",
            "Amplification",
            "count",
            "Attempts per operation that ended: 1 is no retry at all, 3 is three times the load on whoever is"
            f" called. {_COVERS}",
            job,
            Share(_ATTEMPTS.all(), _OPERATIONS, "attempts per operation", "backoff"),
            traceql.spans(job, traceql.IS_ATTEMPT, f"span.{semconv.ATTEMPT_NUMBER} > 1"),
            Threshold(definition.alerts.retry_storm.threshold, "RetryStorm"),
        ),
        Chart(
            "backoff_share",
            "Share of time lost waiting",
            "ratio",
            "Time asleep between attempts over the time that operations took. A wait counts when it is over,"
            f" an operation when it ends, so a short burst can lie above 100 %. {_COVERS}",
            job,
            Share(_WAITED, _TOOK, "waiting", "backoff"),
            traceql.spans(job, traceql.IS_BACKOFF),
        ),
        Chart(
            "in_flight",
            "Runs in flight",
            "count",
            "Runs that have started and not ended, when the point was measured.",
            job,
            Gauge(semconv.WORKFLOWS_IN_FLIGHT.name, lambda totals: totals.in_flight, "in flight", "neutral"),
            traceql.spans(job, traceql.IS_WORKFLOW),
        ),
        Chart(
            "cancellations",
            "Cancellations by cause",
            "1/s",
            "Operations that were cancelled, a second: by a request, a client that went away, a failing"
            f" sibling, a deadline further out, a shutdown. {_COVERS}",
            job,
            Rates(_CANCELLATIONS, {cause: _CAUSE_COLOURS[cause] for cause in CANCEL_CAUSES}),
            traceql.spans(job, traceql.has_outcome("cancelled")),
        ),
        Chart(
            "event_loop_lag",
            "Event-loop lag",
            "s",
            "How much later than asked the event loop wakes a task: every timeout, backoff and answer is late"
            f" by it. {_COVERS}",
            job,
            Quantiles(promql.EVENT_LOOP_LAG, Delta.lag_quantile, {0.5: "neutral", lag.quantile: "error"}),
            None,  # no span is about that
            Threshold(lag.threshold, "EventLoopLagHigh"),
        ),
    )
