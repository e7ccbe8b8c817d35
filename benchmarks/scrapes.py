"""P7: a scrape of 10,000 series, to ``prometheus_client``'s ``generate_latest``.

The registry is that of the library with as many declared operations as have 10,000 series, rendered as
OpenMetrics with exemplars, as Prometheus asks for it. Before a scrape something has happened: in every series
that there is (``all``), in those of every tenth operation (``tenth``), or in none (``none``). Each
scrape of a pair sees the same.

CPU is that of the whole process. ``held`` is the CPU that the event loop's thread has used between two turns
of the loop, at most: the longest that others had to wait, without what other processes took away.
"""

import asyncio
import gzip
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from retryscope import Operation
from retryscope.exposition import LEVEL, Exposition
from retryscope.metrics import SERIES_PER_OPERATION, Metrics, OperationMetrics, metrics_for

from . import child
from .findings import Finding
from .receiver import Receiver
from .result import Column, Result
from .rounds import Sample, interleave

_ACCEPT = "application/openmetrics-text; version=1.0.0"
_IDS = (0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7)
_WAYS = ("client", "ours")
_COMPRESSED = ("client+gzip", "ours+gzip")
_CHANGED = {"all": 1, "tenth": 10, "none": 0}
"""Of how many operations the first has something counted."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the registry is, and how often a sample scrapes it."""

    series: int = 10_000
    scrapes: int = 3


def declared(series: int) -> tuple[CollectorRegistry, list[OperationMetrics]]:
    """A registry with at least that many series, and the metrics of its operations."""
    registry = CollectorRegistry()
    metrics: Metrics = metrics_for(registry)
    number = -(-series // SERIES_PER_OPERATION)
    operations = (Operation(f"scraped_{each}", workflow=f"scraped_{each % 5}") for each in range(number))
    return registry, [metrics.of(operation) for operation in operations]


def happen(operations: Sequence[OperationMetrics], rng: random.Random) -> None:
    """Something is counted in every family and label set of these."""
    for each in operations:
        for outcome in each._durations:
            each.started()
            each.ended(outcome, rng.expovariate(1.0), rng.randint(1, 5), _IDS)
        for outcome, error in list(each._attempts):
            each.attempt(outcome, error, rng.expovariate(1.0), None if outcome == "success" else _IDS)
        for reason in each._giveups:
            each.gave_up(reason, _IDS)
        for cause in each._cancellations:
            each.cancelled(cause)
        for cleaned in each._cleanup:
            each.cleaned_up(cleaned, rng.expovariate(1.0), _IDS)
        each.backoff(rng.expovariate(1.0))


class _Held:
    """The longest that the loop's thread worked between two turns."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest = max(self.longest, now - last)
            last = now


@contextmanager
def open_work(way: str, size: dict[str, int], seed: int) -> Iterator[Callable[..., Sample]]:
    small, rng = Size(**size), random.Random(seed)
    registry, operations = declared(small.series)
    encode, _ = choose_encoder(_ACCEPT)

    async def by_client() -> bytes:
        return encode(registry)

    with asyncio.Runner() as runner:
        exposition = Exposition(registry)

        async def ours() -> bytes:
            return (await exposition.render(_ACCEPT))[1]

        async def client_compressed() -> bytes:
            return gzip.compress(encode(registry), LEVEL)

        async def ours_compressed() -> bytes:
            return (await exposition.render(_ACCEPT, compressed=True))[1]

        assert gzip.decompress(runner.run(ours_compressed())) == encode(registry)
        assert runner.run(ours()) == encode(registry), "what is compared is not the same text"
        scrape = {
            "client": by_client,
            "ours": ours,
            "client+gzip": client_compressed,
            "ours+gzip": ours_compressed,
        }[way]

        def sample(every: int) -> Sample:
            return runner.run(_scraped(scrape, operations[::every] if every else (), rng, small))

        yield sample


async def _scraped(
    scrape: Callable[[], Awaitable[bytes]],
    changing: Sequence[OperationMetrics],
    rng: random.Random,
    size: Size,
) -> Sample:
    held, cpu = _Held(), 0.0
    for _ in range(size.scrapes):
        happen(changing, rng)
        watching = asyncio.create_task(held.watch())
        await asyncio.sleep(0)
        started = time.process_time()
        body = await scrape()
        cpu += time.process_time() - started
        await asyncio.sleep(0)
        watching.cancel()
        assert body
    return {"cpu": cpu / size.scrapes, "held": held.longest}


def measure(
    receiver: Receiver,  # noqa: ARG001 - nothing is exported
    *,
    rounds: int,
    rng: random.Random,
    size: Size | None = None,
) -> Result:
    size = size or Size()
    seed = rng.randrange(2**32)
    tasks = {way: {"way": way, "size": asdict(size), "seed": seed} for way in (*_WAYS, *_COMPRESSED)}

    def sample(variant: str) -> Sample:
        way, _, changed = variant.partition(" ")
        return ask[way](every=_CHANGED[changed])

    variants = (
        *(f"{way} {changed}" for changed in _CHANGED for way in _WAYS),
        *(f"{way} all" for way in _COMPRESSED),
    )
    with child.running("benchmarks.scrapes", tasks) as ask:
        taken = interleave(variants, sample, rounds=rounds, rng=rng)
    return Result(
        title=f"P7  a scrape of {size.series:,} series",
        variants=variants,
        columns=(
            Column("cpu", "ms", ("client all",), scale=1e3),
            Column("held", "held, ms", ("client all",), scale=1e3),
        ),
        rounds=taken,
        findings={
            "P7/held": Finding.of(taken.ratio("ours all", "client all", "held")),
            **{
                f"P7/{changed}": Finding.of(taken.ratio(f"ours {changed}", f"client {changed}", "cpu"))
                for changed in _CHANGED
            },
        },
        notes=(f"OpenMetrics with exemplars; gzip of level {LEVEL}, which ours does on a thread",),
    )
