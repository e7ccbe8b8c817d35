"""The state of each alert while the process runs: inactive, pending, firing, and what fired before."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from retryscope_service.monitor.alert_series import AlertSeries
from retryscope_service.monitor.scrape import Scrape
from retryscope_service.slo.alerts.alert import Alert
from retryscope_service.slo.alerts.catalogue import alerts
from retryscope_service.slo.alerts.evaluation import Evaluation
from retryscope_service.slo.compression import Compression
from retryscope_service.slo.definition import SloDefinition

MAX_RESOLVED: Final = 200
"""Alerts that fired and are over that are remembered; the oldest goes first."""

RUNBOOK: Final = "/docs/runbook"
"""The one of this very service, wherever it listens."""

_Instance = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Active:
    """An alert whose condition holds.

    Attributes:
        found: What was found last.
        pending_since: When it began to hold.
        firing_since: When it had held long enough.
    """

    found: Evaluation
    pending_since: float
    firing_since: float | None = None


class AlertStates:
    """Evaluates the alerts of a definition again and again, and remembers since when they are active.

    As in Prometheus an alert is pending while its condition holds, fires once it has held for ``for``, and
    is inactive as soon as it does not.
    """

    def __init__(self, definition: SloDefinition) -> None:
        self._definition = definition
        self._start()

    def _start(self) -> None:
        self._series = AlertSeries(self._definition)
        self._alerts = alerts(self._definition)
        self._promql = [alert.promql(Compression()) for alert in self._alerts]
        self._active: list[dict[_Instance, _Active]] = [{} for _ in self._alerts]
        self._nearest: list[Evaluation | None] = [None for _ in self._alerts]
        self._resolved: deque[dict[str, Any]] = deque(maxlen=MAX_RESOLVED)
        self._said = self.states()

    def clear(self) -> None:
        """Forget everything."""
        self._start()

    def evaluate(self, now: float, scrape: Scrape) -> bool:
        """Take a scrape and evaluate all conditions; whether what ``states`` says has changed.

        Args:
            now: Seconds since the epoch, later than before.
            scrape: The process's counters and gauges now.
        """
        self._series.add(now, scrape)
        for number, alert in enumerate(self._alerts):
            self._evaluate(number, alert, now)
        before, self._said = self._said, self.states()
        return self._said != before

    def _evaluate(self, number: int, alert: Alert, now: float) -> None:
        active = self._active[number]
        found = list(alert.value(self._series))
        self._nearest[number] = max(found, key=lambda each: each.value - each.threshold, default=None)
        holding = {tuple(each.labels.items()): each for each in found if each.holds}
        for instance in active.keys() - holding.keys():
            over = active.pop(instance)
            if over.firing_since is not None:
                self._resolved.appendleft(_period(alert, over, over.firing_since, now))
        for instance, each in holding.items():
            held = active.setdefault(instance, _Active(each, now))
            held.found = each
            if held.firing_since is None and now - held.pending_since >= alert.settings.for_.seconds:
                held.firing_since = now

    def states(self) -> list[dict[str, Any]]:
        """Every alert that is active, and each other one once, with the value nearest to its threshold."""
        return [state for number in range(len(self._alerts)) for state in self._states(number)]

    def _states(self, number: int) -> Iterator[dict[str, Any]]:
        active = self._active[number]
        for _, held in sorted(active.items()):
            since = held.pending_since if held.firing_since is None else held.firing_since
            state = "pending" if held.firing_since is None else "firing"
            yield self._state(number, state, since, held.found.labels, held.found)
        if not active:
            found = self._nearest[number]
            labels = {} if found is None or found.lacks is None else found.labels
            yield self._state(number, "inactive", None, labels, found)

    def _state(
        self,
        number: int,
        state: str,
        since: float | None,
        labels: Mapping[str, str],
        found: Evaluation | None,
    ) -> dict[str, Any]:
        alert = self._alerts[number]
        value = None if found is None else found.value
        window = alert.window
        return {
            "alert": alert.name,
            "severity": alert.settings.severity,
            "state": state,
            "since": since,
            "labels": {**alert.labels, **labels},
            "value": value,
            "threshold": alert.threshold if found is None else found.threshold,
            "lacks": None if found is None else found.lacks,
            "unit": alert.unit,
            "summary": alert.summarize(labels),
            "description": alert.describe(None if state == "inactive" else value),
            "runbook_url": f"{RUNBOOK}#{alert.name.lower()}",
            "promql": self._promql[number],
            "for_seconds": alert.settings.for_.seconds,
            "window": None if window is None else str(window),
            "covered": window is None or self._series.cover(window),
        }

    def history(self) -> list[dict[str, Any]]:
        """Alerts that fire, and that fired and are over, the last one first in either."""
        firing = [
            _period(alert, held, held.firing_since, None)
            for alert, active in zip(self._alerts, self._active, strict=True)
            for held in active.values()
            if held.firing_since is not None
        ]
        return [*sorted(firing, key=lambda each: each["from"], reverse=True), *self._resolved]


def _period(alert: Alert, held: _Active, start: float, end: float | None) -> dict[str, Any]:
    """When an alert fired; without an end it still does."""
    return {
        "alert": alert.name,
        "labels": {**alert.labels, **held.found.labels},
        "severity": alert.settings.severity,
        "from": start,
        "to": end,
    }
