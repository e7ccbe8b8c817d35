"""The chapter "Timeout Management"."""

from tests.unit.retryscope_service.helpers import Api
from tests.unit.retryscope_service.workflows.specified import specified


async def test_the_documents_three_operations(api: Api) -> None:
    """Each of 3 s; limits of 2.5 and 1.5 s end two of them, 4 s are enough for the third."""
    observed = await api.observe("timeouts")
    assert observed.text == specified("timeouts")


async def test_with_parameters(api: Api) -> None:
    """A name that is not declared is shown on its span and counted as _OTHER; limits are scaled too."""
    operations = [
        {"name": "Mail", "duration": 2, "timeout": 1},
        {"name": "API Call", "duration": 1, "timeout": 5},
    ]
    observed = await api.observe("timeouts", operations=operations, time_scale=0.1)
    assert observed.text == specified("timeouts-with-parameters")


async def test_a_client_that_hangs_up_is_no_timeout(api: Api) -> None:
    """The operation is cancelled, although it has a limit that it has not reached."""
    observed = await api.observe_hang_up("timeouts", after=3)
    assert observed.text == specified("timeouts-hung-up")


async def test_an_operation_as_long_as_its_limit_times_out_or_succeeds_but_is_counted_once(api: Api) -> None:
    """Work and limit end in the same instant: one outcome, and answer, span and metric agree on it."""
    observed = await api.observe("timeouts", operations=[{"name": "API Call", "duration": 1, "timeout": 1}])
    assert observed.answer is not None
    (task,) = observed.answer.json()["tasks"]
    assert task["outcome"] in {"success", "timeout"}
    assert f". resilience.outcome = {task['outcome']}" in observed.tree
    assert f"  API Call | {task['outcome']} | timeouts -> count +1, sum +1\n" in observed.changes
