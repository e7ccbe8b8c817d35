"""The same series for the console's alerts and for the rules of Prometheus."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from retryscope import semconv
from retryscope_service import semconv as service_semconv
from retryscope_service.monitor.alert_states import AlertStates
from retryscope_service.monitor.scrape import LAG_BOUNDS, Scrape
from retryscope_service.slo.definition import SloDefinition
from retryscope_service.slo.duration import Duration

Values = Sequence[float]
Series = Mapping[tuple[str, ...], Values]
"""Values at each step, by the labels that tell the series apart."""

Firing = frozenset[tuple[tuple[str, str], ...]]
"""The labels of what fires, without those that Prometheus gives a target."""


def counter(*pieces: tuple[float, int], start: float = 0.0) -> list[float]:
    """A counter that grows so much in each of so many steps, one piece after the other."""
    values = [start]
    for growth, steps in pieces:
        for _ in range(steps):
            values.append(values[-1] + growth)
    return values


def gauge(*pieces: tuple[float, int]) -> list[float]:
    """A gauge that stays so many steps at a value, one piece after the other."""
    return [value for value, steps in pieces for _ in range(steps)]


@dataclass(frozen=True)
class Case:
    """Series that begin together, and what fires.

    Attributes:
        name: What it shows.
        alert: The alert in question.
        fires: Labels of what fires at some time, without the labels of its rule.
        interval: Of samples and evaluations.
        window: The label ``long`` of a FailureBudgetBurn.
        runs: Ended runs, by workflow and outcome.
        attempts: By workflow, operation and outcome.
        operations: By workflow, operation and outcome.
        in_flight: By workflow.
        pools: Places taken, by pool.
        limits: By pool.
        lag: Looks at the loop that were late by at most that, by the bucket's bound; all are in +Inf.
        dropped: Spans lost, by reason.
    """

    name: str
    alert: str
    fires: tuple[Mapping[str, str], ...]
    interval: str = "15s"
    window: str = ""
    runs: Series = field(default_factory=dict)
    attempts: Series = field(default_factory=dict)
    operations: Series = field(default_factory=dict)
    in_flight: Series = field(default_factory=dict)
    pools: Series = field(default_factory=dict)
    limits: Series = field(default_factory=dict)
    lag: Series = field(default_factory=dict)
    dropped: Series = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Length of a step."""
        return Duration.parse(self.interval).seconds

    def console(self, definition: SloDefinition) -> list[Firing]:
        """What fires at each step, as the console says."""
        states = AlertStates(definition)
        return [self._fires(states, step) for step in range(self._steps)]

    def _fires(self, states: AlertStates, step: int) -> Firing:
        states.evaluate(1_000_000 + step * self.seconds, self._scrape(step))
        return frozenset(
            tuple(sorted((name, value) for name, value in state["labels"].items() if name != "short"))
            for state in states.states()
            if state["alert"] == self.alert
            and state["state"] == "firing"
            and state["labels"].get("long", "") == self.window
        )

    @property
    def _steps(self) -> int:
        (steps,) = {len(values) for _, _, values in self._series()}
        return steps

    def _scrape(self, step: int) -> Scrape:
        def at(series: Series) -> dict[tuple[str, ...], float]:
            return {labels: values[step] for labels, values in series.items()}

        lag = at(self.lag)
        return Scrape(
            runs=at(self.runs),
            attempts=at(self.attempts),
            operations=at(self.operations),
            in_flight=at(self.in_flight),
            pool_in_flight=at(self.pools),
            pool_limit=at(self.limits),
            lag_buckets=[lag.get((_bound(bound),), 0.0) for bound in LAG_BOUNDS],
            dropped=at(self.dropped),
        )

    def promtool(self, expected: Sequence[Firing]) -> Any:
        """A test file that wants of the rules what is expected, but within one step of where that changes."""
        last = len(expected) - 1
        changes = [step for step in range(1, last + 1) if expected[step] != expected[step - 1]]
        near = {step + offset for step in changes for offset in (-3, -2, 1, 2)} | set(range(1, last, 20))
        steady = [
            step
            for step in sorted(near)
            if 0 < step < last and expected[step - 1] == expected[step] == expected[step + 1]
        ]
        return {
            "rule_files": ["rules.yml"],
            "evaluation_interval": self.interval,
            "group_eval_order": [
                "retryscope-recording",
                "retryscope-recording-slow",
                "retryscope-alerts",
                "retryscope-alerts-slow",
            ],
            "tests": [
                {
                    "name": self.name,
                    "interval": self.interval,
                    "input_series": [
                        {
                            "series": f"{metric}{_braces(labels)}",
                            "values": " ".join(f"{v:.12g}" for v in values),
                        }
                        for metric, labels, values in self._series()
                    ],
                    "promql_expr_test": [
                        {
                            "expr": self._question(),
                            "eval_time": str(Duration.of(step * self.seconds)),
                            "exp_samples": [
                                {"labels": _braces(labels), "value": 1} for labels in expected[step]
                            ],
                        }
                        for step in steady
                    ],
                }
            ],
        }

    def _question(self) -> str:
        labels = "workflow, operation, pool, reason, long"
        chosen = f'alertname="{self.alert}", long="{self.window}", alertstate="firing"'
        return f"count by ({labels}) (ALERTS{{{chosen}}})"

    def _series(self) -> Iterable[tuple[str, Iterable[tuple[str, str]], Values]]:
        families = (
            (f"{semconv.WORKFLOW_DURATION.name}_count", ("workflow", "outcome"), self.runs),
            (f"{semconv.ATTEMPTS.name}_total", ("workflow", "operation", "outcome"), self.attempts),
            (
                f"{semconv.OPERATION_DURATION.name}_count",
                ("workflow", "operation", "outcome"),
                self.operations,
            ),
            (semconv.WORKFLOWS_IN_FLIGHT.name, ("workflow",), self.in_flight),
            (service_semconv.CONCURRENCY_IN_FLIGHT.name, ("pool",), self.pools),
            (service_semconv.CONCURRENCY_LIMIT.name, ("pool",), self.limits),
            (f"{service_semconv.EVENT_LOOP_LAG.name}_bucket", ("le",), self.lag),
            (f"{semconv.DROPPED_SPANS.name}_total", ("reason",), self.dropped),
        )
        target = (("job", "retryscope"), ("instance", "127.0.0.1:8080"))
        for metric, names, series in families:
            for labels, values in series.items():
                yield metric, (*target, *zip(names, labels, strict=True)), values


def _bound(bound: float) -> str:
    return "+Inf" if bound == LAG_BOUNDS[-1] else f"{bound:g}"


def _braces(labels: Iterable[tuple[str, str]]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"
