"""The alerts of the console: their conditions, and what is said about them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from service.console.chart import Unit
from service.console.conditions import Conditions, Found
from service.console.observations import Observations
from service.slo.alerting import AlertRules
from service.slo.compression import Compression
from service.slo.definition import Alert, BurnRate, OperationFailureRatioHigh, SloDefinition
from service.slo.duration import Duration
from service.slo.recording import SHORT

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One alert.

    Attributes:
        name: As in the runbook.
        settings: Its part of the definition.
        find: Evaluates its condition.
        threshold: The bound for whatever has none of its own.
        unit: Of value and threshold.
        window: The longest one it looks at.
        promql: The same condition for Prometheus, where the recording rules are.
        summary: What is wrong, ``{subject}`` is to be filled in.
        anybody: The subject while it concerns nobody.
        measured: What was measured; ``{value}`` is to be filled in.
        condition: When it fires.
        labels: Those that tell it from others of its name.
    """

    name: str
    settings: Alert
    find: Callable[[], Iterable[Found]]
    threshold: float
    unit: Unit
    window: Duration | None
    promql: str
    summary: str
    anybody: str
    measured: str
    condition: str
    labels: Labels = field(default_factory=dict)

    def summarize(self, labels: Labels) -> str:
        """What is wrong, and with what."""
        return self.summary.format(subject=_subject(labels) or self.anybody)

    def describe(self, value: float | None) -> str:
        """What was measured, while the condition holds, or when it does."""
        if value is not None:
            return self.measured.format(value=shown(value, self.unit))
        held = f", for {self.settings.for_}" if self.settings.for_ > Duration(0) else ""
        return f"Fires when {self.condition}{held}."


_WORKFLOW: Final = "A workflow"
_OPERATION: Final = "an operation"


def alert_rules(definition: SloDefinition, observations: Observations) -> list[AlertRule]:
    """The alerts of a definition, in the order of the runbook."""
    conditions = Conditions(definition, observations)
    generated = AlertRules(definition, Compression())
    burns = [
        _failure_budget_burn(definition, conditions, burn, generated.failure_budget_burn(burn)["expr"])
        for burn in definition.burn_rates
    ]
    if definition.objective.operations:
        burns += [
            _operation_budget_burn(
                definition, conditions, burn, generated.operation_budget_burn(burn)["expr"]
            )
            for burn in definition.burn_rates
        ]
    promql = {rule["alert"]: rule["expr"] for rule in generated.all_but_burn_rates()}
    return burns + _others(definition, conditions, promql)


def _failure_budget_burn(
    definition: SloDefinition, conditions: Conditions, burn: BurnRate, promql: str
) -> AlertRule:
    limit = burn.factor * definition.objective.budget
    return _budget_burn(
        "FailureBudgetBurn",
        burn,
        partial(conditions.failure_budget_burn, burn),
        limit,
        promql,
        _WORKFLOW,
        f"more than {shown(limit, 'ratio')} of a workflow's runs failed, in the last {burn.long}"
        f" and in the last {burn.short}, of at least {definition.minimum_events} runs",
    )


def _operation_budget_burn(
    definition: SloDefinition, conditions: Conditions, burn: BurnRate, promql: str
) -> AlertRule:
    return _budget_burn(
        "OperationBudgetBurn",
        burn,
        partial(conditions.operation_budget_burn, burn),
        # The strictest objective: of an operation that is found it is its own.
        burn.factor * min(definition.objective.operation_budgets.values()),
        promql,
        _OPERATION.capitalize(),
        f"an operation that has an objective failed more than {burn.factor:g} times as often as its budget"
        f" allows, in the last {burn.long} and in the last {burn.short}, of at least"
        f" {definition.minimum_events} times",
    )


def _budget_burn(
    name: str,
    burn: BurnRate,
    find: Callable[[], Iterable[Found]],
    threshold: float,
    promql: str,
    anybody: str,
    condition: str,
) -> AlertRule:
    return AlertRule(
        name=name,
        settings=burn,
        find=find,
        threshold=threshold,
        unit="ratio",
        window=burn.long,
        promql=promql,
        summary=f"{{subject}} burns its failure budget at {burn.factor:g} times the sustainable rate or"
        " faster.",
        anybody=anybody,
        measured=f"{{value}} of its runs in the last {burn.long} failed, and the last {burn.short} are above"
        " the limit too.",
        condition=condition,
        labels={"long": str(burn.long), "short": str(burn.short)},
    )


def _others(definition: SloDefinition, conditions: Conditions, promql: Mapping[str, str]) -> list[AlertRule]:
    alerts, minimum = definition.alerts, definition.minimum_events
    stalled, down, timeouts = alerts.stalled, alerts.service_down, alerts.timeout_ratio_high
    storm, saturated, lag = alerts.retry_storm, alerts.concurrency_saturated, alerts.event_loop_lag_high
    spike, dropped = alerts.cancellation_spike, alerts.telemetry_dropped
    failures = alerts.operation_failure_ratio_high
    return [
        AlertRule(
            name="Stalled",
            settings=stalled,
            find=conditions.stalled,
            threshold=0.0,
            unit="count",
            window=stalled.window,
            promql=promql["Stalled"],
            summary="{subject} does not finish any run.",
            anybody=_WORKFLOW,
            measured=f"None has ended in {stalled.window}, though {{value}} or more were in flight all the"
            " time.",
            condition=f"a workflow had runs in flight all the time, and none ended in {stalled.window}",
        ),
        AlertRule(
            name="ServiceDown",
            settings=down,
            find=tuple,  # what evaluates it here is up
            threshold=0.0,
            unit="count",
            window=None,
            promql=promql["ServiceDown"],
            summary="{subject} is down.",
            anybody="The service",
            measured="",
            condition="Prometheus does not reach this service; as long as you read this here, it is up",
        ),
        AlertRule(
            name="OperationFailureRatioHigh",
            settings=failures,
            find=conditions.operation_failure_ratio_high,
            threshold=failures.threshold,
            unit="ratio",
            window=failures.window,
            promql=promql["OperationFailureRatioHigh"],
            summary="{subject} fails.",
            anybody=_OPERATION.capitalize(),
            measured=f"{{value}} of it in the last {failures.window} failed for good; the runs that catch"
            " this look like successes.",
            condition=f"more than {_bounds(failures)} of an operation failed for good in the last"
            f" {failures.window}, of at least {minimum} times",
        ),
        AlertRule(
            name="TimeoutRatioHigh",
            settings=timeouts,
            find=conditions.timeout_ratio_high,
            threshold=timeouts.threshold,
            unit="ratio",
            window=timeouts.window,
            promql=promql["TimeoutRatioHigh"],
            summary="{subject} times out.",
            anybody=_OPERATION.capitalize(),
            measured=f"{{value}} of attempts in the last {timeouts.window} hit their limit.",
            condition=f"more than {shown(timeouts.threshold, 'ratio')} of an operation's attempts in the last"
            f" {timeouts.window} hit their limit, of at least {minimum}",
        ),
        AlertRule(
            name="RetryStorm",
            settings=storm,
            find=conditions.retry_storm,
            threshold=storm.threshold,
            unit="count",
            window=SHORT,
            promql=promql["RetryStorm"],
            summary="Retries multiply {subject}.",
            anybody=_OPERATION,
            measured="{value} attempts per operation: what it calls fails, and gets more load for it.",
            condition=f"an operation took more than {storm.threshold:g} attempts on average in the last"
            f" {SHORT}, when it ended at least {minimum} times",
        ),
        AlertRule(
            name="ConcurrencySaturated",
            settings=saturated,
            find=conditions.concurrency_saturated,
            threshold=saturated.threshold,
            unit="ratio",
            window=saturated.window,
            promql=promql["ConcurrencySaturated"],
            summary="{subject} is nearly full.",
            anybody="A pool",
            measured=f"{{value}} of its limit were taken on average in the last {saturated.window}; beyond it"
            " runs are refused or wait.",
            condition=f"more than {shown(saturated.threshold, 'ratio')} of a pool were taken on average in"
            f" the last {saturated.window}",
        ),
        AlertRule(
            name="EventLoopLagHigh",
            settings=lag,
            find=conditions.event_loop_lag_high,
            threshold=lag.threshold,
            unit="s",
            window=lag.window,
            promql=promql["EventLoopLagHigh"],
            summary="{subject} lags.",
            anybody="The event loop",
            measured=f"At the quantile {lag.quantile:g} it wakes its tasks {{value}} late: something blocks"
            " it.",
            condition=f"the event loop was more than {shown(lag.threshold, 's')} late, at the quantile"
            f" {lag.quantile:g} of the last {lag.window}",
        ),
        AlertRule(
            name="CancellationSpike",
            settings=spike,
            find=conditions.cancellation_spike,
            threshold=spike.threshold,
            unit="ratio",
            window=spike.window,
            promql=promql["CancellationSpike"],
            summary="Runs of {subject} are cancelled.",
            anybody="a workflow",
            measured=f"{{value}} of those that ended in the last {spike.window} were cancelled.",
            condition=f"more than {shown(spike.threshold, 'ratio')} of a workflow's runs that ended in the"
            f" last {spike.window} were cancelled, of at least {minimum}",
        ),
        AlertRule(
            name="TelemetryDropped",
            settings=dropped,
            find=conditions.telemetry_dropped,
            threshold=float(dropped.threshold),
            unit="count",
            window=dropped.window,
            promql=promql["TelemetryDropped"],
            summary="Spans are lost{subject}.",
            anybody="",
            measured=f"About {{value}} of them in the last {dropped.window}; traces are incomplete.",
            condition=f"more than {dropped.threshold} spans are lost within {dropped.window}",
        ),
    ]


def _bounds(alert: OperationFailureRatioHigh) -> str:
    own = (f"{shown(bound, 'ratio')} of {name}" for name, bound in alert.operations.items())
    others = f" ({', '.join(own)})" if alert.operations else ""
    return f"{shown(alert.threshold, 'ratio')}{others}"


def _subject(labels: Labels) -> str:
    """Whom an alert concerns."""
    match labels:
        case {"operation": operation, "workflow": workflow}:
            return f"{operation} ({workflow})"
        case {"workflow": workflow}:
            return f"Workflow {workflow}"
        case {"pool": pool}:
            return f"Pool {pool}"
        case {"reason": reason}:
            return f": {reason}"
    return ""


def shown(value: float, unit: Unit) -> str:
    """A value as people read it.

    >>> shown(0.144, "ratio"), shown(0.25, "s"), shown(2.875, "count")
    ('14.4 %', '0.25 s', '2.88')
    """
    match unit:
        case "ratio":
            return f"{value * 100:.3g} %"
        case "s":
            return f"{value:.3g} s"
    return f"{value:.3g}"
