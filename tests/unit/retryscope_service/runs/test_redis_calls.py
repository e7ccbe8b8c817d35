"""What a background run costs of Redis: counted by Redis itself."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from retryscope_service.runs.background import BackgroundRuns
from retryscope_service.runs.engine import Engine
from retryscope_service.runs.events import RunEvents
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.store import RunStore
from retryscope_service.runs.worker import RunWorker
from retryscope_service.workflows.retry import RETRY, RetryParams
from tests.support.polling import until
from tests.support.redis import RedisServer

REAL_LOOP = True

SHORT = RetryParams(duration=0.0, failure_rate=0.0)


@asynccontextmanager
async def monitored(url: str) -> AsyncIterator[list[str]]:
    """The commands that clients send during the block; complete when it has ended. Not those of scripts."""
    commands: list[str] = []
    async with Redis.from_url(url) as client, client.monitor() as monitor:

        async def read() -> None:
            while True:
                seen = await monitor.next_command()
                if seen["command"] == "ECHO last":
                    return
                if seen["client_type"] != "lua":
                    commands.append(seen["command"])

        reading = asyncio.create_task(read())
        yield commands
        await client.echo("last")
        await reading


async def test_a_run_costs_three_calls_of_ours(
    redis: RedisServer, events: RunEvents, metrics: RunMetrics
) -> None:
    """It is stored, it starts, it ends; the end takes along what happened in it. The rest is docket's."""
    assert redis.command("FLUSHALL") == "+OK"
    async with Engine(redis.url, connections=20, redelivery_seconds=60) as engine:
        store = RunStore(engine)
        worker = RunWorker("w", engine, store, events, metrics)
        background = BackgroundRuns(engine, store, metrics, limit=100, retention=60)
        engine.register(worker.handle)

        async def run(number: int) -> list[str]:
            ids = [(await background.submit(RETRY, SHORT, None))[0] for _ in range(number)]
            await until(lambda: ended(store), "they have ended")
            return ids

        async with engine.working("w", 10):
            await run(1)  # Redis gets to know the scripts
            async with monitored(redis.url) as commands:
                ids = await run(5)
        keys = (engine.key("run:"), engine.key("events:"))
        ours = [command for command in commands if any(key in command for key in keys)]
        assert Counter(run_id for run_id in ids for each in ours if run_id in each) == dict.fromkeys(ids, 3)
        assert len(ours) == 3 * len(ids)
        for run_id in ids:
            told = [event["event"] for event in await store.events(run_id, 0)]
            assert told[:3] == ["state", "state", "workflow"]
            assert told[-2:] == ["workflow", "state"]


async def ended(store: RunStore) -> bool:
    active, _ = await store.counts()
    return active == 0
