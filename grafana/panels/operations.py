"""Rate, errors and duration of operations, and what is in flight."""

from collections.abc import Mapping

from grafana import navigation, thresholds, traces
from grafana.colours import ORANGE, OUTCOMES, RED
from grafana.panel_kinds import PER_SECOND, Panel, current, number, overall, query, trend
from grafana.panels import endings
from grafana.panels.by_operation import BY, worst_operations
from grafana.panels.cancellations import timeout_ratio_of
from grafana.panels.retries import amplification_of
from grafana.promql import OPERATIONS
from grafana.tables import Column, rows
from retryscope import semconv
from retryscope_service.slo import dashboards, traceql
from retryscope_service.slo.promql import largest, summed

AMPLIFIED_STEPS = {0.75 * thresholds.AMPLIFICATION: ORANGE, thresholds.AMPLIFICATION: RED}
SCOPE = (traces.IN_WORKFLOWS, traces.IN_OPERATIONS)


def failure_ratio_of(*by: str) -> str:
    """Failed over counted operations."""
    return endings.failure_ratio_of(OPERATIONS, semconv.OPERATION_DURATION, *by)


def _columns() -> dict[str, Column]:
    """What a table says about each operation."""
    duration = semconv.OPERATION_DURATION
    return {
        "Failed": Column(failure_ratio_of(*BY), "percentunit", endings.FAILED_STEPS),
        "Ended": Column(summed(OPERATIONS.count(duration), *BY), PER_SECOND),
        "Attempts": Column(amplification_of(*BY), "short", AMPLIFIED_STEPS),
        "p95": Column(OPERATIONS.quantile(0.95, duration, by=BY), "s"),
        "In flight": Column(summed(OPERATIONS.gauge(semconv.OPERATIONS_IN_FLIGHT), *BY), "short"),
    }


def worst(width: int, height: int, most: int) -> Panel:
    """The operations that fail most, with what there is room for."""
    shown = {name: column for name, column in _columns().items() if name in ("Failed", "Attempts", "p95")}
    return _table("Worst operations", shown, width=width, height=height, most=most)


def table() -> Panel:
    """A row per operation, the one that fails most first."""
    return _table("Operations", _columns(), width=24, height=10)


def _table(
    title: str, columns: Mapping[str, Column], *, width: int, height: int, most: int | None = None
) -> Panel:
    return rows(
        title,
        columns,
        by={"operation": "Operation", "workflow": "Workflow"},
        worst_by="Failed",
        means="The chosen operations with what fails for good, how many attempts each takes and how long; the"
        " one that fails most comes first.",
        do="Click a name to see only that operation, or its failed traces.",
        width=width,
        height=height,
        most=most,
        links={
            "Operation": [
                navigation.of_row("Only this one", dashboards.LIBRARY, *BY),
                traces.of_row("Failed traces", *BY, conditions=(traceql.FAILED,)),
            ]
        },
    )


def outcomes() -> Panel:
    """Operations that ended, by outcome."""
    return trend(
        "Operations by outcome",
        query(summed(OPERATIONS.count(semconv.OPERATION_DURATION), "outcome"), "{{outcome}}"),
        means="Operations that ended, a second. `exhausted` gave up retrying, `timeout` reached its own"
        " limit, `cancelled` was stopped from outside and is no failure.",
        do="When a failing colour grows, click it for its traces; the tables of errors and give-ups say why.",
        unit=PER_SECOND,
        colours=OUTCOMES,
        links=[traces.of_series("outcome", conditions=SCOPE)],
    )


def failure_ratio() -> Panel:
    """Failure ratio by operation."""
    return trend(
        "Failure ratio",
        worst_operations(failure_ratio_of(*BY)),
        means="Operations that ended as error, timeout or exhausted, over those that were not cancelled."
        " Errors that a retry repaired are not in it.",
        do="Find the operation that fails, open its traces and read the last attempt's exception.",
        unit="percentunit",
        links=[traces.of_series(*BY, conditions=(traceql.FAILED,), title="Failed traces")],
    )


def duration() -> Panel:
    """Percentiles of the duration."""
    return trend(
        "Duration",
        *endings.percentiles(OPERATIONS, semconv.OPERATION_DURATION),
        means="Time of an operation with all its attempts and waits.",
        do="If p99 leaves p50 behind, compare with the time lost in backoff: slow calls and long waits"
        " look the same here.",
        unit="s",
        links=[traces.of_series(conditions=SCOPE)],
    )


def heatmap() -> Panel:
    """Distribution of the duration."""
    duration = semconv.OPERATION_DURATION
    return endings.durations("Operations", OPERATIONS, duration, traces.of_series(conditions=SCOPE))


def in_flight(height: int = 8) -> Panel:
    """Operations that have started and not ended."""
    return trend(
        "Operations in flight",
        worst_operations(summed(OPERATIONS.gauge(semconv.OPERATIONS_IN_FLIGHT), *BY)),
        means="Operations that have started and not ended.",
        do="A line that only climbs, or stays up while nothing ends, is stuck: look at its traces, and"
        " give it a timeout.",
        unit="short",
        height=height,
        links=[traces.of_series(*BY)],
    )


def worst_failure_ratio(height: int = 4) -> Panel:
    """The failure ratio of the operation that fails most."""
    return number(
        "Worst failure ratio",
        current(largest(failure_ratio_of(*BY)), "worst"),
        means="Of the operation that fails most, the part that fails for good.",
        do="If it is coloured, the first row of the table below says which operation it is.",
        unit="percentunit",
        height=height,
        steps=endings.FAILED_STEPS,
        links=[traces.explore("Failed traces", *SCOPE, traceql.NOT_ATTEMPT, traceql.FAILED)],
    )


def worst_amplification(height: int = 4) -> Panel:
    """The amplification of the operation that is repeated most."""
    return number(
        "Worst attempts",
        current(largest(amplification_of(*BY)), "worst"),
        means="Attempts per operation, of the one that is repeated most.",
        do="Coloured: slow the retries down, then repair what is called.",
        unit="short",
        height=height,
        steps=AMPLIFIED_STEPS,
        links=[traces.explore("Traces", *SCOPE)],
    )


def rate_now() -> Panel:
    """Rate of all chosen operations together."""
    return number(
        "Rate now",
        current(summed(OPERATIONS.count(semconv.OPERATION_DURATION)), "rate"),
        means="Operations that end, a second.",
        do="If it falls to nothing while work is asked for, look at what is in flight.",
        unit=PER_SECOND,
        links=[traces.explore("Traces", *SCOPE)],
    )


def slowest_now() -> Panel:
    """p95 of the slowest operation."""
    return number(
        "Slowest p95 now",
        current(largest(OPERATIONS.quantile(0.95, semconv.OPERATION_DURATION, by=BY)), "p95"),
        means="p95 of the operation that takes longest.",
        do="If it grows, sort the table below by p95.",
        unit="s",
        links=[traces.explore("Traces", *SCOPE)],
    )


def in_flight_now() -> Panel:
    """In flight, together."""
    return number(
        "In flight now",
        current(summed(OPERATIONS.gauge(semconv.OPERATIONS_IN_FLIGHT)), "in flight"),
        means="Operations that have started and not ended.",
        do="If it only climbs, something hangs: it has no timeout.",
        unit="short",
        links=[traces.explore("Traces", *SCOPE)],
    )


def hanging() -> Panel:
    """How many operations hang."""
    window = thresholds.STALLED_WINDOW
    in_flight = OPERATIONS.gauge(semconv.OPERATIONS_IN_FLIGHT)
    # A minimum alone says the same of a process that has just started.
    throughout = summed(f"min_over_time({in_flight}[{window}]) and {in_flight} offset {window}", *BY)
    ended = OPERATIONS.select(f"{semconv.OPERATION_DURATION.name}_count")
    hang = f"({throughout} > 0)\nunless\n({summed(f'increase({ended}[{window}])', *BY)} > 0)"
    return number(
        "Hanging now",
        overall(f"count({hang})\nor count({in_flight}) * 0", "operations"),
        means=f"Operations, by name, of which some were in flight all the time for {window} and none ended.",
        do="It waits for something that does not come, without a timeout: below, in flight, is which one.",
        unit="short",
        steps={1.0: RED},
        curve=False,
        links=[traces.explore("Traces", *SCOPE)],
    )


def worst_timeouts(height: int = 4) -> Panel:
    """The timeout ratio of the operation that times out most."""
    return number(
        "Worst timeouts",
        current(largest(timeout_ratio_of(*BY)), "worst"),
        means="Of the operation that times out most, the part that reaches its own limit.",
        do="See below which operation it is, and compare its limit with its p95.",
        unit="percentunit",
        height=height,
        steps={0.01: ORANGE, 0.05: RED},
        links=[traces.explore("Timeouts", *SCOPE, traces.has(semconv.OUTCOME, "timeout"))],
    )
