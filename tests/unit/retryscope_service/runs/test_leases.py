"""A live worker keeps what it runs: nobody takes it while its loop is busy, or after an outage."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from retryscope_service.runs.engine import Engine, leases
from tests.support.polling import until, wait_until
from tests.support.redis import RedisServer
from tests.unit.retryscope_service.runs.helpers import Handler

REAL_LOOP = True
LEASE = 1.0


@pytest.fixture
async def engine(redis: RedisServer) -> AsyncIterator[Engine]:
    """An engine on an empty Redis."""
    assert redis.command("FLUSHALL") == "+OK"
    async with Engine(redis.url, connections=20, redelivery_seconds=LEASE) as engine:
        yield engine


def last_beat(redis: RedisServer, engine: Engine) -> int:
    """When leases were renewed last, in ms; asked without the event loop."""
    key = leases.beat_key(engine._docket)
    script = f"return tonumber(redis.call('HGET', '{key}', 'last') or 0)"
    return int(redis.command("EVAL", script, "0").removeprefix(":"))


async def owner(engine: Engine) -> tuple[str, int]:
    """Whom the one message belongs to, and for how long it was not renewed, in ms."""
    async with engine.redis() as redis:
        (row,) = await redis.xpending_range(engine.stream, engine.group, "-", "+", 10)
    return row["consumer"].decode(), row["time_since_delivered"]


async def test_leases_are_renewed_while_the_event_loop_is_busy(redis: RedisServer, engine: Engine) -> None:
    """It does nothing else for several leases, and loses nothing."""
    handler = Handler()
    engine.register(handler)
    await engine.enqueue("a", "hold")
    async with engine.working("w", 10):
        await until(lambda: handler.started)
        begin = last_beat(redis, engine)
        wait_until(lambda: last_beat(redis, engine) > begin + 2000 * LEASE, "it is renewed meanwhile")
        held, idle = await owner(engine)
        assert (held, idle < 1000 * LEASE) == ("w", True)
        await asyncio.sleep(LEASE)
        handler.hold.set()
    assert handler.started == ["hold"]


async def test_a_loop_that_hangs_for_ever_loses_its_runs(
    redis: RedisServer, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would never end."""
    monkeypatch.setattr(leases, "HUNG_SECONDS", 0.0)
    handler = Handler()
    engine.register(handler)
    await engine.enqueue("a", "hold")
    async with engine.working("w", 10):
        await until(lambda: handler.started)
        assert last_beat(redis, engine) == 0
        handler.hold.set()


async def test_a_worker_does_not_take_back_what_belongs_to_another_one(engine: Engine) -> None:
    """It was stopped for too long; docket's own renewal would."""
    handler = Handler()
    engine.register(handler)
    await engine.enqueue("a", "hold")
    async with engine.working("w", 10):
        await until(lambda: handler.started)
        async with engine.redis() as redis:
            (row,) = await redis.xpending_range(engine.stream, engine.group, "-", "+", 10)
            await redis.xclaim(engine.stream, engine.group, "other", 0, [row["message_id"]])
        await asyncio.sleep(LEASE / 2)
        assert (await owner(engine))[0] == "other"
        handler.hold.set()


async def test_after_redis_was_away_nobody_is_robbed(redis: RedisServer, engine: Engine) -> None:
    """It was away for longer than a lease: all are late, and each keeps what it runs."""
    handlers = [Handler() for _ in range(2)]
    async with Engine(redis.url, connections=20, redelivery_seconds=LEASE) as second:
        for each, handler in zip((engine, second), handlers, strict=True):
            each.register(handler)
        async with engine.working("w1", 10), second.working("w2", 10):
            for number in range(10):
                await engine.enqueue(f"{number}", f"hold {number}")
            await until(lambda: sum(len(handler.started) for handler in handlers) == 10)
            redis.stop()
            await asyncio.sleep(2 * LEASE)
            redis.start()
            await asyncio.sleep(2.5 * LEASE)
            assert sum(len(handler.started) for handler in handlers) == 10
            for handler in handlers:
                handler.hold.set()
            await until(lambda: sum(len(handler.ended) for handler in handlers) == 10)
