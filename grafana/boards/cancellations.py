"""Timeouts, cancellations and cleanup."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink

from grafana import thresholds, traces, variables
from grafana.colours import ORANGE, PURPLE, RED
from grafana.dashboard import dashboard
from grafana.panel_kinds import Panel, current, number
from grafana.panels import cancellations, operations
from grafana.panels.by_operation import BY
from grafana.promql import OPERATIONS
from retryscope import semconv
from retryscope_service.slo import dashboards, traceql
from retryscope_service.slo.promql import largest


def build() -> Dashboard:
    """The dashboard that TimeoutRatioHigh, CancellationSpike and Stalled lead to."""
    sample = f"{semconv.OPERATION_DURATION.name}_count"
    return dashboard(
        dashboards.CANCELLATIONS,
        "Timeouts, cancellations and cleanup",
        "What runs out of time, what is cancelled and by whom, is it cleaned up, and does anything hang?",
        variables=[variables.job(sample), variables.workflow(sample), variables.operation(sample)],
        alerts=["TimeoutRatioHigh", "CancellationSpike", "Stalled"],
        about=['workflow=~"$workflow|"', 'operation=~"$operation|"'],
        rows=[
            (
                "Now",
                [
                    operations.worst_timeouts(),
                    attempt_timeouts(),
                    cancelled(),
                    unclean(),
                    slowest_cleanup(),
                    operations.hanging(),
                ],
            ),
            ("Timeouts", [cancellations.timeout_ratio(), cancellations.attempt_timeout_ratio()]),
            (
                "Cancellations",
                [cancellations.causes(), cancellations.cancelled_runs(), cancellations.cancelled_share()],
            ),
            (
                "Cleanup, and what is in flight",
                [
                    cancellations.cleanups(),
                    cancellations.cleanup_duration(),
                    cancellations.cleanup_distribution(),
                    operations.in_flight(),
                ],
            ),
            ("Durations", [operations.duration(), operations.heatmap()]),
            ("Traces", [stopped()]),
        ],
    )


def attempt_timeouts() -> Panel:
    """Timeout ratio of attempts, together."""
    return number(
        "Attempt timeouts",
        current(largest(cancellations.attempt_timeout_ratio_of(*BY)), "worst"),
        means="Of the operation whose attempts time out most, the part that does, over those that are not"
        " cancelled; TimeoutRatioHigh looks at it.",
        do="Higher than that of the operations: retries hide a slow call.",
        unit="percentunit",
        steps={thresholds.TIMEOUT_RATIO: ORANGE, 4 * thresholds.TIMEOUT_RATIO: RED},
        links=[_ended("Timeouts", "timeout")],
    )


def cancelled() -> Panel:
    """Share of cancelled workflow runs, together."""
    return number(
        "Runs cancelled",
        current(cancellations.cancelled_runs_share_of(), "share"),
        means="Runs of workflows that someone outside stops, over all. No failures, but work thrown away;"
        " CancellationSpike looks at them workflow by workflow.",
        do="Look at the causes below.",
        unit="percentunit",
        steps={thresholds.CANCELLED_SHARE: PURPLE},
        links=[traces.explore("Cancelled", *cancellations.RUNS, traces.has(semconv.OUTCOME, "cancelled"))],
    )


def unclean() -> Panel:
    """Share of cleanups that do not complete, together."""
    return number(
        "Unclean now",
        current(cancellations.cleanup_failures_of(), "share"),
        means="Cleanups that fail or are cut off at their deadline, over all.",
        do="Each leaves something behind: open its trace and undo it.",
        unit="percentunit",
        empty="Nothing was cleaned up in this time range",
        unknown="no cleanup",
        steps={0.001: ORANGE, 0.05: RED},
        links=[
            traces.explore(
                "Cleanups that did not complete",
                *cancellations.SCOPE,
                traceql.IS_CLEANUP,
                f'span.{semconv.CLEANUP_OUTCOME} != "completed"',
            )
        ],
    )


def slowest_cleanup() -> Panel:
    """p95 of cleanups, together."""
    return number(
        "Cleanup p95 now",
        current(OPERATIONS.quantile(0.95, semconv.CLEANUP_DURATION), "p95"),
        means="19 of 20 cancelled operations need less than this to clean up.",
        do="A drain at shutdown must be longer than this (RETRYSCOPE_DRAIN_SECONDS).",
        unit="s",
        empty="Nothing was cleaned up in this time range",
        unknown="no cleanup",
        links=[traces.explore("Cleanups", *cancellations.SCOPE, traceql.IS_CLEANUP)],
    )


def stopped() -> Panel:
    """The newest traces of what timed out or was cancelled."""
    return traces.search(
        "Timed out or cancelled",
        *cancellations.SCOPE,
        traceql.NOT_ATTEMPT,
        traceql.has_outcome("timeout", "cancelled"),
        shown=(
            semconv.OPERATION,
            semconv.OUTCOME,
            semconv.CANCEL_CAUSE,
            semconv.CANCEL_REASON,
            semconv.CANCEL_LOCATION,
            semconv.TIMEOUT_LIMIT,
        ),
        means="The newest traces of operations that ran out of time or were cancelled: all of these are"
        " kept.",
        do="Click a trace's id; a cancelled span links to the span that caused it.",
    )


def _ended(title: str, outcome: str) -> DashboardLink:
    return traces.explore(title, *cancellations.SCOPE, traces.has(semconv.OUTCOME, outcome))
