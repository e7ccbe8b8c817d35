"""The state of each alert while the process runs: inactive, pending, firing, and what fired before."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from service.console.alert_rules import AlertRule, alert_rules
from service.console.conditions import Found
from service.console.observations import Observations
from service.console.readings import Reading
from service.slo.definition import SloDefinition

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

    found: Found
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
        self._observations = Observations(self._definition)
        self._rules = alert_rules(self._definition, self._observations)
        self._active: list[dict[_Instance, _Active]] = [{} for _ in self._rules]
        self._nearest: list[Found | None] = [None for _ in self._rules]
        self._resolved: deque[dict[str, Any]] = deque(maxlen=MAX_RESOLVED)
        self._said = self.states()

    def clear(self) -> None:
        """Forget everything."""
        self._start()

    def evaluate(self, now: float, reading: Reading) -> bool:
        """Take a reading and evaluate all conditions; whether what ``states`` says has changed.

        Args:
            now: Seconds since the epoch, later than before.
            reading: The process's counters and gauges now.
        """
        self._observations.add(now, reading)
        for number, rule in enumerate(self._rules):
            self._evaluate(number, rule, now)
        before, self._said = self._said, self.states()
        return self._said != before

    def _evaluate(self, number: int, rule: AlertRule, now: float) -> None:
        active = self._active[number]
        found = list(rule.find())
        self._nearest[number] = max(found, key=lambda each: each.value - each.threshold, default=None)
        holding = {tuple(each.labels.items()): each for each in found if each.holds}
        for instance in active.keys() - holding.keys():
            alert = active.pop(instance)
            if alert.firing_since is not None:
                self._resolved.appendleft(_period(rule, alert, alert.firing_since, now))
        for instance, each in holding.items():
            alert = active.setdefault(instance, _Active(each, now))
            alert.found = each
            if alert.firing_since is None and now - alert.pending_since >= rule.settings.for_.seconds:
                alert.firing_since = now

    def states(self) -> list[dict[str, Any]]:
        """Every alert that is active, and each other one once, with the value nearest to its threshold."""
        return [state for number, rule in enumerate(self._rules) for state in self._states(number, rule)]

    def _states(self, number: int, rule: AlertRule) -> Iterator[dict[str, Any]]:
        active = self._active[number]
        for _, alert in sorted(active.items()):
            since = alert.pending_since if alert.firing_since is None else alert.firing_since
            state = "pending" if alert.firing_since is None else "firing"
            yield self._state(rule, state, since, alert.found.labels, alert.found)
        if not active:
            found = self._nearest[number]
            labels = {} if found is None or found.lacks is None else found.labels
            yield self._state(rule, "inactive", None, labels, found)

    def _state(
        self, rule: AlertRule, state: str, since: float | None, labels: Mapping[str, str], found: Found | None
    ) -> dict[str, Any]:
        value = None if found is None else found.value
        window = rule.window
        return {
            "alert": rule.name,
            "severity": rule.settings.severity,
            "state": state,
            "since": since,
            "labels": {**rule.labels, **labels},
            "value": value,
            "threshold": rule.threshold if found is None else found.threshold,
            "lacks": None if found is None else found.lacks,
            "unit": rule.unit,
            "summary": rule.summarize(labels),
            "description": rule.describe(None if state == "inactive" else value),
            "runbook_url": f"{RUNBOOK}#{rule.name.lower()}",
            "promql": rule.promql,
            "for_seconds": rule.settings.for_.seconds,
            "window": None if window is None else str(window),
            "covered": window is None or self._observations.cover(window),
        }

    def history(self) -> list[dict[str, Any]]:
        """Alerts that fire, and that fired and are over, the last one first in either."""
        firing = [
            _period(rule, alert, alert.firing_since, None)
            for rule, active in zip(self._rules, self._active, strict=True)
            for alert in active.values()
            if alert.firing_since is not None
        ]
        return [*sorted(firing, key=lambda each: each["from"], reverse=True), *self._resolved]


def _period(rule: AlertRule, alert: _Active, start: float, end: float | None) -> dict[str, Any]:
    """When an alert fired; without an end it still does."""
    return {
        "alert": rule.name,
        "labels": {**rule.labels, **alert.found.labels},
        "severity": rule.settings.severity,
        "from": start,
        "to": end,
    }
