"""The charts of the console: what each shows, how it is computed here, and how to ask Prometheus and Tempo.

Whatever is counted is drawn over a sliding window: rates of one second are noise. The values at 1 s
resolution cover the last 10 s, those at 10 s resolution the last minute; the PromQL has the minute, because
Prometheus needs four scrapes in a window.
"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from instrumentation import outcome, semconv
from instrumentation.outcome import ATTEMPT_OUTCOMES, CANCEL_CAUSES, OUTCOMES
from service.console.chart import Chart, Colour, Series, Threshold
from service.console.chart_queries import ChartQueries, quantile_name
from service.console.totals import Change, Totals
from service.slo import traceql
from service.slo.definition import SloDefinition
from service.slo.promql import (
    ATTEMPTS,
    COUNTED,
    EVENT_LOOP_LAG,
    FAILED,
    OPERATIONS,
    WORKFLOW_RUNS,
    summed,
)

WINDOWS: Final[Mapping[int, int]] = MappingProxyType({1: 10, 10: 60})
"""Seconds that a value covers, by the resolution in seconds."""
_COVERS: Final = "Each point covers the last 10 s; at the resolution of 10 s, the last minute."

_OUTCOME_COLOURS: Final[Mapping[str, Colour]] = {
    "success": "success",
    "error": "error",
    "timeout": "timeout",
    "exhausted": "exhausted",
    "cancelled": "cancelled",
}
_CAUSE_COLOURS: Final[Mapping[str, Colour]] = {
    "request": "cancelled",
    "client_disconnect": "neutral",
    "sibling": "error",
    "deadline": "timeout",
    "shutdown": "cancelled",
}
_QUANTILES: Final[Mapping[float, Colour]] = {0.5: "neutral", 0.95: "backoff", 0.99: "error"}


def charts(definition: SloDefinition) -> tuple[Chart, ...]:
    """The charts, with the thresholds of a definition."""
    queries = ChartQueries(definition.job)
    return (
        _rate(queries),
        _failure_ratio(queries, definition),
        _latency(queries),
        _attempts(queries),
        _amplification(queries, definition),
        _backoff_share(queries),
        _in_flight(queries),
        _cancellations(queries),
        _event_loop_lag(queries, definition),
    )


def _failed(totals: Totals) -> float:
    return sum(totals.runs[each] for each in outcome.FAILED)


def _counted(totals: Totals) -> float:
    return sum(totals.runs[each] for each in outcome.COUNTED)


def _all_attempts(totals: Totals) -> float:
    return sum(totals.attempts.values())


def _rate(queries: ChartQueries) -> Chart:
    def value(outcome: str, change: Change) -> float:
        return change.rate(lambda totals: totals.runs[outcome])

    return Chart(
        "rate",
        "Runs by outcome",
        "1/s",
        f"Workflow runs that ended, a second. {_COVERS}",
        summed(queries.rate(WORKFLOW_RUNS), "outcome"),
        queries.traces(traceql.IS_WORKFLOW),
        tuple(
            Series(f"rate.{outcome}", outcome, _OUTCOME_COLOURS[outcome], partial(value, outcome))
            for outcome in OUTCOMES
        ),
    )


def _failure_ratio(queries: ChartQueries, definition: SloDefinition) -> Chart:
    fastest = max(definition.burn_rates, key=lambda burn: burn.factor)
    limit = fastest.factor * definition.objective.budget
    return Chart(
        "failure_ratio",
        "Failure ratio",
        "ratio",
        "Failed runs (error, timeout, exhausted) over all that were not cancelled; no value without runs."
        f" {_COVERS}",
        queries.share(queries.total(WORKFLOW_RUNS, FAILED), queries.total(WORKFLOW_RUNS, COUNTED)),
        queries.traces(traceql.IS_WORKFLOW, traceql.FAILED),
        (Series("failure_ratio", "failed", "error", lambda change: change.share(_failed, _counted)),),
        Threshold(limit, f"FailureBudgetBurn over {fastest.short} and {fastest.long}"),
    )


def _latency(queries: ChartQueries) -> Chart:
    def value(quantile: float, change: Change) -> float | None:
        return change.run_quantile(quantile)

    return Chart(
        "latency",
        "Duration of runs",
        "s",
        "Half of the runs that ended were faster than p50, 99 of 100 faster than p99. Interpolated within"
        f" the buckets of a histogram, and so never above its last bound, {semconv.DURATION_BUCKETS[-1]:g} s."
        f" {_COVERS}",
        queries.quantiles(f"{semconv.WORKFLOW_DURATION.name}_bucket", *_QUANTILES),
        queries.traces(traceql.IS_WORKFLOW, "duration > 1s"),
        tuple(
            Series(
                f"latency.{quantile_name(quantile)}",
                quantile_name(quantile),
                colour,
                partial(value, quantile),
            )
            for quantile, colour in _QUANTILES.items()
        ),
    )


def _attempts(queries: ChartQueries) -> Chart:
    def value(outcome: str, change: Change) -> float:
        return change.rate(lambda totals: totals.attempts[outcome])

    return Chart(
        "attempts",
        "Attempts by outcome",
        "1/s",
        f"Attempts of operations that ended, a second, also while their retry goes on. {_COVERS}",
        summed(queries.rate(ATTEMPTS), "outcome"),
        queries.traces(traceql.IS_ATTEMPT),
        tuple(
            Series(f"attempts.{outcome}", outcome, _OUTCOME_COLOURS[outcome], partial(value, outcome))
            for outcome in ATTEMPT_OUTCOMES
        ),
    )


def _amplification(queries: ChartQueries, definition: SloDefinition) -> Chart:
    return Chart(
        "amplification",
        "Amplification",
        "count",
        "Attempts per operation that ended: 1 is no retry at all, 3 is three times the load on whoever is"
        f" called. {_COVERS}",
        queries.share(queries.total(ATTEMPTS), queries.total(OPERATIONS)),
        queries.traces(traceql.IS_ATTEMPT, f"span.{semconv.ATTEMPT_NUMBER} > 1"),
        (
            Series(
                "amplification",
                "attempts per operation",
                "backoff",
                lambda change: change.share(_all_attempts, lambda totals: totals.operations),
            ),
        ),
        Threshold(definition.alerts.retry_storm.threshold, "RetryStorm"),
    )


def _backoff_share(queries: ChartQueries) -> Chart:
    return Chart(
        "backoff_share",
        "Share of time lost waiting",
        "ratio",
        "Time asleep between attempts over the time that operations took. A wait counts when it is over, an"
        f" operation when it ends, so a short burst can lie above 100 %. {_COVERS}",
        queries.share(
            queries.total(f"{semconv.BACKOFF_DURATION.name}_sum"),
            queries.total(f"{semconv.OPERATION_DURATION.name}_sum"),
        ),
        queries.traces(traceql.IS_BACKOFF),
        (
            Series(
                "backoff_share",
                "waiting",
                "backoff",
                lambda change: change.share(
                    lambda totals: totals.backoff_seconds, lambda totals: totals.operation_seconds
                ),
            ),
        ),
    )


def _in_flight(queries: ChartQueries) -> Chart:
    return Chart(
        "in_flight",
        "Runs in flight",
        "count",
        "Runs that have started and not ended, when the point was measured.",
        queries.gauge(semconv.WORKFLOWS_IN_FLIGHT.name),
        queries.traces(traceql.IS_WORKFLOW),
        (Series("in_flight", "in flight", "neutral", lambda change: change.after.in_flight),),
    )


def _cancellations(queries: ChartQueries) -> Chart:
    def value(cause: str, change: Change) -> float:
        return change.rate(lambda totals: totals.cancellations[cause])

    return Chart(
        "cancellations",
        "Cancellations by cause",
        "1/s",
        "Operations that were cancelled, a second: by a request, a client that went away, a failing sibling,"
        f" a deadline further out, a shutdown. {_COVERS}",
        summed(queries.rate(f"{semconv.CANCELLATIONS.name}_total"), "cause"),
        queries.traces(traceql.has_outcome("cancelled")),
        tuple(
            Series(f"cancellations.{cause}", cause, _CAUSE_COLOURS[cause], partial(value, cause))
            for cause in CANCEL_CAUSES
        ),
    )


def _event_loop_lag(queries: ChartQueries, definition: SloDefinition) -> Chart:
    alert = definition.alerts.event_loop_lag_high

    def value(quantile: float, change: Change) -> float | None:
        return change.lag_quantile(quantile)

    shown: dict[float, Colour] = {0.5: "neutral", alert.quantile: "error"}
    return Chart(
        "event_loop_lag",
        "Event-loop lag",
        "s",
        "How much later than asked the event loop wakes a task: every timeout, backoff and answer is late by"
        f" it. {_COVERS}",
        queries.quantiles(EVENT_LOOP_LAG, *shown),
        None,
        tuple(
            Series(
                f"event_loop_lag.{quantile_name(quantile)}",
                quantile_name(quantile),
                colour,
                partial(value, quantile),
            )
            for quantile, colour in shown.items()
        ),
        Threshold(alert.threshold, "EventLoopLagHigh"),
    )
