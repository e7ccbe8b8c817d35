"""Recording rules: the ratios that alerts compare with their thresholds and dashboards draw.

Names follow Prometheus's convention level:metric:operations. A name keeps its window also where windows are
compressed, so that whoever reads it finds it.
"""

from typing import Any

from service.slo.compression import Compression
from service.slo.definition import SloDefinition
from service.slo.duration import Duration
from service.slo.promql import (
    ATTEMPTS,
    COUNTED,
    FAILED,
    JOB_WORKFLOW,
    JOB_WORKFLOW_OPERATION,
    OPERATIONS,
    WORKFLOW_RUNS,
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

RUNS = f"job_workflow:resilience_workflow_runs:increase{TILE}"
FAILURES = f"job_workflow:resilience_workflow_failures:increase{TILE}"
BUDGET = "job_workflow:resilience_failure_budget:ratio"
BUDGET_REMAINING = "job_workflow:resilience_failure_budget_remaining:ratio"
ATTEMPTS_PER_OPERATION = f"job_workflow_operation:resilience_attempts_per_operation:ratio_rate{SHORT}"

Rule = dict[str, Any]


def failure_ratio(window: Duration) -> str:
    """Name of the recorded failure ratio over a window."""
    return f"job_workflow:resilience_workflow_failures:ratio_rate{window}"


def failure_ratio_rule(window: Duration, compression: Compression) -> Rule:
    """Failed runs as a share of those that count."""
    compressed = str(compression.window(window))
    failed = summed(over("rate", WORKFLOW_RUNS, compressed, FAILED), *JOB_WORKFLOW)
    counted = summed(over("rate", WORKFLOW_RUNS, compressed, COUNTED), *JOB_WORKFLOW)
    return {"record": failure_ratio(window), "expr": share(failed, counted)}


def budget_rule(definition: SloDefinition) -> Rule:
    """The share of runs that may fail, for each workflow that exists."""
    own = definition.objective.workflow_budgets
    others = [f"workflow!={quoted(workflow)}" for workflow in own]
    budgets = [(definition.objective.budget, others)]
    budgets += [(budget, [f"workflow={quoted(workflow)}"]) for workflow, budget in own.items()]
    each = (
        f"group by ({', '.join(JOB_WORKFLOW)}) ({selector(WORKFLOW_RUNS, *matchers)}) * {budget:.12g}"
        for budget, matchers in budgets
    )
    return {"record": BUDGET, "expr": "\nor\n".join(each)}


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
        "expr": lines("1 -", f"{failed} / ({runs} > 0)", f"/ {BUDGET}"),
    }


def attempts_per_operation_rule(compression: Compression) -> Rule:
    """By how much retries multiply the load on what is called."""
    window = str(compression.window(SHORT))
    attempts = summed(over("rate", ATTEMPTS, window), *JOB_WORKFLOW_OPERATION)
    operations = summed(over("rate", OPERATIONS, window), *JOB_WORKFLOW_OPERATION)
    return {"record": ATTEMPTS_PER_OPERATION, "expr": lines(attempts, f"/ ({operations} > 0)")}
