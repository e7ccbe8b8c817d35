"""What retrying costs and what it repairs."""

from grafana import thresholds, traces
from grafana.colours import GIVEUP_REASONS, OUTCOMES
from grafana.panel_kinds import PER_SECOND, Panel, distribution, query, trend
from grafana.panels.by_operation import BY, worst_operations
from grafana.promql import OPERATIONS, mean
from retryscope import semconv
from retryscope_service.slo import traceql
from retryscope_service.slo.promql import FAILED_ATTEMPTS, share, summed

NO_SUCCESS = "No operation succeeded in this time range"
SCOPE = (traces.IN_WORKFLOWS, traces.IN_OPERATIONS)


def amplification_of(*by: str) -> str:
    """Attempts over operations."""
    attempts = summed(OPERATIONS.counter(semconv.ATTEMPTS), *by)
    return mean(attempts, summed(OPERATIONS.count(semconv.OPERATION_DURATION), *by))


def attempts_per_success_of(*by: str) -> str:
    """Attempts of the operations that succeeded over their number."""
    success, metric = 'outcome="success"', semconv.OPERATION_ATTEMPTS
    return mean(
        summed(OPERATIONS.total(metric, success), *by), summed(OPERATIONS.count(metric, success), *by)
    )


def waiting_share_of(*by: str) -> str:
    """Time in backoff over time of operations."""
    waited = summed(OPERATIONS.total(semconv.BACKOFF_DURATION), *by)
    return share(waited, summed(OPERATIONS.total(semconv.OPERATION_DURATION), *by))


def exhausted_share_of(*by: str) -> str:
    """Operations whose retry gave up, over all that ended."""
    giveups = summed(OPERATIONS.counter(semconv.RETRY_GIVEUPS), *by)
    return share(giveups, summed(OPERATIONS.count(semconv.OPERATION_DURATION), *by))


def amplification() -> Panel:
    """Attempts per operation."""
    return trend(
        "Amplification",
        worst_operations(amplification_of(*BY)),
        means="Attempts per operation: 1 is no retry at all, 3 is three times the load on whoever is"
        " called. The dashed line is where RetryStorm fires.",
        do="If it climbs with the failures, retries feed the fire: give the policy a budget, a longer"
        " delay or fewer attempts.",
        unit="short",
        lines={thresholds.AMPLIFICATION: "orange"},
        links=[traces.of_series(*BY)],
    )


def attempts_per_success() -> Panel:
    """Mean attempts of what succeeded."""
    return trend(
        "Attempts per success",
        worst_operations(attempts_per_success_of(*BY)),
        means="Attempts that a successful operation took, on average.",
        do="Above 1.5 the first attempt fails too often to be called a retry of exceptions: repair what is"
        " called. No value: none succeeded.",
        unit="short",
        empty=NO_SUCCESS,
        links=[traces.of_series(*BY, conditions=(traces.has(semconv.OUTCOME, "success"),))],
    )


def attempts_needed() -> Panel:
    """Distribution of attempts per operation."""
    metric = semconv.OPERATION_ATTEMPTS
    return distribution(
        "Attempts needed",
        summed(OPERATIONS.buckets(metric), "le"),
        means="Operations a second by the attempts that they took, whatever came of them.",
        do="A band at the policy's most attempts means that it gives up: more attempts rarely help, a"
        " longer delay may.",
        unit="short",
        links=[traces.of_series(conditions=SCOPE)],
    )


def waiting_share() -> Panel:
    """Share of time lost waiting."""
    return trend(
        "Share of time lost waiting",
        worst_operations(waiting_share_of(*BY)),
        means="Of the time that operations took, the part that was spent asleep between attempts.",
        do="Where it is most of the time, shorten the delays or fail early: the caller waits for nothing.",
        unit="percentunit",
        links=[traces.of_series(*BY)],
    )


def backoff() -> Panel:
    """How long the waits are."""
    return trend(
        "Backoff",
        query(OPERATIONS.quantile(0.5, semconv.BACKOFF_DURATION), "p50"),
        query(OPERATIONS.quantile(0.95, semconv.BACKOFF_DURATION), "p95"),
        means="Length of one wait between two attempts, as it really was, also when it was interrupted.",
        do="Compare with the policy's delays; a p95 at its greatest delay means that operations often"
        " reach their last attempts.",
        unit="s",
        empty="Nothing was retried in this time range",
        links=[traces.of_series(conditions=(*SCOPE, traceql.IS_BACKOFF))],
    )


def attempts() -> Panel:
    """Attempts by outcome."""
    return trend(
        "Attempts by outcome",
        query(summed(OPERATIONS.counter(semconv.ATTEMPTS), "outcome"), "{{outcome}}"),
        means="Attempts a second, live also during long retry loops.",
        do="Click a failing colour for its traces, and compare with the operations: what a retry repaired"
        " is only here.",
        unit=PER_SECOND,
        colours=OUTCOMES,
        links=[
            traces.of_series("outcome", conditions=(*SCOPE, traceql.IS_ATTEMPT), title="Attempts in traces")
        ],
    )


def attempt_duration() -> Panel:
    """How long one attempt takes."""
    duration = OPERATIONS.quantile(0.99, semconv.ATTEMPT_DURATION, by=("outcome",))
    return trend(
        "Attempt duration, p99",
        query(duration, "{{outcome}}"),
        means="How long the slowest 1 % of the attempts took at least, by outcome, waits left out.",
        do="An attempt's timeout belongs a little above the p99 of the successes: below it, it makes failures"
        " of answers that would have come; far above it, every failure costs the whole wait.",
        unit="s",
        width=24,
        empty="Nothing was tried in this time range",
        colours=OUTCOMES,
        links=[
            traces.of_series("outcome", conditions=(*SCOPE, traceql.IS_ATTEMPT), title="Attempts in traces")
        ],
    )


def errors() -> Panel:
    """Failed attempts by the type of the error."""
    failed = OPERATIONS.counter(semconv.ATTEMPTS, FAILED_ATTEMPTS)
    return trend(
        "Failed attempts by error",
        query(summed(failed, "error_type"), "{{error_type}}"),
        means="What attempts failed of: the class of the error, `timeout` for an attempt's own limit,"
        " `_OTHER` beyond 8 types.",
        do="One new class after a deploy is a bug; many of the network are the other side. A class that no"
        " retry can repair belongs on the policy's list of not retryable ones.",
        unit=PER_SECOND,
        links=[traces.of_series("error_type", conditions=(*SCOPE, traceql.IS_ATTEMPT))],
    )


def giveups() -> Panel:
    """Retries that gave up, by reason."""
    return trend(
        "Give-ups by reason",
        query(summed(OPERATIONS.counter(semconv.RETRY_GIVEUPS), "reason"), "{{reason}}"),
        means="Retries that stopped trying, a second: out of attempts, past the deadline, out of retry"
        " budget, or an error that is not retryable.",
        do="max_attempts: repair what is called. deadline: the delays do not fit into it. budget: the"
        " brake works, the cause is elsewhere. non_retryable: a bug or a wrong request.",
        unit=PER_SECOND,
        colours=GIVEUP_REASONS,
        links=[traces.of_series("reason", conditions=SCOPE)],
    )


def exhausted_share() -> Panel:
    """Share of operations whose retry gave up."""
    return trend(
        "Exhausted retries",
        worst_operations(exhausted_share_of(*BY)),
        means="Operations whose retry gave up, over all that ended: what retrying could not repair.",
        do="Compare with the failed attempts: if both rise alike, retrying no longer helps, and costs only"
        " time.",
        unit="percentunit",
        links=[
            traces.of_series(*BY, conditions=(traces.has(semconv.OUTCOME, "exhausted"),), title="Exhausted")
        ],
    )


def budget() -> Panel:
    """How often the retry budget said no."""
    refused = summed(OPERATIONS.counter(semconv.RETRY_GIVEUPS, 'reason="budget"'), *BY)
    retried = summed(OPERATIONS.count(semconv.BACKOFF_DURATION), *BY)
    return trend(
        "Retries that the budget refused",
        worst_operations(share(refused, f"({retried} + {refused})")),
        means="Of the retries that were wanted, the part that a retry budget refused; 0 also where there"
        " is no budget, and no value where nothing is retried.",
        do="Above 0 the budget protects whoever is called. Raise it only if that one is healthy.",
        unit="percentunit",
        empty="Nothing was retried in this time range",
        links=[traces.of_series(*BY, conditions=(traces.has(semconv.RETRY_GIVEUP_REASON, "budget"),))],
    )
