"""The conditions of the alerts, evaluated inside the process.

The rules for Prometheus are made from the same definition by :mod:`service.slo.alerting`; a test feeds both
the same series and wants the same alerts at the same times. What differs: only this process counts, windows
end now and not at the last scrape, and a series that begins with its first increment loses nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from instrumentation.outcome import COUNTED, FAILED, OUTCOMES
from service.console.observations import LAG_SERIES, Observations
from service.console.prometheus_functions import histogram_quantile
from service.console.readings import LAG_BOUNDS, Labels
from service.console.samples import Counters
from service.slo.definition import BurnRate, SloDefinition
from service.slo.duration import Duration
from service.slo.recording import SHORT

_OF_WORKFLOW: Labels = ("workflow",)
_OF_OPERATION: Labels = ("workflow", "operation")


@dataclass(frozen=True, slots=True)
class Found:
    """A value that a condition compares.

    Attributes:
        labels: What it is the value of.
        value: The value.
        threshold: Its bound.
        holds: Whether the whole condition holds.
        lacks: Why it does not, though the value is above its bound; None where it is not, or where it holds.
    """

    labels: Mapping[str, str]
    value: float
    threshold: float
    holds: bool
    lacks: str | None = None


class Conditions:
    """The conditions of a definition, one method each: what they compare, whether they hold or not."""

    def __init__(self, definition: SloDefinition, observations: Observations) -> None:
        self._objective = definition.objective
        self._alerts = definition.alerts
        self._minimum = definition.minimum_events
        self._seen = observations

    def failure_budget_burn(self, burn: BurnRate) -> Iterator[Found]:
        """The failure ratio of each workflow over the long window; over the short one it counts too."""
        budgets = self._objective.workflow_budgets
        for (workflow,), series in _grouped(self._seen.runs.latest, 1).items():
            budget = budgets.get(workflow, self._objective.budget)
            yield from self._budget_burn({"workflow": workflow}, self._seen.runs, series, burn, budget)

    def operation_budget_burn(self, burn: BurnRate) -> Iterator[Found]:
        """The same of each operation that has an objective."""
        budgets = self._objective.operation_budgets
        for (workflow, operation), series in _grouped(self._seen.promised.latest, 2).items():
            labels = {"workflow": workflow, "operation": operation}
            yield from self._budget_burn(labels, self._seen.promised, series, burn, budgets[operation])

    def _budget_burn(
        self,
        labels: Mapping[str, str],
        counters: Counters,
        series: Iterable[Labels],
        burn: BurnRate,
        budget: float,
    ) -> Iterator[Found]:
        limit = burn.factor * budget
        long = _ratio(counters, series, burn.long, FAILED, COUNTED)
        short = _ratio(counters, series, burn.short, FAILED, COUNTED)
        if long is not None:
            lacks = self._too_few(_grown(counters, series, burn.long, COUNTED), burn.long)
            if lacks is None and not (short is not None and short > limit):
                lacks = f"in the last {burn.short} it is not above it"
            yield _found(labels, long, limit, lacks)

    def stalled(self) -> Iterator[Found]:
        """The least number of runs in flight of each workflow; none may have ended meanwhile."""
        window = self._alerts.stalled.window
        runs, in_flight = self._seen.runs, self._seen.in_flight
        series_of = _grouped(runs.latest, 1)
        for workflow in filter(in_flight.was_there, in_flight.latest):
            least = min(in_flight.values(workflow))
            ended = _grown(runs, series_of.get(workflow, ()), window, OUTCOMES)
            yield Found({"workflow": workflow[0]}, least, 0.0, least > 0 and not ended > 0)

    def operation_failure_ratio_high(self) -> Iterator[Found]:
        """The share of each operation that failed for good."""
        alert, operations = self._alerts.operation_failure_ratio_high, self._seen.operations
        for labels, ratio, lacks in self._shares(operations, _OF_OPERATION, alert.window, FAILED, COUNTED):
            yield _found(labels, ratio, alert.threshold_of(labels["operation"]), lacks)

    def timeout_ratio_high(self) -> Iterator[Found]:
        """The share of each operation's attempts that hit their limit."""
        alert, attempts = self._alerts.timeout_ratio_high, self._seen.attempts
        for labels, ratio, lacks in self._shares(attempts, _OF_OPERATION, alert.window, {"timeout"}, COUNTED):
            yield _found(labels, ratio, alert.threshold, lacks)

    def retry_storm(self) -> Iterator[Found]:
        """Attempts of each operation, over how often it ended."""
        limit = self._alerts.retry_storm.threshold
        attempts = _grouped(self._seen.attempts.latest, 2)
        for operation, series in _grouped(self._seen.operations.latest, 2).items():
            operations = _grown(self._seen.operations, series, SHORT, OUTCOMES)
            if operations:
                each = _grown(self._seen.attempts, attempts.get(operation, ()), SHORT, OUTCOMES) / operations
                labels = {"workflow": operation[0], "operation": operation[1]}
                yield _found(labels, each, limit, self._too_few(operations, SHORT))

    def concurrency_saturated(self) -> Iterator[Found]:
        """The share of each pool that is taken, on average."""
        limit = self._alerts.concurrency_saturated.threshold
        for pool, places in self._seen.pool_limits.items():
            taken = self._seen.pools.values(pool)
            if taken and places:
                share = sum(taken) / len(taken) / places
                yield _found({"pool": pool[0]}, share, limit)

    def event_loop_lag_high(self) -> Iterator[Found]:
        """A quantile of the event loop's lag."""
        alert, lag = self._alerts.event_loop_lag_high, self._seen.lag
        grown = [lag.increase(bucket, alert.window.seconds) or 0.0 for bucket in LAG_SERIES]
        quantile = histogram_quantile(alert.quantile, LAG_BOUNDS, grown)
        if quantile is not None:
            yield _found({}, quantile, alert.threshold)

    def cancellation_spike(self) -> Iterator[Found]:
        """The share of each workflow's runs that were cancelled."""
        alert, runs = self._alerts.cancellation_spike, self._seen.runs
        for labels, ratio, lacks in self._shares(runs, _OF_WORKFLOW, alert.window, {"cancelled"}, OUTCOMES):
            yield _found(labels, ratio, alert.threshold, lacks)

    def telemetry_dropped(self) -> Iterator[Found]:
        """Spans lost, by reason."""
        alert = self._alerts.telemetry_dropped
        for reason in self._seen.dropped.latest:
            lost = self._seen.dropped.increase(reason, alert.window.seconds)
            if lost is not None:
                yield _found({"reason": reason[0]}, lost, alert.threshold)

    def _shares(
        self, counters: Counters, names: Labels, window: Duration, part: Iterable[str], whole: Iterable[str]
    ) -> Iterator[tuple[dict[str, str], float, str | None]]:
        """For each of a kind that counted: its labels, the share of some outcomes, and what that lacks."""
        for values, series in _grouped(counters.latest, len(names)).items():
            ratio = _ratio(counters, series, window, part, whole)
            if ratio is not None:
                lacks = self._too_few(_grown(counters, series, window, whole), window)
                yield dict(zip(names, values, strict=True)), ratio, lacks

    def _too_few(self, events: float, window: Duration) -> str | None:
        if events >= self._minimum:
            return None
        # Rounded down: "10 of at least 10" would be no reason.
        there_are = f"there {'is' if int(events) == 1 else 'are'} {int(events)}"
        return f"it needs at least {self._minimum} events in the last {window}, and {there_are}"


def _found(labels: Mapping[str, str], value: float, threshold: float, lacks: str | None = None) -> Found:
    """A condition that holds while the value is above its bound and nothing else is lacking."""
    above = value > threshold
    return Found(labels, value, threshold, above and lacks is None, lacks if above else None)


def _grouped(series: Iterable[Labels], width: int) -> dict[Labels, list[Labels]]:
    """Series by their first labels."""
    groups: dict[Labels, list[Labels]] = {}
    for labels in series:
        groups.setdefault(labels[:width], []).append(labels)
    return groups


def _grown(counters: Counters, series: Iterable[Labels], window: Duration, outcomes: Iterable[str]) -> float:
    """By how much counters grew together, those whose last label is one of some outcomes."""
    return sum(
        counters.increase(labels, window.seconds) or 0.0 for labels in series if labels[-1] in outcomes
    )


def _ratio(
    counters: Counters, series: Iterable[Labels], window: Duration, part: Iterable[str], whole: Iterable[str]
) -> float | None:
    """Growth of the outcomes of a part over that of the whole; None where there was none."""
    grown = _grown(counters, series, window, whole)
    return _grown(counters, series, window, part) / grown if grown > 0 else None
