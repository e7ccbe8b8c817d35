"""P12: a timeout that fires, one that does not, and a gather of ten, to asyncio's own."""

import asyncio
import gc
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import retryscope

from . import child
from .findings import Finding
from .receiver import Receiver
from .result import Column, Result
from .rounds import Sample, interleave
from .variants import open_variant
from .variants.operation import FETCH

_VARIANTS: Final = ("asyncio", "sdk path", "fast path")
_CALLS = 300
_AT_ONCE: Final = 1e-6
_LATER: Final = 60.0
_TEN: Final = tuple(f"call {number}" for number in range(10))


async def _answer() -> int:
    await asyncio.sleep(0)
    return 1


async def _asyncio_timeout(limit: float) -> bool:
    try:
        async with asyncio.timeout(limit):
            await (_answer() if limit == _LATER else asyncio.Event().wait())
    except TimeoutError:
        return True
    return False


async def _our_timeout(limit: float) -> bool:
    try:
        async with retryscope.timeout(FETCH, limit):
            await (_answer() if limit == _LATER else asyncio.Event().wait())
    except TimeoutError:
        return True
    return False


async def _asyncio_gather() -> int:
    return sum(await asyncio.gather(*(_answer() for _ in _TEN)))


async def _our_gather() -> int:
    return len(await retryscope.gather(FETCH, dict.fromkeys(_TEN, _answer)))


@contextmanager
def open_work(variant: str, endpoint: str, calls: int) -> Iterator[Callable[[], Sample]]:
    bare = variant == "asyncio"
    timeout = _asyncio_timeout if bare else _our_timeout
    gather = _asyncio_gather if bare else _our_gather

    async def fires() -> bool:
        return await timeout(_AT_ONCE)

    async def does_not_fire() -> bool:
        return not await timeout(_LATER)

    async def gathers() -> bool:
        return await gather() == len(_TEN)

    with open_variant("bare loop" if bare else variant, endpoint) as opened:

        async def timed(call: Callable[[], Awaitable[bool]]) -> float:
            gc.collect()
            started = time.process_time()
            for _ in range(calls):
                assert await call()
            opened.flush()
            return (time.process_time() - started) / calls

        def sample() -> Sample:
            return {
                "fires": asyncio.run(timed(fires)),
                "not": asyncio.run(timed(does_not_fire)),
                "gather": asyncio.run(timed(gathers)),
            }

        sample()
        yield sample


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, calls: int = _CALLS) -> Result:
    tasks = {
        name: {
            "variant": name,
            "endpoint": receiver.endpoint(f"P12/{name}".replace(" ", "-")),
            "calls": calls,
        }
        for name in _VARIANTS
    }
    with child.running("benchmarks.primitives", tasks) as ask:
        taken = interleave(_VARIANTS, lambda name: ask[name](), rounds=rounds, rng=rng)
    return Result(
        title="P12 timeouts and a gather of ten, to asyncio's own",
        variants=_VARIANTS,
        columns=(
            Column("fires", "us, fires", ("asyncio",), scale=1e6),
            Column("not", "us, does not", ("asyncio",), scale=1e6),
            Column("gather", "us, gather", ("asyncio",), scale=1e6),
        ),
        rounds=taken,
        findings={
            "P12/timeout": Finding.of(taken.ratio("fast path", "asyncio", "fires")),
            "P12/gather": Finding.of(taken.ratio("fast path", "asyncio", "gather")),
        },
    )
