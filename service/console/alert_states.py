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

    def clear(self) -> None:
        """Forget everything."""
        self._start()

    def evaluate(self, now: float, reading: Reading) -> bool:
        """Take a reading and evaluate all conditions; whether the state of an alert has changed.

        Args:
            now: Seconds since the epoch, later than before.
            reading: The process's counters and gauges now.
        """
        self._observations.add(now, reading)
        changes = [self._evaluate(number, rule, now) for number, rule in enumerate(self._rules)]
        return any(changes)

    def _evaluate(self, number: int, rule: AlertRule, now: float) -> bool:
        active, changed = self._active[number], False
        found = list(rule.find())
        self._nearest[number] = max(found, key=lambda each: each.value - each.threshold, default=None)
        holding = {tuple(each.labels.items()): each for each in found if each.holds}
        for instance in active.keys() - holding.keys():
            self._resolve(rule, active.pop(instance), now)
            changed = True
        for instance, each in holding.items():
            alert = active.get(instance)
            if alert is None:
                alert = active[instance] = _Active(each, now)
                changed = True
            alert.found = each
            if alert.firing_since is None and now - alert.pending_since >= rule.settings.for_.seconds:
                alert.firing_since = now
                changed = True
        return changed

    def _resolve(self, rule: AlertRule, alert: _Active, now: float) -> None:
        if alert.firing_since is not None:
            self._resolved.appendleft(
                {
                    "alert": rule.name,
                    "labels": {**rule.labels, **alert.found.labels},
                    "severity": rule.settings.severity,
                    "from": alert.firing_since,
                    "to": now,
                }
            )

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
            yield self._state(rule, "inactive", None, {}, self._nearest[number])

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
        """Alerts that fired and are over, the last one first."""
        return list(self._resolved)
