"""The engine: delivering, cancelling, stopping; the same on both kinds."""

import asyncio

import pytest
from docket import Worker
from redis.exceptions import ConnectionError as RedisConnectionError

from retryscope_service.runs.engine import Engine
from retryscope_service.runs.engine.engine import _with_connections
from tests.support.polling import LIMIT, until
from tests.unit.retryscope_service.runs.helpers import Handler

REAL_LOOP = True


async def test_what_is_enqueued_is_delivered_once(any_engine: Engine) -> None:
    """Though it is enqueued again while it waits."""
    handler = Handler()
    any_engine.register(handler)
    for _ in range(2):
        await any_engine.enqueue("a", "one")
    await any_engine.enqueue("b", "two")
    async with any_engine.working("w", 10):
        await until(lambda: len(handler.ended) == 2)
        await asyncio.sleep(0.05)
    assert sorted(handler.ended) == ["one", "two"]


async def test_a_waiting_run_that_is_cancelled_is_not_delivered(any_engine: Engine) -> None:
    """An unknown one is nothing to complain about."""
    handler = Handler()
    any_engine.register(handler)
    await any_engine.enqueue("a", "one")
    await any_engine.take_back("a")
    await any_engine.take_back("unknown")
    await any_engine.enqueue("b", "two")
    async with any_engine.working("w", 10):
        await until(lambda: handler.ended)
    assert handler.started == ["two"]


async def test_a_cancel_reaches_the_coroutine(any_engine: Engine) -> None:
    """Nobody else's."""
    handler = Handler()
    any_engine.register(handler)
    async with any_engine.working("w", 10):
        await any_engine.enqueue("a", "hold a")
        await any_engine.enqueue("b", "hold b")
        await until(lambda: len(handler.started) == 2)
        await any_engine.cancel("a")
        await until(lambda: handler.ended)
        assert handler.ended == ["hold a cancelled"]
        handler.hold.set()
    assert handler.ended == ["hold a cancelled", "hold b"]


async def test_a_cancel_leaves_the_delivery_to_whom_it_belongs(any_engine: Engine) -> None:
    """A worker that has died does not hear of it: the next one has to get the run, and decide."""
    handler = Handler()
    any_engine.register(handler)
    await any_engine.enqueue("a", "one")
    await any_engine.cancel("a")
    await any_engine.cancel("unknown")
    async with any_engine.working("w", 10):
        await until(lambda: handler.ended)
    assert handler.ended == ["one"]


async def test_no_more_than_so_many_at_a_time(any_engine: Engine) -> None:
    """The rest waits; paused, nothing new is taken, and what runs goes on."""
    handler = Handler()
    any_engine.register(handler)
    for number in range(3):
        await any_engine.enqueue(f"{number}", f"hold {number}")
    async with any_engine.working("w", 2) as intake:
        await until(lambda: len(handler.started) == 2)
        await asyncio.sleep(0.05)
        assert len(handler.started) == 2
        intake.pause()
        await any_engine.cancel(handler.started[0].removeprefix("hold "))
        await until(lambda: handler.ended)
        await asyncio.sleep(0.15)
        assert len(handler.started) == 2
        intake.stop()
        handler.hold.set()
    assert len(handler.ended) == 2


async def test_a_delivery_that_fails_does_not_stop_the_worker(
    any_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not delivered again."""
    handler = Handler()
    any_engine.register(handler)
    async with any_engine.working("w", 1):
        await any_engine.enqueue("a", "fail")
        await any_engine.enqueue("b", "two")
        await until(lambda: handler.ended)
    assert handler.started == ["fail", "two"]


async def test_a_worker_ends_though_its_cancel_gets_lost(
    any_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docket takes one that comes together with an error of Redis for an outage, and goes on."""
    any_engine.register(Handler())
    looping = asyncio.Event()

    async def loop(*args: object, **options: object) -> None:
        looping.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RedisConnectionError("connection closed") from None

    monkeypatch.setattr(Worker, "_worker_loop", loop)

    async def work() -> None:
        async with any_engine.working("w", 10):
            await looping.wait()

    await asyncio.wait_for(work(), LIMIT)


def test_which_engines_are_shared() -> None:
    """All but the embedded one."""
    assert not Engine("memory://x", connections=1, redelivery_seconds=1).shared
    assert Engine("redis://127.0.0.1:1/0", connections=1, redelivery_seconds=1).shared


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host:6379/0", "redis://host:6379/0?max_connections=7"),
        ("rediss://u:p%40@host/0?a=b", "rediss://u:p%40@host/0?a=b&max_connections=7"),
        ("redis://host/0?max_connections=9", "redis://host/0?max_connections=9"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1&max_connections=7"),
        ("redis+cluster://host:1", "redis+cluster://host:1?max_connections=7"),
        ("redis+sentinel://a:1,b:2/name/0", "redis+sentinel://a:1,b:2/name/0?max_connections=7"),
    ],
)
def test_the_connections_are_bounded(url: str, expected: str) -> None:
    """Unless the URL says how many there are; the rest of it stays."""
    assert _with_connections(url, 7) == expected
