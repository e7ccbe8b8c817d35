"""FailureBudgetBurn and OperationBudgetBurn: an objective is in danger."""

from collections.abc import Callable, Iterator, Mapping

from retryscope.outcome import COUNTED, FAILED
from retryscope_service.slo import dashboards, recording
from retryscope_service.slo.alerts.alert import OPERATION, WORKFLOW, Alert, Subject, shown
from retryscope_service.slo.alerts.counted import PROMISED, RUNS, Counted
from retryscope_service.slo.alerts.evaluation import Evaluation, compared, too_few
from retryscope_service.slo.alerts.measured import Measured
from retryscope_service.slo.compression import Compression
from retryscope_service.slo.definition import BurnRate, SloDefinition
from retryscope_service.slo.promql import JOB_WORKFLOW, JOB_WORKFLOW_OPERATION, lines


def failure_budget_burn(definition: SloDefinition, burn: BurnRate) -> Alert:
    """The failure ratio of a workflow burns its budget at the factor or faster, in both windows."""
    objective, minimum = definition.objective, definition.minimum_events
    limit = burn.factor * objective.budget
    budgets = objective.workflow_budgets
    return _budget_burn(
        name="FailureBudgetBurn",
        burn=burn,
        subject=WORKFLOW,
        condition=f"more than {shown(limit, 'ratio')} of a workflow's runs failed, in the last {burn.long}"
        f" and in the last {burn.short}, of at least {minimum} runs",
        threshold=limit,
        dashboard=dashboards.link(dashboards.WORKFLOWS, *JOB_WORKFLOW),
        level=recording.WORKFLOW,
        counted=RUNS,
        budget_of=lambda labels: budgets.get(labels["workflow"], objective.budget),
        minimum=minimum,
    )


def operation_budget_burn(definition: SloDefinition, burn: BurnRate) -> Alert:
    """The same of an operation that has an objective."""
    budgets, minimum = definition.objective.operation_budgets, definition.minimum_events
    return _budget_burn(
        name="OperationBudgetBurn",
        burn=burn,
        subject=OPERATION,
        condition=f"an operation that has an objective failed more than {burn.factor:g} times as often as its"
        f" budget allows, in the last {burn.long} and in the last {burn.short}, of at least {minimum} times",
        # The strictest objective: an operation that is evaluated is compared with its own.
        threshold=burn.factor * min(budgets.values()),
        dashboard=dashboards.link(dashboards.LIBRARY, *JOB_WORKFLOW_OPERATION),
        level=recording.OPERATION,
        counted=PROMISED,
        budget_of=lambda labels: budgets[labels["operation"]],
        minimum=minimum,
    )


def _budget_burn(
    *,
    name: str,
    burn: BurnRate,
    subject: Subject,
    condition: str,
    threshold: float,
    dashboard: str,
    level: recording.Level,
    counted: Counted,
    budget_of: Callable[[Mapping[str, str]], float],
    minimum: int,
) -> Alert:
    def promql(compression: Compression) -> str:
        limit = f"{burn.factor:.12g} * {level.budget}"
        ended = counted.over("increase", compression.window(burn.long), COUNTED)
        return lines(
            f"{level.failure_ratio(burn.long)} > {limit}",
            "and",
            f"{level.failure_ratio(burn.short)} > {limit}",
            "and",
            f"{ended} >= {minimum}",
        )

    def value(measured: Measured) -> Iterator[Evaluation]:
        for group in counted.groups(measured):
            limit = burn.factor * budget_of(group.labels)
            long, short = (group.share(window, FAILED, COUNTED) for window in (burn.long, burn.short))
            if long is not None:
                lacks = too_few(group.increase(burn.long, COUNTED), minimum, burn.long)
                if lacks is None and not (short is not None and short > limit):
                    lacks = f"in the last {burn.short} it is not above it"
                yield compared(group.labels, long, limit, lacks)

    return Alert(
        name=name,
        settings=burn,
        subject=subject,
        summary=f"{{subject}} burns its failure budget at {burn.factor:g} times the sustainable rate or"
        " faster.",
        description=f"{{value}} of its runs in the last {burn.long} failed, and the last {burn.short} are"
        " above the limit too.",
        condition=condition,
        unit="ratio",
        threshold=threshold,
        window=burn.long,
        dashboard=dashboard,
        promql=promql,
        value=value,
        labels={"long": str(burn.long), "short": str(burn.short)},
    )
