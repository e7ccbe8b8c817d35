"""Timeouts, cancellations and cleanup."""

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink

from grafana import navigation, thresholds, traces, variables
from grafana.colours import ORANGE, PURPLE, RED
from grafana.dashboard import dashboard
from grafana.panels import Panel, number, query
from grafana.promql import OPERATIONS
from grafana.questions import cancellations, operations
from instrumentation import semconv
from service.slo.promql import summed


def build() -> Dashboard:
    """The dashboard that TimeoutRatioHigh, CancellationSpike and Stalled lead to."""
    sample = f"{semconv.OPERATION_DURATION.name}_count"
    return dashboard(
        navigation.CANCELLATIONS,
        "Timeouts, cancellations and cleanup",
        "What runs out of time, what is cancelled and by whom, is it cleaned up, and does anything hang?",
        variables=[variables.job(sample), variables.workflow(sample), variables.operation(sample)],
        alerts=['workflow=~"$workflow|"', 'operation=~"$operation|"'],
        rows=[
            ("Now", [timeouts(), attempt_timeouts(), cancelled(), unclean(), slowest_cleanup(), running()]),
            ("Timeouts", [cancellations.timeout_ratio(), cancellations.attempt_timeout_ratio()]),
            (
                "Cancellations",
                [cancellations.cancelled_runs(), cancellations.causes(), cancellations.cancelled_share()],
            ),
            ("Cleanup", [cancellations.cleanups(), cancellations.cleanup_duration()]),
            ("In flight", [operations.in_flight(), operations.duration()]),
            ("Traces", [stopped()]),
        ],
    )


def timeouts() -> Panel:
    """Timeout ratio of operations, together."""
    return number(
        "Operations timing out now",
        query(cancellations.timeout_ratio_of(), "share"),
        means="Operations that reach their own limit, over those that are not cancelled.",
        do="Look below which operation it is, and compare its limit with its p99.",
        unit="percentunit",
        steps={0.01: ORANGE, 0.05: RED},
        links=[_ended("Timeouts", "timeout")],
    )


def attempt_timeouts() -> Panel:
    """Timeout ratio of attempts, together."""
    return number(
        "Attempts timing out now",
        query(cancellations.attempt_timeout_ratio_of(), "share"),
        means="Attempts that reach their own limit, over those that are not cancelled; TimeoutRatioHigh"
        " looks at them operation by operation.",
        do="Higher than that of the operations: retries hide a slow call.",
        unit="percentunit",
        steps={thresholds.TIMEOUT_RATIO: ORANGE, 4 * thresholds.TIMEOUT_RATIO: RED},
        links=[_ended("Timeouts", "timeout")],
    )


def cancelled() -> Panel:
    """Share of cancelled workflow runs, together."""
    return number(
        "Runs cancelled now",
        query(cancellations.cancelled_runs_share_of(), "share"),
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
        "Cleanups not completed now",
        query(cancellations.cleanup_failures_of(), "share"),
        means="Cleanups that fail or are cut off at their deadline, over all.",
        do="Each leaves something behind: open its trace and undo it.",
        unit="percentunit",
        empty="Nothing was cleaned up in this time range",
        steps={0.001: ORANGE, 0.05: RED},
        links=[traces.explore("Cleanups", *cancellations.SCOPE, cancellations.CLEANUP)],
    )


def slowest_cleanup() -> Panel:
    """p95 of cleanups, together."""
    return number(
        "Cleanup p95 now",
        query(OPERATIONS.quantile(0.95, semconv.CLEANUP_DURATION), "p95"),
        means="19 of 20 cancelled operations need less than this to clean up.",
        do="A drain at shutdown must be longer than this (RETRYSCOPE_DRAIN_SECONDS).",
        unit="s",
        empty="Nothing was cleaned up in this time range",
        links=[traces.explore("Cleanups", *cancellations.SCOPE, cancellations.CLEANUP)],
    )


def running() -> Panel:
    """In flight, together."""
    return number(
        "In flight now",
        query(summed(OPERATIONS.gauge(semconv.OPERATIONS_IN_FLIGHT)), "in flight"),
        means="Operations that have started and not ended.",
        do="If it only climbs, something hangs: it has no timeout.",
        unit="short",
        links=[traces.explore("Traces", *cancellations.SCOPE)],
    )


def stopped() -> Panel:
    """The newest traces of what timed out or was cancelled."""
    return traces.search(
        "Timed out or cancelled",
        *cancellations.SCOPE,
        f'span.{semconv.OUTCOME} =~ "timeout|cancelled"',
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
