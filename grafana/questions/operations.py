"""Rate, errors and duration of operations, and what is in flight."""

from grafana import navigation, traces
from grafana.colours import OUTCOMES
from grafana.panels import Panel, distribution, query, rows, trend
from grafana.promql import OPERATIONS
from grafana.questions.retries import amplification_of
from instrumentation import semconv
from service.slo.promql import COUNTED, FAILED, share, summed

BY = ("workflow", "operation")
LEGEND = "{{workflow}} / {{operation}}"


def failure_ratio_of(*by: str) -> str:
    """Failed over counted operations."""
    failed = OPERATIONS.count(semconv.OPERATION_DURATION, FAILED)
    counted = OPERATIONS.count(semconv.OPERATION_DURATION, COUNTED)
    return share(summed(failed, *by), summed(counted, *by))


def table() -> Panel:
    """A row per operation."""
    duration = semconv.OPERATION_DURATION
    columns = {
        "Ended": (summed(OPERATIONS.count(duration), *BY), "ops"),
        "Failure ratio": (failure_ratio_of(*BY), "percentunit"),
        "Amplification": (amplification_of(*BY), "short"),
        "p95": (OPERATIONS.quantile(0.95, duration, by=BY), "s"),
        "In flight": (summed(OPERATIONS.gauge(semconv.OPERATIONS_IN_FLIGHT), *BY), "short"),
    }
    return rows(
        "Operations",
        columns,
        by={"workflow": "Workflow", "operation": "Operation"},
        means="Every operation of the chosen workflows, with what ended, failed, was repeated and is"
        " running.",
        do="Sort by a column to find the worst one; click its name to see only that operation.",
        links={"Operation": [navigation.of_row("Only this one", navigation.LIBRARY, *BY)]},
    )


def outcomes() -> Panel:
    """Operations that ended, by outcome."""
    return trend(
        "Operations by outcome",
        query(summed(OPERATIONS.count(semconv.OPERATION_DURATION), "outcome"), "{{outcome}}"),
        means="Operations that ended, a second. `exhausted` gave up retrying, `timeout` reached its own"
        " limit, `cancelled` was stopped from outside and is no failure.",
        do="When a failing colour grows, click it for its traces; the tables of errors and give-ups say why.",
        unit="ops",
        colours=OUTCOMES,
        links=[traces.of_series("outcome", conditions=(traces.IN_WORKFLOWS, traces.IN_OPERATIONS))],
    )


def failure_ratio() -> Panel:
    """Failure ratio by operation."""
    return trend(
        "Failure ratio",
        query(failure_ratio_of(*BY), LEGEND),
        means="Operations that ended as error, timeout or exhausted, over those that were not cancelled."
        " Errors that a retry repaired are not in it.",
        do="Find the operation that fails, open its traces and read the last attempt's exception.",
        unit="percentunit",
        links=[traces.of_series(*BY, conditions=(traces.FAILED,), title="Failed traces")],
    )


def duration() -> Panel:
    """Percentiles of the duration."""
    metric = semconv.OPERATION_DURATION
    return trend(
        "Duration",
        query(OPERATIONS.quantile(0.5, metric), "p50"),
        query(OPERATIONS.quantile(0.95, metric), "p95"),
        query(OPERATIONS.quantile(0.99, metric), "p99", exemplar=True),
        means="Time of an operation with all its attempts and waits. A diamond is one operation: click it"
        " for its trace.",
        do="If p99 leaves p50 behind, compare with the time lost in backoff: slow calls and long waits"
        " look the same here.",
        unit="s",
        links=[traces.of_series(conditions=(traces.IN_WORKFLOWS, traces.IN_OPERATIONS))],
    )


def heatmap() -> Panel:
    """Distribution of the duration."""
    metric = semconv.OPERATION_DURATION
    buckets = summed(OPERATIONS.buckets(metric), "le")
    return distribution(
        "Distribution of durations",
        buckets,
        means="Operations that ended, a second, by how long they took. Separate bands are separate ways"
        " through the code: success at once, after one retry, at the limit.",
        do="Look for a band at a limit (time out) or at the sum of the delays (retries), and click a"
        " diamond in it.",
        unit="s",
        exemplar=True,
        links=[traces.of_series(conditions=(traces.IN_WORKFLOWS, traces.IN_OPERATIONS))],
    )


def in_flight() -> Panel:
    """Operations that have started and not ended."""
    return trend(
        "Operations in flight",
        query(summed(OPERATIONS.gauge(semconv.OPERATIONS_IN_FLIGHT), *BY), LEGEND),
        means="Operations that have started and not ended.",
        do="A line that only climbs, or stays up while nothing ends, is stuck: look at its traces, and"
        " give it a timeout.",
        unit="short",
        links=[traces.of_series(*BY)],
    )
