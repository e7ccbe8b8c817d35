"""P9: cost grows linearly with the attempts of a retry, the spans of a trace, and the runs at once.

A sample does the same number in pieces of the size that is looked at: one retry with 5,000 attempts, or
1,000 with five. What is found is the power that CPU grows with, fitted through the sizes of a round: 1 is
linear. Spans are exported, and the queue is large enough for all of them; runs are fed to the page, too.
"""

import asyncio
import gc
import math
import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from unittest.mock import patch

from retryscope import RetryPolicy, retry, step, workflow
from retryscope_service.console.console import Console
from retryscope_service.runs.events import RunEvents
from retryscope_service.traces.span_store import SpanStore

from . import child
from .findings import Finding
from .receiver import Receiver
from .result import Column, Result
from .rounds import Ratio, Rounds, Sample, interleave
from .variants import open_variant
from .variants.operation import FETCH
from .workload import UnavailableError

Sizes = tuple[int, ...]
SIZES: Final[Mapping[str, Sizes]] = {
    "attempts": (5, 50, 500, 5_000),
    "spans": (5, 50, 500, 5_000),
    "runs": (1, 10, 100, 1_000),
}
_ROOM: Final = "200000"
"""Spans that wait at most: all of a sample."""


async def _attempts(number: int) -> None:
    made = 0

    @retry(FETCH, RetryPolicy(max_attempts=number, base_delay=0.0, backoff_factor=1, jitter="none"))
    async def fail_until_the_last() -> None:
        nonlocal made
        made += 1
        if made < number:
            raise UnavailableError("again")

    await fail_until_the_last()
    assert made == number


async def _spans(number: int) -> None:
    async with workflow("benchmark"):
        for _ in range(number):
            async with step(FETCH):
                pass


async def _runs(number: int) -> None:
    started = 0
    all_started = asyncio.Event()

    async def run() -> None:
        nonlocal started
        async with workflow("benchmark"), step(FETCH):
            started += 1
            if started == number:
                all_started.set()
            await all_started.wait()

    await asyncio.gather(*(run() for _ in range(number)))


_WORK: Final[dict[str, Callable[[int], Awaitable[None]]]] = {
    "attempts": _attempts,
    "spans": _spans,
    "runs": _runs,
}


@contextmanager
def open_work(kind: str, endpoint: str, total: int) -> Iterator[Callable[..., Sample]]:
    console = Console(SpanStore(500, max_spans=200_000))
    processors = (console.feed, RunEvents()) if kind == "runs" else ()
    with (
        patch.dict(os.environ, {"OTEL_BSP_MAX_QUEUE_SIZE": _ROOM}),
        open_variant("fast path", endpoint, processors) as variant,
    ):

        def sample(size: int) -> Sample:
            gc.collect()
            started = time.process_time()
            asyncio.run(_pieces(_WORK[kind], size, total // size))
            variant.flush()
            seconds = time.process_time() - started
            assert variant.dropped() == 0
            return {"cpu": seconds / total}

        sample(total // 10)
        yield sample


async def _pieces(work: Callable[[int], Awaitable[None]], size: int, pieces: int) -> None:
    for _ in range(pieces):
        await work(size)


def measure(
    receiver: Receiver, *, rounds: int, rng: random.Random, sizes: Mapping[str, Sizes] = SIZES
) -> Result:
    tasks = {
        kind: {"kind": kind, "endpoint": receiver.endpoint(f"P9/{kind}"), "total": sizes[kind][-1]}
        for kind in sizes
    }
    variants = tuple(f"{kind} {size}" for kind in sizes for size in sizes[kind])

    def sample(variant: str) -> Sample:
        kind, _, size = variant.partition(" ")
        return ask[kind](size=int(size))

    with child.running("benchmarks.growth", tasks) as ask:
        taken = interleave(variants, sample, rounds=rounds, rng=rng)
    return Result(
        title="P9  attempts of a retry, spans of a trace, runs at once: CPU of each, by how many there are",
        variants=variants,
        columns=(Column("cpu", "CPU us/each", scale=1e6),),
        rounds=taken,
        findings={f"P9/{kind}": Finding.of(powers(taken, kind, sizes[kind])) for kind in sizes},
        notes=("1.00 is linear; less than that is what a retry, a trace or a loop costs once",),
    )


def powers(taken: Rounds, kind: str, sizes: Sizes) -> Ratio:
    """The power of the size that the CPU of a piece grows with, in each round."""
    found = []
    for each in taken.samples:
        pieces = [math.log(size * each[f"{kind} {size}"]["cpu"]) for size in sizes]
        slope, _ = statistics.linear_regression([math.log(size) for size in sizes], pieces)
        found.append(slope)
    return Ratio.of(found)
