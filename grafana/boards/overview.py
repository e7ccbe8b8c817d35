"""The first dashboard: is anything wrong, where, since when, a trace of it: in one screen of 1280 x 800."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana import thresholds, traces, variables
from grafana.boards import workflows
from grafana.dashboard import dashboard
from grafana.panel_kinds import PER_SECOND, Panel, names_below, query, trend
from grafana.panels import alerts, cancellations, operations
from grafana.panels.by_operation import BY, LEGEND
from grafana.promql import OPERATIONS, worst
from retryscope import semconv
from retryscope_service.slo import dashboards, traceql
from retryscope_service.slo.promql import FAILED, summed

ABOUT = workflows.ABOUT


def build() -> Dashboard:
    """Where somebody looks first who knows nothing yet."""
    sample = f"{semconv.OPERATION_DURATION.name}_count"
    return dashboard(
        dashboards.OVERVIEW,
        "Overview",
        "Is anything wrong, where, since when? Each name leads to its runbook, its dashboard and its traces.",
        variables=[variables.job(sample), variables.workflow(sample), variables.operation(sample)],
        alerts=thresholds.PAGING,
        about=ABOUT,
        rows=[
            (
                "",
                [
                    alerts.number_firing(*ABOUT, height=3),
                    workflows.budget_now(height=3),
                    operations.worst_failure_ratio(height=3),
                    operations.worst_amplification(height=3),
                    operations.worst_timeouts(height=3),
                    workflows.rate_now(height=3),
                    alerts.firing(*ABOUT, width=11, height=7, most=5),
                    workflows.table("Worst workflows", width=13, height=7, most=5),
                    operations.worst(width=12, height=8, most=6),
                    failures(),
                    cancellations.causes(width=6, height=8, legend=names_below()),
                ],
            ),
            ("Traces", [workflows.failed_traces()]),
        ],
    )


def failures() -> Panel:
    """Failed operations over time: since when."""
    failed = OPERATIONS.count(semconv.OPERATION_DURATION, FAILED)
    return trend(
        "Failures",
        query(worst(summed(failed, *BY), *BY, most=3), LEGEND),
        means="Operations that failed for good, a second: the three that failed most in the time range.",
        do="The time at which a line leaves 0 is since when: what was deployed, or failed elsewhere, then?",
        unit=PER_SECOND,
        width=6,
        height=8,
        legend=names_below(),
        links=[traces.of_series(*BY, conditions=(traceql.FAILED,), title="Failed traces")],
    )
