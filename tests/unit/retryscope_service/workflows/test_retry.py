"""The chapter "Retry with Exponential Backoff"."""

import pytest

from tests.unit.retryscope_service.helpers import Api
from tests.unit.retryscope_service.workflows.specified import specified


async def test_the_documents_call_succeeds_after_three_retries(api: Api) -> None:
    """It waits 0.5, 1 and 2 s; the failed attempts are ERROR, what contains them is not."""
    observed = await api.observe("retry", seed=8)
    assert observed.text == specified("retry")


async def test_the_documents_call_fails_five_times(api: Api) -> None:
    """After the fourth retry it gives up: 502, with the members of a result."""
    observed = await api.observe("retry", seed=10)
    assert observed.text == specified("retry-exhausted")


async def test_a_retry_that_could_not_start_before_the_deadline_is_given_up_at_once(api: Api) -> None:
    """Another wait of 1 s would end after the deadline of 1.5 s: 502 after 0.9 s, reason deadline."""
    observed = await api.observe("retry", seed=10, deadline=1.5)
    assert observed.text == specified("retry-given-up-at-deadline")


async def test_an_attempt_that_runs_into_the_deadline_is_cancelled(api: Api) -> None:
    """The workflow ran past its own deadline: 504 after 0.8 s exactly; the retry was cancelled by it."""
    observed = await api.observe("retry", seed=10, deadline=0.8)
    assert observed.text == specified("retry-past-deadline")


async def test_full_jitter(api: Api) -> None:
    """Each wait is a part, drawn by the seed, of 0.5, 1 and 1.2 s (the cap on what would be 2)."""
    observed = await api.observe("retry", seed=8, jitter="full", max_delay=1.2)
    assert observed.text == specified("retry-with-full-jitter")


async def test_with_parameters(api: Api) -> None:
    """No retry at all, of a call that always fails, on a clock ten times as fast."""
    observed = await api.observe("retry", max_retries=0, failure_rate=1, duration=3, time_scale=0.1)
    assert observed.text == specified("retry-with-parameters")


async def test_a_client_that_hangs_up_during_a_backoff_interrupts_it(api: Api) -> None:
    """What counts as backoff is the time really waited: 0.2 of 0.5 s."""
    observed = await api.observe_hang_up("retry", after=0.4, seed=10)
    assert observed.text == specified("retry-hung-up")


@pytest.mark.parametrize(
    "limits", [{"deadline": 0.8}, {"deadline": 1.5}, {"max_delay": 0.6}, {"attempt_timeout": 0.15}]
)
async def test_limits_are_scaled_with_the_rest(api: Api, limits: dict[str, float]) -> None:
    """The same outcome, in a tenth of the time."""
    full = await api.run("retry", seed=10, **limits)
    short = await api.run("retry", seed=10, **limits, time_scale=0.1)
    assert short.status == full.status
    slow, fast = full.json(), short.json()
    assert fast["outcome"] == slow["outcome"]
    assert fast["duration_seconds"] == pytest.approx(slow["duration_seconds"] / 10)


async def test_each_attempt_has_its_own_time(api: Api) -> None:
    """A call of 0.2 s that may take 0.15 s times out each time, and is tried again."""
    answer = await api.run("retry", failure_rate=0, attempt_timeout=0.15)
    (call,) = answer.json()["tasks"]
    assert (answer.status, call["outcome"], call["attempts"]) == (502, "exhausted", 5)
    assert call["error"]["message"] == "attempt 5 of flaky_api_call timed out after 0.15 s"


async def test_exemplars_lead_from_failures_to_their_traces(api: Api) -> None:
    """Duration, attempts and give-ups of a failed run name its trace, and /traces has it."""
    answer = await api.run("retry", seed=10)
    metrics = await api.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    trace_id = answer.json()["trace_id"]
    named = {
        line.partition("{")[0]
        for line in metrics.text.splitlines()
        if f'trace_id="{trace_id}"' in line.partition(" # ")[2]
    }
    assert named == {
        "resilience_operation_duration_seconds_bucket",
        "resilience_attempts_total",
        "resilience_attempt_duration_seconds_bucket",
        "resilience_retry_giveups_total",
        "resilience_workflow_duration_seconds_bucket",
        "http_server_request_duration_seconds_bucket",
    }
    assert (await api.get(f"/traces/{trace_id}")).status == 200


async def test_runs_that_share_a_budget_stop_retrying_when_it_is_empty(api: Api) -> None:
    """Of eight runs of a call that always fails, ten retries in all: then each gives up at once."""
    with api.recorded.changes() as changed:
        answers = [await api.run("retry", failure_rate=1, budget=True, time_scale=0.01) for _ in range(8)]
    assert [each.json()["tasks"][0]["attempts"] for each in answers] == [5, 5, 3, 1, 1, 1, 1, 1]
    given_up = {name: change for name, change in changed.items() if "giveups" in name}
    labels = 'operation="flaky_api_call", reason="{}", workflow="retry"'
    assert given_up == {
        f"resilience_retry_giveups_total{{{labels.format('max_attempts')}}}": 2,
        f"resilience_retry_giveups_total{{{labels.format('budget')}}}": 6,
    }
