"""How long the engine is waited for, and that nobody sees it in his trace."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from retryscope import workflow
from retryscope_service.runs import engine_retry
from retryscope_service.runs.engine import EngineError
from retryscope_service.runs.engine_retry import LAST_SECONDS, RunRetry, for_client
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.runs.helpers import away


def failing(times: int, error: type[Exception] = EngineError) -> Callable[[str], Awaitable[str]]:
    """Fails so often, then answers."""
    left = [times]

    async def call(value: str) -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise error("away")
        return value

    return call


def clock() -> float:
    return asyncio.get_running_loop().time()


async def test_a_client_waits_for_a_moment(recorded: Recorded) -> None:
    """Four more tries within a good second."""
    assert await for_client(failing(4), "value") == "value"
    assert clock() == pytest.approx(1.2)


async def test_a_client_is_told_of_an_outage(recorded: Recorded) -> None:
    """Before it gives up itself."""
    with pytest.raises(EngineError, match="connection refused"):
        await for_client(_async_away)
    assert clock() == pytest.approx(1.2)


async def _async_away() -> None:
    away()


@pytest.mark.parametrize("error", [EngineError, ConnectionError, OSError])
async def test_a_run_waits_for_minutes(recorded: Recorded, error: type[Exception]) -> None:
    """An outage of ten minutes loses nothing, and makes nothing run twice."""
    assert await RunRetry().call(failing(310, error), "value") == "value"
    assert clock() > 600


def test_a_run_waits_for_hours() -> None:
    """Only then it is left to whoever comes."""
    policy = engine_retry._for_run.policy
    assert policy.max_attempts * policy.max_delay > 5 * 3600


class TestShutdown:
    async def test_who_waits_is_waited_for_a_little_longer(self, recorded: Recorded) -> None:
        """Not for minutes; the error says why."""
        engine = RunRetry()
        waiting = asyncio.create_task(engine.call(_async_away))
        await asyncio.sleep(60)
        engine.end()
        with pytest.raises(EngineError, match="the shutdown waits no longer"):
            await waiting
        assert clock() == 60 + LAST_SECONDS

    async def test_who_comes_later_has_as_long(self, recorded: Recorded) -> None:
        """A cleanup may have taken its time."""
        engine = RunRetry()
        engine.end()
        await asyncio.sleep(60)
        with pytest.raises(EngineError):
            await engine.call(_async_away)
        assert clock() == 60 + LAST_SECONDS

    async def test_an_engine_that_comes_back_in_time_is_told(self, recorded: Recorded) -> None:
        """So a restart of Redis during a deployment loses nothing."""
        engine = RunRetry()
        engine.end()
        assert await engine.call(failing(3), "value") == "value"
        assert clock() < LAST_SECONDS

    async def test_an_engine_that_does_not_answer_is_not_waited_for_either(self, recorded: Recorded) -> None:
        """It may be frozen instead of away."""
        engine = RunRetry()
        waiting = asyncio.create_task(engine.call(asyncio.sleep, 3600))
        await asyncio.sleep(1)
        engine.end()
        with pytest.raises(EngineError):
            await waiting
        assert clock() == 1 + LAST_SECONDS

    async def test_who_has_got_an_answer_waits_no_more(self, recorded: Recorded) -> None:
        """Nor who has got none."""
        engine = RunRetry()
        assert await engine.call(failing(0), "value") == "value"
        with pytest.raises(ValueError, match="away"):
            await engine.call(failing(1, ValueError), "value")
        engine.end()

    async def test_a_timeout_of_the_engine_is_its_own(self, recorded: Recorded) -> None:
        """It is tried again as any other error of it."""
        assert await RunRetry().call(failing(100, TimeoutError), "value") == "value"
        assert clock() > 120


async def test_a_bug_is_not_repeated(recorded: Recorded) -> None:
    """Only what an engine that is away raises."""
    for call in (for_client, RunRetry().call):
        with pytest.raises(ValueError, match="away"):
            await call(failing(1, ValueError), "value")
    assert clock() == 0


async def test_it_is_counted_but_traced_nowhere(recorded: Recorded) -> None:
    """Retries of a store are not part of what a run does."""
    with recorded.changes() as changes:
        async with workflow("retry"):
            await for_client(failing(1), "value")
    assert recorded.outline() == "workflow retry\n"
    retries = [name for name in changes if name.startswith("resilience_attempts_total")]
    assert sum(changes[name] for name in retries) == 2
    assert all('operation="engine_call"' in name for name in retries)
