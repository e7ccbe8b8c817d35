"""The chapter "Task Cancellation and Cleanup"."""

import asyncio
import signal

import pytest

from tests.unit.retryscope_service.helpers import Api, observing, served
from tests.unit.retryscope_service.workflows.specified import specified


async def test_the_documents_three_tasks(api: Api) -> None:
    """After 2.5 s two of three still run: they are cancelled, and clean up for 0.1 s each."""
    observed = await api.observe("cancellation")
    assert observed.text == specified("cancellation")


async def test_with_parameters(api: Api) -> None:
    """A cleanup that takes longer than 5 s is cut off there; all on a clock ten times as fast."""
    observed = await api.observe("cancellation", durations=[4, 1], cancel_after=2, cleanup=9, time_scale=0.1)
    assert observed.text == specified("cancellation-with-parameters")


async def test_a_client_that_hangs_up(api: Api) -> None:
    """All three tasks are cancelled, cause client_disconnect, and finish their cleanup."""
    observed = await api.observe_hang_up("cancellation", after=1)
    assert observed.text == specified("cancellation-hung-up")


async def test_a_second_cancel_while_the_cleanup_runs(api: Api) -> None:
    """The client hangs up in the midst of the cleanup, which goes on to its end, with its first cause."""
    observed = await api.observe_hang_up("cancellation", after=2.55)
    assert observed.text == specified("cancellation-hung-up-during-cleanup")


async def test_sigint(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service drains for 0.5 s, then cancels the run, cause shutdown; the client gets a 503."""
    async with served(monkeypatch, drain_seconds=0.5) as service:
        with observing(service.recorded, "cancellation", {}) as observed:
            run = asyncio.create_task(service.run("cancellation"))
            await asyncio.sleep(1)
            signal.raise_signal(signal.SIGINT)
            observed.answer = await run
    assert observed.text == specified("cancellation-on-sigint")


async def test_sigint_while_the_cleanup_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shutdown is the second cancel: the cleanup that runs is not cut short, nor run twice."""
    async with served(monkeypatch, drain_seconds=0) as service:
        with observing(service.recorded, "cancellation", {}) as observed:
            run = asyncio.create_task(service.run("cancellation"))
            await asyncio.sleep(2.55)
            signal.raise_signal(signal.SIGINT)
            observed.answer = await run
    assert observed.text == specified("cancellation-on-sigint-during-cleanup")


async def test_sigint_while_a_client_that_has_hung_up_is_cleaned_up_after(api: Api) -> None:
    """Two cancels from outside: the run keeps the cause of the first, and its cleanup its full second."""
    with observing(api.recorded, "cancellation", {"cleanup": 1}) as observed:
        hanging_up = asyncio.create_task(api.hang_up("cancellation", 1, {"cleanup": 1}))
        await asyncio.sleep(1.5)
        await api.runs.drain(0)
        assert asyncio.get_running_loop().time() == 2
        await hanging_up
    assert observed.text == specified("cancellation-hung-up-then-shut-down")


async def test_the_27th_task_has_a_name_too(api: Api) -> None:
    """The alphabet ends at Task-Z."""
    answer = await api.run("cancellation", durations=[0] * 28)
    names = [task["name"] for task in answer.json()["tasks"]]
    assert names[0] == "Task-A"
    assert names[24:] == ["Task-Y", "Task-Z", "Task-27", "Task-28"]
