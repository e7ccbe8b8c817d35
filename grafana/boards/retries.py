"""What retrying costs, what it repairs, and where it gives up."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana import thresholds, traces, variables
from grafana.colours import ORANGE, RED
from grafana.dashboard import dashboard
from grafana.panel_kinds import PER_SECOND, Panel, current, number
from grafana.panels import retries
from grafana.promql import OPERATIONS
from retryscope import semconv
from retryscope_service.slo import dashboards, recording
from retryscope_service.slo.promql import largest, summed


def build() -> Dashboard:
    """The dashboard that RetryStorm leads to."""
    sample = f"{semconv.ATTEMPTS.name}_total"
    return dashboard(
        dashboards.RETRIES,
        "Retries and backoff",
        "What do retries cost, what do they repair, and where do they give up?",
        variables=[variables.job(sample), variables.workflow(sample), variables.operation(sample)],
        alerts=["RetryStorm"],
        about=['workflow=~"$workflow|"', 'operation=~"$operation|"'],
        rows=[
            ("Now", [amplification(), alert_view(), per_success(), waiting(), giving_up(), refused()]),
            (
                "What it costs",
                [
                    retries.amplification(),
                    retries.waiting_share(),
                    retries.attempts_needed(),
                    retries.backoff(),
                    retries.attempt_duration(),
                ],
            ),
            (
                "What it repairs",
                [
                    retries.attempts(),
                    retries.errors(),
                    retries.attempts_per_success(),
                    retries.exhausted_share(),
                ],
            ),
            ("Where it gives up", [retries.giveups(), retries.budget(), exhausted()]),
        ],
    )


def amplification() -> Panel:
    """Attempts per operation, together."""
    return number(
        "Mean attempts",
        current(retries.amplification_of(), "amplification"),
        means="Attempts per operation, all chosen ones together; the worst one is beside it.",
        do="If it is coloured, many operations are repeated: what do they have in common?",
        unit="short",
        steps={0.75 * thresholds.AMPLIFICATION: ORANGE, thresholds.AMPLIFICATION: RED},
        links=[traces.explore("Traces", *retries.SCOPE)],
    )


def alert_view() -> Panel:
    """The worst amplification, as RetryStorm sees it."""
    return number(
        "Worst attempts",
        current(largest(OPERATIONS.select(recording.ATTEMPTS_PER_OPERATION)), "worst"),
        means="Attempts per operation of the worst operation, as recorded for the alert RetryStorm.",
        do="Above the alert's threshold: slow the retries down, then repair what is called.",
        unit="short",
        empty="No recorded value: no traffic for 5 minutes, or the rules file is not loaded",
        unknown="none recorded",
        steps={0.75 * thresholds.AMPLIFICATION: ORANGE, thresholds.AMPLIFICATION: RED},
        links=[traces.explore("Traces", *retries.SCOPE)],
    )


def per_success() -> Panel:
    """Attempts per success, together."""
    return number(
        "Per success",
        current(retries.attempts_per_success_of(), "attempts"),
        means="Attempts that a successful operation takes, on average.",
        do="Above 1.5, repair what is called: the first attempt should be the usual one. No value: none"
        " succeeds.",
        unit="short",
        empty=retries.NO_SUCCESS,
        unknown="no success",
        steps={1.5: ORANGE, 2.5: RED},
        links=[traces.explore("Successes", *retries.SCOPE, traces.has(semconv.OUTCOME, "success"))],
    )


def waiting() -> Panel:
    """Share of time lost waiting, together."""
    return number(
        "Time lost waiting",
        current(retries.waiting_share_of(), "share"),
        means="Of the time that operations take, the part that is spent asleep between attempts.",
        do="Above a half, callers wait for nothing most of the time: fail earlier, or shorten the delays.",
        unit="percentunit",
        steps={0.25: ORANGE, 0.5: RED},
        links=[traces.explore("Traces", *retries.SCOPE)],
    )


def giving_up() -> Panel:
    """Share of operations that give up, together."""
    return number(
        "Giving up now",
        current(retries.exhausted_share_of(), "share"),
        means="Operations whose retry gives up, over all that end.",
        do="Look at the reasons below; the traces show the last attempt's error.",
        unit="percentunit",
        steps={0.01: ORANGE, 0.05: RED},
        links=[traces.explore("Exhausted", *retries.SCOPE, traces.has(semconv.OUTCOME, "exhausted"))],
    )


def refused() -> Panel:
    """Give-ups because of the budget, together."""
    giveups = OPERATIONS.counter(semconv.RETRY_GIVEUPS, 'reason="budget"')
    return number(
        "Budget refused",
        current(summed(giveups), "refused"),
        means="Retries a second that a retry budget refused; 0 also where there is no budget.",
        do="Above 0 the brake works: look for what fails behind it.",
        unit=PER_SECOND,
        steps={0.001: ORANGE},
        links=[traces.explore("Refused", *retries.SCOPE, traces.has(semconv.RETRY_GIVEUP_REASON, "budget"))],
    )


def exhausted() -> Panel:
    """The newest traces of retries that gave up."""
    return traces.search(
        "Retries that gave up",
        *retries.SCOPE,
        traces.has(semconv.OUTCOME, "exhausted"),
        shown=(
            semconv.OPERATION,
            semconv.RETRY_ATTEMPTS,
            semconv.RETRY_BACKOFF,
            semconv.RETRY_GIVEUP_REASON,
        ),
        means="The newest traces of operations whose retry gave up, with attempts, time waited and reason.",
        do="Click a trace's id: every attempt with its error, every wait with its length.",
    )
