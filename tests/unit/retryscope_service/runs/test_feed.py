"""Following a run: one reader for all, resuming, heartbeats, the end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import pytest

from retryscope_service.runs import feed as feed_module
from retryscope_service.runs.feed import EventFeed
from retryscope_service.runs.store import RunStore
from tests.unit.retryscope_service.runs.helpers import away

LONG = 1000.0


class OfStore:
    """Events that a test adds, and how often they were read."""

    def __init__(self) -> None:
        self.added: list[dict[str, Any]] = []
        self.reads = 0
        self.away = False

    async def events(self, run_id: str, after: int) -> list[dict[str, Any]]:
        self.reads += 1
        if self.away:
            away()
        await asyncio.sleep(0.001)
        return self.added[after:]

    def add(self, *names: str) -> None:
        self.added += [{"event": name} for name in names]

    def end(self, state: str = "succeeded") -> None:
        self.added.append({"event": "state", "state": state})


@pytest.fixture
def source() -> OfStore:
    return OfStore()


@pytest.fixture
def feed(source: OfStore) -> EventFeed:
    return EventFeed(cast(RunStore, source))


@pytest.fixture(autouse=True)
async def _no_reader_is_left(feed: EventFeed) -> AsyncIterator[None]:
    yield
    await asyncio.sleep(0)
    assert feed._channels == {}
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("events of")] == []


async def all_of(items: AsyncGenerator[Any]) -> list[str | None]:
    """What is yielded until the end: position and name."""
    async with aclosing(items):
        return [None if item is None else f"{item[0]} {item[1]['event']}" async for item in items]


async def test_events_come_as_they_happen_and_end_with_the_final_state(
    feed: EventFeed, source: OfStore
) -> None:
    """With their positions; a state that is not final ends nothing."""
    source.add("workflow")
    source.end("cancelling")
    following = asyncio.create_task(all_of(feed.follow("a", 0, LONG)))
    await asyncio.sleep(1)
    assert not following.done()
    source.add("cleanup")
    source.end()
    assert await following == ["0 workflow", "1 state", "2 cleanup", "3 state"]


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled", "lost"])
async def test_every_final_state_ends_it(feed: EventFeed, source: OfStore, state: str) -> None:
    source.end(state)
    assert await all_of(feed.follow("a", 0, LONG)) == ["0 state"]


@pytest.mark.parametrize(
    ("after", "expected"), [(1, ["1 task", "2 state"]), (2, ["2 state"]), (3, []), (99, [])]
)
async def test_it_resumes_anywhere(feed: EventFeed, source: OfStore, after: int, expected: list[str]) -> None:
    """Also behind the end."""
    source.add("workflow", "task")
    source.end()
    assert await all_of(feed.follow("a", after, LONG)) == expected


async def test_a_heartbeat_when_nothing_happens(feed: EventFeed, source: OfStore) -> None:
    """Again and again, and not while something does."""
    following = asyncio.create_task(all_of(feed.follow("a", 0, 10)))
    await asyncio.sleep(25)
    source.add("task")
    await asyncio.sleep(9)
    source.end()
    assert await following == [None, None, "0 task", "1 state"]


async def test_many_followers_share_one_reader(feed: EventFeed, source: OfStore) -> None:
    """Two hundred cost the engine as much as one."""
    following = [asyncio.create_task(all_of(feed.follow("a", 0, LONG))) for _ in range(200)]
    await asyncio.sleep(1)
    reads = source.reads
    assert reads <= 11
    source.add("task")
    source.end()
    assert await asyncio.gather(*following) == [["0 task", "1 state"]] * 200
    assert source.reads <= reads + 1


async def test_a_slow_one_holds_up_nobody_and_misses_nothing(feed: EventFeed, source: OfStore) -> None:
    """It reads from its own place; one that has stopped reading too."""
    slow = feed.follow("a", 0, LONG)
    source.add("task")
    assert await anext(slow) == (0, {"event": "task"})
    following = asyncio.create_task(all_of(feed.follow("a", 0, LONG)))
    await asyncio.sleep(1)
    source.add("task", "task")
    source.end()
    async with asyncio.timeout(1):
        assert len(await following) == 4
    assert await all_of(slow) == ["1 task", "2 task", "3 state"]


async def test_one_that_goes_does_not_disturb_the_others(feed: EventFeed, source: OfStore) -> None:
    """The last one ends the reader."""
    stays = asyncio.create_task(all_of(feed.follow("a", 0, LONG)))
    goes = asyncio.create_task(all_of(feed.follow("a", 0, LONG)))
    await asyncio.sleep(1)
    goes.cancel()
    await asyncio.wait([goes])
    source.end()
    assert await stays == ["0 state"]


async def test_each_run_has_a_reader_of_its_own(feed: EventFeed, source: OfStore) -> None:
    """And a second follower later gets a new one."""
    source.end()
    for run_id in ("a", "b", "a"):
        assert await all_of(feed.follow(run_id, 0, LONG)) == ["0 state"]
    assert source.reads == 3


async def test_an_engine_that_is_away_is_waited_for(feed: EventFeed, source: OfStore) -> None:
    """It is asked less often meanwhile; those who follow get their heartbeats."""
    following = asyncio.create_task(all_of(feed.follow("a", 0, 8)))
    await asyncio.sleep(1)
    source.away, source.reads = True, 0
    await asyncio.sleep(10)
    assert source.reads <= 10 / feed_module.POLL_SECONDS_UNREACHABLE + 1
    source.away = False
    source.end()
    assert await following == [None, "0 state"]
