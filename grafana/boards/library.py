"""All that the library records, of any service that uses it."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana import traces, variables
from grafana.dashboard import dashboard
from grafana.panel_kinds import Panel
from grafana.panels import cancellations, operations, retries, telemetry
from grafana.promql import JOB
from retryscope import semconv
from retryscope_service.slo import dashboards, traceql


def build() -> Dashboard:
    """Needs nothing but the library's own metrics."""
    sample = f"{semconv.OPERATION_DURATION.name}_count"
    return dashboard(
        dashboards.LIBRARY,
        "Library: operations",
        "Every operation of any service that uses the library: rate, errors, duration, retries, timeouts,"
        " cancellations, cleanup.",
        variables=[variables.job(sample), variables.workflow(sample), variables.operation(sample)],
        alerts=["OperationFailureRatioHigh", "OperationBudgetBurn", "RetryStorm", "TimeoutRatioHigh"],
        about=['workflow=~"$workflow|"', 'operation=~"$operation|"'],
        rows=[
            (
                "Now",
                [
                    operations.worst_failure_ratio(),
                    operations.worst_amplification(),
                    operations.worst_timeouts(),
                    operations.rate_now(),
                    operations.slowest_now(),
                    operations.in_flight_now(),
                    operations.table(),
                ],
            ),
            (
                "Rate, errors, duration",
                [
                    operations.outcomes(),
                    operations.failure_ratio(),
                    operations.duration(),
                    operations.heatmap(),
                ],
            ),
            (
                "Retries",
                [
                    retries.amplification(),
                    retries.attempts_per_success(),
                    retries.waiting_share(),
                    retries.exhausted_share(),
                    retries.errors(),
                    retries.giveups(),
                ],
            ),
            (
                "Timeouts, cancellations, cleanup",
                [
                    cancellations.timeout_ratio(),
                    cancellations.attempt_timeout_ratio(),
                    cancellations.causes(),
                    cancellations.cleanup_duration(),
                ],
            ),
            (
                "In flight, and what is missing here",
                [operations.in_flight(height=telemetry.HEIGHT), telemetry.losses(JOB)],
            ),
            ("Traces", [failed_traces()]),
        ],
    )


def failed_traces() -> Panel:
    """The newest traces of operations that failed."""
    return traces.search(
        "Failed operations",
        traces.IN_WORKFLOWS,
        traces.IN_OPERATIONS,
        traceql.NOT_ATTEMPT,
        traceql.FAILED,
        shown=(semconv.OPERATION, semconv.OUTCOME, semconv.ERROR_TYPE, semconv.RETRY_ATTEMPTS),
        means="The newest traces in which an operation failed for good.",
        do="Click a trace's id to see every attempt, wait, timeout and cleanup in it.",
    )
