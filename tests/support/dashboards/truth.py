"""What panels must show, from the counts of the service itself."""

from tests.support.process import Service

OPERATION = {"workflow": "retry", "operation": "flaky_api_call"}
ENDED, ATTEMPTS = "resilience_operation_duration_seconds_count", "resilience_attempts_total"
RUNS_ENDED = "resilience_workflow_duration_seconds_count"


def counted(service: Service, name: str, *outcomes: str, **labels: str) -> float:
    """What the service itself has counted, of some outcomes or of all."""
    if not outcomes:
        return service.metric(name, **labels)
    return sum(service.metric(name, outcome=outcome, **labels) for outcome in outcomes)


def truths(service: Service) -> dict[str, float]:
    """The answers that the panels of the library's dashboard must give for one operation."""

    def count(name: str, *outcomes: str) -> float:
        return counted(service, name, *outcomes, **OPERATION)

    ended = count(ENDED)
    not_cancelled = ended - count(ENDED, "cancelled")
    successes = count("resilience_operation_attempts_count", "success")
    return {
        "Failure ratio": count(ENDED, "error", "timeout", "exhausted") / not_cancelled,
        "Amplification": count(ATTEMPTS) / ended,
        "Attempts per success": count("resilience_operation_attempts_sum", "success") / successes,
        "Share of time lost waiting": count("resilience_backoff_duration_seconds_sum")
        / count("resilience_operation_duration_seconds_sum"),
        "Exhausted retries": count("resilience_retry_giveups_total") / ended,
    }
