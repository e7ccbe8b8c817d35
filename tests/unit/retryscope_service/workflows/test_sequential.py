"""The chapter "Exception Propagation"."""

import pytest

from tests.unit.retryscope_service.helpers import Api
from tests.unit.retryscope_service.workflows.specified import specified


async def test_the_documents_five_tasks(api: Api) -> None:
    """Half a second each, one after the other; two fail, which ends nothing but themselves."""
    observed = await api.observe("sequential", seed=0)
    assert observed.text == specified("sequential")


async def test_with_parameters(api: Api) -> None:
    """Two tasks of 20 s that never fail, on a clock ten times as fast."""
    observed = await api.observe("sequential", tasks=2, duration=20, failure_rate=0, time_scale=0.1)
    assert observed.text == specified("sequential-with-parameters")


async def test_a_client_that_hangs_up_ends_the_task_that_runs_and_starts_no_other(api: Api) -> None:
    """The second of five tasks is cancelled, the cause is on every span that was open."""
    observed = await api.observe_hang_up("sequential", after=0.7, failure_rate=0)
    assert observed.text == specified("sequential-hung-up")


@pytest.mark.parametrize("workflow", ["sequential", "concurrent"])
async def test_durations_fall_into_the_right_buckets(api: Api, workflow: str) -> None:
    """A task of half a second counts from the bucket 0.5 on, and in no smaller one."""
    before = api.recorded.samples()
    await api.run(workflow, tasks=4, duration=0.5, failure_rate=0)
    labels = {"workflow": workflow, "operation": "risky_task", "outcome": "success"}
    counts = {}
    for (name, series), value in api.recorded.samples().items():
        if name == "resilience_operation_duration_seconds_bucket" and labels.items() <= dict(series).items():
            counts[dict(series)["le"]] = value - before[name, series]
    below = dict.fromkeys(("0.005", "0.01", "0.025", "0.05", "0.1", "0.25"), 0)
    above = dict.fromkeys(("0.5", "1.0", "2.5", "5.0", "10.0", "30.0", "60.0", "+Inf"), 4)
    assert counts == below | above
