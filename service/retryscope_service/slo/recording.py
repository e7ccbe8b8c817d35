"""Recording rules: the ratios that alerts compare with their thresholds and dashboards draw.

Names follow Prometheus's convention level:metric:operations. A name keeps its window also where windows are
compressed, so that whoever reads it finds it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from retryscope_service.slo.compression import Compression
from retryscope_service.slo.definition import SloDefinition
from retryscope_service.slo.duration import Duration
from retryscope_service.slo.promql import (
    ATTEMPTS,
    COUNTED,
    FAILED,
    JOB_WORKFLOW,
    JOB_WORKFLOW_OPERATION,
    OPERATIONS,
    WORKFLOW_RUNS,
    Labels,
    lines,
    over,
    quoted,
    selector,
    share,
    summed,
)

SHORT = Duration.parse("5m")
"""Window of the recorded attempts per operation."""
TILE = Duration.parse("15m")
"""Window of the counts that the rest of the budget is summed up from, and so the steps in which it moves."""


@dataclass(frozen=True, slots=True)
class Level:
    """Whose failures are counted.

    Attributes:
        kind: The label that names it.
        by: The labels that tell it from others.
        ended: The counter of how often it ended, by outcome.
    """

    kind: str
    by: Labels
    ended: str

    @property
    def budget(self) -> str:
        """Name of the recorded share that may fail."""
        return f"{'_'.join(self.by)}:resilience_failure_budget:ratio"

    def failure_ratio(self, window: Duration) -> str:
        """Name of the recorded failure ratio over a window."""
        return f"{'_'.join(self.by)}:resilience_{self.kind}_failures:ratio_rate{window}"


WORKFLOW: Final = Level("workflow", JOB_WORKFLOW, WORKFLOW_RUNS)
OPERATION: Final = Level("operation", JOB_WORKFLOW_OPERATION, OPERATIONS)

RUNS = f"job_workflow:resilience_workflow_runs:increase{TILE}"
FAILURES = f"job_workflow:resilience_workflow_failures:increase{TILE}"
BUDGET_REMAINING = "job_workflow:resilience_failure_budget_remaining:ratio"
OPERATION_FAILURE_BOUND = "job_workflow_operation:resilience_operation_failures_bound:ratio"
ATTEMPTS_PER_OPERATION = f"job_workflow_operation:resilience_attempts_per_operation:ratio_rate{SHORT}"

Rule = dict[str, Any]


def failure_ratio_rule(window: Duration, compression: Compression) -> Rule:
    """Failed runs as a share of those that count."""
    return _failure_ratio_rule(WORKFLOW, window, compression)


def operation_failure_ratio_rule(
    definition: SloDefinition, window: Duration, compression: Compression
) -> Rule:
    """Failed executions as a share of those that count, of the operations that have an objective."""
    return _failure_ratio_rule(OPERATION, window, compression, one_of(definition.objective.operations))


def _failure_ratio_rule(level: Level, window: Duration, compression: Compression, *matchers: str) -> Rule:
    compressed = str(compression.window(window))
    failed = summed(over("rate", level.ended, compressed, *matchers, FAILED), *level.by)
    counted = summed(over("rate", level.ended, compressed, *matchers, COUNTED), *level.by)
    return {"record": level.failure_ratio(window), "expr": share(failed, counted)}


def budget_rule(definition: SloDefinition) -> Rule:
    """The share of runs that may fail, for each workflow that exists."""
    objective = definition.objective
    return _bound_rule(WORKFLOW.budget, WORKFLOW, objective.workflow_budgets, objective.budget)


def operation_budget_rule(definition: SloDefinition) -> Rule:
    """The share of executions that may fail, for each operation that has an objective."""
    return _bound_rule(OPERATION.budget, OPERATION, definition.objective.operation_budgets)


def operation_failure_bound_rule(definition: SloDefinition) -> Rule:
    """The failure ratio above which an operation is reported, for each one that exists."""
    alert = definition.alerts.operation_failure_ratio_high
    return _bound_rule(OPERATION_FAILURE_BOUND, OPERATION, alert.operations, alert.threshold)


def _bound_rule(name: str, level: Level, own: Mapping[str, float], others: float | None = None) -> Rule:
    """A number for each that exists: its own, or that of all others, which without one have none."""
    bounds = [(bound, [f"{level.kind}={quoted(each)}"]) for each, bound in own.items()]
    if others is not None:
        bounds.append((others, []))  # `or` takes it for those only that have no bound so far
    each = (
        f"group by ({', '.join(level.by)}) ({selector(level.ended, *matchers)}) * {bound:.12g}"
        for bound, matchers in bounds
    )
    return {"record": name, "expr": "\nor\n".join(each)}


def one_of(operations: Mapping[str, float]) -> str:
    """The matcher of operations by their names."""
    return f"operation=~{quoted('|'.join(map(re.escape, operations)))}"


def tile_rules(compression: Compression) -> list[Rule]:
    """Runs and failed runs, counted in tiles that the budget is summed up from."""
    tile = str(compression.window(TILE))
    runs = summed(over("increase", WORKFLOW_RUNS, tile, COUNTED), *JOB_WORKFLOW)
    failures = summed(over("increase", WORKFLOW_RUNS, tile, FAILED), *JOB_WORKFLOW)
    return [
        {"record": RUNS, "expr": runs},
        {"record": FAILURES, "expr": lines(failures, "or", f"{RUNS} * 0")},
    ]


def budget_remaining_rule(definition: SloDefinition, compression: Compression) -> Rule:
    """What is left of the budget of the objective's window, as a share of it; negative when it is overspent.

    All runs of the window count alike, so a busy hour weighs more than a quiet one, unlike in an average of
    ratios. `increase(...[30d])` of the counters would say the same, but read each sample of each series of 30
    days; the tiles are one series per workflow, and one sample of each tile is read.
    """
    window = f"{compression.window(definition.objective.window)}:{compression.window(TILE)}"
    failed, runs = (over("sum_over_time", name, window) for name in (FAILURES, RUNS))
    return {
        "record": BUDGET_REMAINING,
        "expr": lines("1 -", f"{failed} / ({runs} > 0)", f"/ {WORKFLOW.budget}"),
    }


def attempts_per_operation_rule(compression: Compression) -> Rule:
    """By how much retries multiply the load on what is called."""
    window = str(compression.window(SHORT))
    attempts = summed(over("rate", ATTEMPTS, window), *JOB_WORKFLOW_OPERATION)
    operations = summed(over("rate", OPERATIONS, window), *JOB_WORKFLOW_OPERATION)
    return {"record": ATTEMPTS_PER_OPERATION, "expr": lines(attempts, f"/ ({operations} > 0)")}
