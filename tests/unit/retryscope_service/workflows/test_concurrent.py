"""The chapter "Handling Multiple Task Failures"."""

from tests.unit.retryscope_service.helpers import Api
from tests.unit.retryscope_service.workflows.specified import specified


async def test_the_documents_ten_tasks(api: Api) -> None:
    """All at once; both failures are collected beside the eight results, which are then processed."""
    observed = await api.observe("concurrent", seed=8)
    assert observed.text == specified("concurrent")


async def test_with_parameters(api: Api) -> None:
    """Two tasks that always fail: the workflow has handled that, so it succeeds, with nothing to process."""
    observed = await api.observe("concurrent", tasks=2, duration=3, failure_rate=1)
    assert observed.text == specified("concurrent-with-parameters")


async def test_a_client_that_hangs_up_leaves_no_task_running(api: Api) -> None:
    """The gather and each of its children are cancelled, with the cause and a link to the request."""
    observed = await api.observe_hang_up("concurrent", after=0.1, tasks=2)
    assert observed.text == specified("concurrent-hung-up")
