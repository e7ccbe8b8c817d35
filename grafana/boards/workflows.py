"""Whole workflows, inline and in the background: rate, errors, duration, error budget."""

import math

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana import navigation, thresholds, traces, variables
from grafana.colours import GREEN, ORANGE, OUTCOMES, RED
from grafana.dashboard import dashboard
from grafana.panel_kinds import PER_SECOND, Panel, below_zero, current, number, query, trend
from grafana.panels import alerts, endings
from grafana.promql import ENGINE, WORKFLOWS
from grafana.tables import Column, rows
from retryscope import semconv
from retryscope_service.slo import dashboards, recording, traceql
from retryscope_service.slo.promql import aggregated, largest, summed

DURATION = semconv.WORKFLOW_DURATION
BUDGET_STEPS = {-math.inf: RED, 0.0: ORANGE, 0.25: GREEN}
LOWEST = -1
"""A budget overspent thirty times would squeeze all others into one line."""
NO_RULES = "No recorded value: nothing ran in this window, or Prometheus has no rules file"
NO_BUDGET = f"Not known yet: counted every {recording.TILE}, by the rules file that Prometheus has to have"
STEPS = f"It moves in steps of {recording.TILE}: for what fails now look at the burn rate."
SCOPE = (traces.IN_WORKFLOWS, traceql.IS_WORKFLOW)
ABOUT = ('workflow=~"$workflow|"',)
SPENT = below_zero("spent", RED)


def build() -> Dashboard:
    """The dashboard that an SLO alert leads to."""
    sample = f"{DURATION.name}_count"
    return dashboard(
        dashboards.WORKFLOWS,
        "Workflows",
        "Do the workflows work, how fast, and how much may still fail? Start here when an alert fires.",
        variables=[variables.job(sample), variables.workflow(sample, f'workflow!="{ENGINE}"')],
        alerts=["FailureBudgetBurn", "Stalled"],
        about=ABOUT,
        rows=[
            (
                "Now",
                [
                    failures_now(),
                    rate_now(),
                    slowest_now(),
                    budget_now(),
                    running_now(),
                    alerts.number_firing(*ABOUT),
                    table("Workflows", width=13, height=9),
                    alerts.firing(*ABOUT, width=11, height=9),
                ],
            ),
            ("Rate, errors, duration", [outcomes(), failure_ratio(), duration(), heatmap()]),
            ("Error budget", [burn_rate(), budget_remaining()]),
            ("What is in flight", [in_flight()]),
            ("Traces", [failed_traces()]),
        ],
    )


def failure_ratio_of(*by: str) -> str:
    """Failed over counted workflows."""
    return endings.failure_ratio_of(WORKFLOWS, DURATION, *by)


def remaining() -> str:
    """What is left of the budget; where nothing is counted yet nobody knows, so it is not all of it.

    Below 0 it is spent, and how far below does not matter.
    """
    return f"clamp_min({WORKFLOWS.select(recording.BUDGET_REMAINING)}, {LOWEST})"


def failures_now() -> Panel:
    """Failure ratio of all chosen workflows together."""
    return number(
        "Failure ratio now",
        current(failure_ratio_of(), "failure ratio"),
        means="Of the workflows that ended now and were not cancelled, the part that failed.",
        do="If it is coloured, look in the table below which workflow it is.",
        unit="percentunit",
        steps=endings.FAILED_STEPS,
        links=[traces.explore("Failed traces", *SCOPE, traceql.FAILED)],
    )


def rate_now(height: int = 4) -> Panel:
    """Rate of all chosen workflows together."""
    return number(
        "Rate now",
        current(summed(WORKFLOWS.count(DURATION)), "rate"),
        means="Workflows that ended, a second.",
        do="If it fell to nothing while clients still ask, look at what is in flight and at the HTTP errors.",
        height=height,
        unit=PER_SECOND,
        links=[traces.explore("Traces", *SCOPE)],
    )


def slowest_now() -> Panel:
    """p95 of all chosen workflows together."""
    return number(
        "p95 now",
        current(WORKFLOWS.quantile(0.95, DURATION), "p95"),
        means="19 of 20 workflows that end now are faster than this.",
        do="If it grows, compare with the time lost waiting between attempts.",
        unit="s",
        links=[navigation.of_variables("Retries and backoff", dashboards.RETRIES, "workflow")],
    )


def budget_now(height: int = 4) -> Panel:
    """The smallest budget left."""
    return number(
        "Least budget left",
        current(aggregated("min", remaining()), "budget left"),
        means="What is left of the failures that the SLO allows in its window, of the workflow that has"
        " least; below 0 the SLO is broken. " + STEPS,
        do="Below a quarter: no risky changes. Below 0: repair before anything else.",
        unit="percentunit",
        empty=NO_BUDGET,
        unknown="unknown yet",
        words=[SPENT],
        height=height,
        steps=BUDGET_STEPS,
        links=[traces.explore("Failed traces", *SCOPE, traceql.FAILED)],
    )


def running_now() -> Panel:
    """In flight of all chosen workflows together."""
    return number(
        "In flight now",
        current(summed(WORKFLOWS.gauge(semconv.WORKFLOWS_IN_FLIGHT)), "in flight"),
        means="Workflows that have started and not ended.",
        do="If it only climbs, something hangs: look at timeouts and cancellations.",
        unit="short",
        links=[navigation.of_variables("Timeouts and cancellations", dashboards.CANCELLATIONS, "workflow")],
    )


def _columns() -> dict[str, Column]:
    """What a table says about each workflow."""
    by = ("workflow",)
    return {
        "Failed": Column(failure_ratio_of(*by), "percentunit", endings.FAILED_STEPS),
        "Ended": Column(summed(WORKFLOWS.count(DURATION), *by), PER_SECOND),
        "p95": Column(WORKFLOWS.quantile(0.95, DURATION, by=by), "s"),
        "Budget left": Column(aggregated("min", remaining(), *by), "percentunit", BUDGET_STEPS, [SPENT]),
        "In flight": Column(summed(WORKFLOWS.gauge(semconv.WORKFLOWS_IN_FLIGHT), *by), "short"),
    }


def table(title: str, *, width: int, height: int, most: int | None = None) -> Panel:
    """A row per workflow, the one that fails most first."""
    by = ("workflow",)
    return rows(
        title,
        _columns(),
        by={"workflow": "Workflow"},
        worst_by="Failed",
        means="Every workflow with what fails, what ends, how long it takes and how much may still fail; the"
        " one that fails most comes first.",
        do="Click a name to see only that workflow, its retries, its timeouts, or its failed traces.",
        width=width,
        height=height,
        most=most,
        links={
            "Workflow": [
                navigation.of_row("Only this workflow", dashboards.WORKFLOWS, *by),
                navigation.of_row("Its retries and backoff", dashboards.RETRIES, *by),
                navigation.of_row("Its timeouts and cancellations", dashboards.CANCELLATIONS, *by),
                navigation.of_row("Its background runs", dashboards.RUNS, *by),
                traces.of_row("Its failed traces", *by, conditions=(traceql.IS_WORKFLOW, traceql.FAILED)),
            ]
        },
    )


def outcomes() -> Panel:
    """Workflows that ended, by outcome."""
    return trend(
        "Workflows by outcome",
        query(summed(WORKFLOWS.count(DURATION), "outcome"), "{{outcome}}"),
        means="Workflows that ended, a second. `exhausted` gave up retrying, `timeout` ran past its"
        " deadline, `cancelled` was stopped from outside and is no failure.",
        do="When a failing colour grows, click it for its traces.",
        unit=PER_SECOND,
        colours=OUTCOMES,
        links=[traces.of_series("outcome", conditions=SCOPE)],
    )


def failure_ratio() -> Panel:
    """Failure ratio by workflow."""
    return trend(
        "Failure ratio",
        query(failure_ratio_of("workflow"), "{{workflow}}"),
        means="Workflows that ended as error, timeout or exhausted, over those that were not cancelled."
        " The dashed line is what the SLO allows in the long run.",
        do="A short peak uses little of the budget; look at the burn rate whether it matters, and at the"
        " traces for the reason.",
        unit="percentunit",
        lines={thresholds.BUDGET: ORANGE},
        links=[
            traces.of_series("workflow", conditions=(traceql.IS_WORKFLOW, traceql.FAILED), title="Failed")
        ],
    )


def duration() -> Panel:
    """Percentiles of the duration."""
    return trend(
        "Duration",
        *endings.percentiles(WORKFLOWS, DURATION),
        means="Half of the workflows are faster than p50, 99 of 100 faster than p99.",
        do="If p99 leaves p50 behind, open a diamond of the distribution beside it: attempts, waits and"
        " limits are in the trace.",
        unit="s",
        links=[traces.of_series(conditions=SCOPE)],
    )


def heatmap() -> Panel:
    """Distribution of the duration."""
    return endings.durations("Workflows", WORKFLOWS, DURATION, traces.of_series(conditions=SCOPE))


def burn_rate() -> Panel:
    """How fast the budget is used up, and where the alerts fire."""
    budget = WORKFLOWS.select(recording.WORKFLOW.budget)
    shortest = min(burn.short for burn in thresholds.BURN_RATES)
    targets = []
    for window in (shortest, *(burn.long for burn in thresholds.BURN_RATES)):
        rate = f"{WORKFLOWS.select(recording.WORKFLOW.failure_ratio(window))}\n/ on (job, workflow) {budget}"
        targets.append(query(largest(rate), f"worst of {window}"))
    return trend(
        "Burn rate",
        *targets,
        means="How many times faster than allowed the worst workflow uses up its budget, over the alerts'"
        f" long windows and the shortest one, {shortest}: at 1 it lasts as long as the SLO's window. The"
        " dashed lines are the factors at which FailureBudgetBurn fires, the highest one for the shortest"
        " long window.",
        do="Above the highest line somebody is called now; between the lower ones repair it this week. When"
        f" that of {shortest} has fallen below the highest line, the alert of that line resolves by itself.",
        unit="short",
        empty=NO_RULES,
        lines={burn.factor: RED if burn.severity == "critical" else ORANGE for burn in thresholds.BURN_RATES},
        links=[traces.explore("Failed traces", *SCOPE, traceql.FAILED)],
    )


def budget_remaining() -> Panel:
    """Error budget left, by workflow."""
    return trend(
        "Error budget left",
        query(aggregated("min", remaining(), "workflow"), "{{workflow}}"),
        means="Of the failures that the SLO allows in its window, the part that is left. " + STEPS,
        do="A slope that reaches 0 before the window ends: find the failure that costs most, first.",
        unit="percentunit",
        empty=NO_BUDGET,
        lines={0.0: RED, 0.25: ORANGE},
        bottom=None,
        links=[
            traces.of_series("workflow", conditions=(traceql.IS_WORKFLOW, traceql.FAILED), title="Failed")
        ],
    )


def in_flight() -> Panel:
    """Workflows that have started and not ended."""
    return trend(
        "In flight",
        query(summed(WORKFLOWS.gauge(semconv.WORKFLOWS_IN_FLIGHT), "workflow"), "{{workflow}}"),
        means="Workflows that have started and not ended.",
        do="A line that only climbs, or stays up while nothing ends, is stuck: Stalled fires after a while.",
        unit="short",
        width=24,
        links=[traces.of_series("workflow", conditions=(traceql.IS_WORKFLOW,))],
    )


def failed_traces() -> Panel:
    """The newest traces of workflows that failed or were cancelled."""
    return traces.search(
        "Failed and cancelled workflows",
        *SCOPE,
        traceql.FAILED_OR_CANCELLED,
        shown=(semconv.WORKFLOW, semconv.OUTCOME, semconv.ERROR_TYPE, semconv.CANCEL_CAUSE),
        means="The newest traces of workflows that failed or were cancelled, whole: all of these are kept.",
        do="Click a trace's id to see every attempt, wait, timeout and cleanup in it.",
    )
