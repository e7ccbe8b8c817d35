"""Metrics for Prometheus to scrape, written without holding up the event loop."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Iterable
from typing import Final, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder

from retryscope._prometheus.scrape import Scraper, is_plain_registry, is_understood
from retryscope._prometheus.text import Encode, Format

SLICE: Final = 0.0005
"""Seconds after which the event loop has its turn: half of what a request takes that does nothing."""

LEVEL: Final = 4
"""Of gzip: the highest takes three times as long, for an eighth less."""

MOST_FORMATS: Final = 2
"""Whose lines are kept, 250 bytes a series and format: a Prometheus asks for one, a person for another."""

_Step = TypeVar("_Step")


class Exposition:
    r"""Renders a registry: the lines of ``prometheus_client.generate_latest``, in a tenth of its time.

    What stands before a value is kept from the scrape before, and so are lines whose value is the same: only
    the first scrape takes as long as the client's. The event loop has its turn every half millisecond.
    Collectors of other kinds than counters, gauges, histograms and summaries, and gauges that call a
    function, are asked on a thread, because they may take their time. So is the whole registry where it is
    not a plain ``CollectorRegistry``, or where this release of the client writes what is not known here.

    At most one is rendered at a time. Whoever asks meanwhile waits for the next one and shares it with others
    that want the same: each gets numbers that are not older than its question.

    Args:
        registry: What is rendered.

    >>> exposition = Exposition()
    >>> async def metrics(accept: str = "") -> bytes:
    ...     content_type, body = await exposition.render(accept)
    ...     return body
    >>> asyncio.run(metrics("application/openmetrics-text"))[-6:]
    b'# EOF\n'
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._registry = registry
        self._rendering = asyncio.Lock()
        self._waiting: dict[tuple[str, bool], asyncio.Task[tuple[str, bytes]]] = {}
        self._scrapers: dict[str, Scraper | None] = {}

    async def render(self, accept: str = "", *, compressed: bool = False) -> tuple[str, bytes]:
        """The content type and the body; a client that goes away takes it from nobody.

        Args:
            accept: The header of the request: OpenMetrics has exemplars, any other format has not.
            compressed: By gzip, for a client whose ``Accept-Encoding`` has it.

        Raises:
            Exception: Of a collector.
        """
        key = accept, compressed
        task = self._waiting.get(key)
        if task is None:
            task = self._waiting[key] = asyncio.create_task(self._next(key))
        return await asyncio.shield(task)

    async def _next(self, key: tuple[str, bool]) -> tuple[str, bytes]:
        await asyncio.sleep(0)  # an eager task begins before anybody can find it waiting
        async with self._rendering:
            del self._waiting[key]
            accept, compressed = key
            encode, content_type = choose_encoder(accept)
            scraper = await self._scraper(content_type, encode)
            if scraper is None:
                body = await asyncio.to_thread(encode, self._registry)
            else:
                body = await _scrape(scraper)
            if compressed:
                body = await asyncio.to_thread(gzip.compress, body, LEVEL, mtime=0)
            return content_type, body

    async def _scraper(self, content_type: str, encode: Encode) -> Scraper | None:
        """With the lines of the last scrape in this format; None where only the client can write it."""
        if content_type in self._scrapers:
            scraper = self._scrapers.pop(content_type)
        elif is_plain_registry(self._registry) and await asyncio.to_thread(is_understood, encode):
            scraper = Scraper(self._registry, Format(encode))
        else:
            scraper = None
        self._scrapers[content_type] = scraper
        while len(self._scrapers) > MOST_FORMATS:
            del self._scrapers[next(iter(self._scrapers))]
        return scraper


async def _scrape(scraper: Scraper) -> bytes:
    await _in_slices(scraper.prepare())
    if scraper.has_others:
        await asyncio.to_thread(scraper.collect_others)
    return b"".join(await _in_slices(scraper.read()))


async def _in_slices(steps: Iterable[_Step]) -> list[_Step]:
    clock = time.perf_counter
    taken = []
    until = clock() + SLICE
    for step in steps:
        taken.append(step)
        if clock() >= until:
            await asyncio.sleep(0)
            until = clock() + SLICE
    return taken
