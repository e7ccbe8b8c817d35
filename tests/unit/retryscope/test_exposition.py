"""Rendering for a scrape: the client's text, between which the event loop goes on."""

import asyncio
import gzip
import threading
from collections.abc import Iterator
from typing import Final

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from retryscope import exposition
from retryscope.exposition import MOST_FORMATS, Exposition

REAL_LOOP = True
"""With real threads."""

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    family = Histogram("took", "Took.", ["l"], registry=registry)
    for number in range(50):
        family.labels(str(number)).observe(number, {"trace_id": "1"})
    return registry


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("accept", ["", OPENMETRICS])
async def test_it_is_what_the_client_writes(
    registry: CollectorRegistry, accept: str, compressed: bool
) -> None:
    encode, expected_type = choose_encoder(accept)
    mine = Exposition(registry)
    for _ in range(2):
        content_type, body = await mine.render(accept, compressed=compressed)
        assert content_type == expected_type
        assert (gzip.decompress(body) if compressed else body) == encode(registry)


async def test_the_loop_has_its_turn_between_children(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here after every one of them, because its time is up at once; first to prepare them, then to read."""
    monkeypatch.setattr(exposition, "SLICE", 0.0)
    mine = Exposition(registry)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    await mine.render()
    first, turns = turns, 0
    await mine.render()
    again = turns
    turning.cancel()
    assert first >= 100
    assert again >= 50


async def test_what_is_counted_meanwhile_tears_no_histogram(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its buckets rise, and its count is the last of them."""
    monkeypatch.setattr(exposition, "SLICE", 0.0)
    mine = Exposition(registry)
    family = registry._names_to_collectors["took"]
    assert isinstance(family, Histogram)
    done = False

    async def count() -> None:
        while not done:
            for number in range(50):
                family.labels(str(number)).observe(number / 10)
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    for _ in range(3):
        _, body = await mine.render()
        counts: list[float] = []
        for line in body.decode().splitlines():
            if line.startswith("took_bucket"):
                counts.append(float(line.rpartition(" ")[2]))
            elif line.startswith("took_count"):
                assert counts == sorted(counts)
                assert counts[-1] == float(line.rpartition(" ")[2])
                counts.clear()
    done = True
    await counting


class OnThread(Collector):
    def __init__(self) -> None:
        self.threads: list[str] = []

    def collect(self) -> Iterator[Metric]:
        self.threads.append(threading.current_thread().name)
        yield Metric("slow", "Slow.", "gauge")


async def test_a_collector_of_another_kind_is_asked_once_and_on_a_thread(registry: CollectorRegistry) -> None:
    """It may take its time."""
    collector = OnThread()
    registry.register(collector)
    mine = Exposition(registry)
    _, body = await mine.render()
    assert b"TYPE slow gauge" in body
    (thread,) = collector.threads
    assert thread != threading.main_thread().name


async def test_a_registry_of_another_kind_is_rendered_by_the_client_on_a_thread() -> None:
    """And so is what is not understood."""

    class Other(CollectorRegistry):
        def collect(self) -> Iterator[Metric]:
            yield Metric(threading.current_thread().name.partition("_")[0], "Other.", "gauge")

    for _ in range(2):
        _, body = await Exposition(Other()).render()
        assert threading.main_thread().name.encode() not in body
        assert b"TYPE" in body


class Failing(Collector):
    def __init__(self) -> None:
        self.fails = True

    def collect(self) -> Iterator[Metric]:
        yield Metric("a", "A", "gauge")
        if self.fails:
            raise ConnectionError("no database")


async def test_what_a_collector_raises_reaches_who_asked_and_not_who_asks_next(
    registry: CollectorRegistry,
) -> None:
    collector = Failing()
    registry.register(collector)
    mine = Exposition(registry)
    for _ in range(2):
        with pytest.raises(ConnectionError, match="no database"):
            await mine.render()
    collector.fails = False
    assert (await mine.render())[1] == choose_encoder("")[0](registry)


async def test_lines_of_few_formats_are_kept(registry: CollectorRegistry) -> None:
    """A client may ask for any version there will ever be."""
    mine = Exposition(registry)
    asked = [f"application/openmetrics-text; version={number}.0.0" for number in range(1, 6)]
    formats = [choose_encoder(each)[1] for each in asked]  # an old client has one for all of them
    assert [(await mine.render(each))[0] for each in asked] == formats
    assert len(mine._scrapers) == min(MOST_FORMATS, len(set(formats)))
    kept = list(mine._scrapers.values())
    await mine.render("application/openmetrics-text; version=4.0.0")
    assert set(mine._scrapers.values()) == set(kept)


async def test_scrapes_at_the_same_time_share_the_next_rendering(registry: CollectorRegistry) -> None:
    """Each has numbers that are not older than its question."""
    counter = Counter("asked", "Asked.", registry=registry)
    collector = OnThread()
    registry.register(collector)
    mine = Exposition(registry)
    first = asyncio.create_task(mine.render())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    counter.inc()
    others = [asyncio.create_task(mine.render()) for _ in range(5)]
    bodies = [body for _, body in await asyncio.gather(first, *others)]
    assert len(collector.threads) == 2
    assert all(b"asked_total 1.0" in body for body in bodies[1:])
