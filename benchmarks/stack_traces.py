"""P12: what a failure with a stack trace adds to a step, to what ``record_exception`` adds to a span.

A step records a failure by the same code as an attempt, and logs nothing. Both raise and catch the same
exception from the same depth. What a step that fails costs beyond one that succeeds, less what raising and
catching cost by themselves, is what recording the failure adds. Ours is exported, stack trace and all; the
SDK's is only recorded, and its encoder would come on top.
"""

import asyncio
import gc
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from opentelemetry.sdk.trace import TracerProvider

from retryscope import step

from . import child
from .findings import Finding
from .receiver import Receiver
from .result import Column, Result
from .rounds import Rounds, Sample, interleave
from .variants import open_variant
from .variants.operation import FETCH
from .variants.variant import Variant
from .workload import UnavailableError

FRAMES: Final = (15, 3)
_WAYS: Final = ("bare", "record_exception", "sdk path", "fast path")
_CALLS = 400


async def even(frames: int) -> None:
    """Two functions call each other, because Python folds the frames of one that calls itself."""
    if frames <= 1:
        raise UnavailableError("with a stack trace")
    await odd(frames - 1)


async def odd(frames: int) -> None:
    if frames <= 1:
        raise UnavailableError("with a stack trace")
    await even(frames - 1)


async def _work(frames: int) -> None:
    """Fail with so many frames below this one; 0 is to succeed."""
    if frames:
        await even(frames - 1)


async def _bare(frames: int) -> None:
    with suppress(UnavailableError):
        await _work(frames)


async def _ours(frames: int) -> None:
    with suppress(UnavailableError):
        async with step(FETCH):
            await _work(frames)


@contextmanager
def open_work(way: str, endpoint: str, calls: int) -> Iterator[Callable[[], Sample]]:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("benchmark")

    async def recorded(frames: int) -> None:
        span = tracer.start_span("attempt")
        try:
            await _work(frames)
        except UnavailableError as error:
            span.record_exception(error)
        span.end()

    call = {"bare": _bare, "record_exception": recorded}.get(way, _ours)
    with open_variant(way if call is _ours else "bare loop", endpoint) as variant:

        def sample() -> Sample:
            return {str(frames): asyncio.run(_timed(call, frames, calls, variant)) for frames in (0, *FRAMES)}

        sample()
        yield sample


async def _timed(call: Callable[[int], object], frames: int, calls: int, variant: Variant) -> float:
    gc.collect()
    started = time.process_time()
    for _ in range(calls):
        await call(frames)  # type: ignore[misc]
    variant.flush()
    return (time.process_time() - started) / calls


def added(taken: Rounds) -> Rounds:
    """What each way adds to a failure of so many frames, beyond raising and catching it."""
    return Rounds(
        [
            {
                way: {
                    str(frames): (sample[way][str(frames)] - sample[way]["0"])
                    - (sample["bare"][str(frames)] - sample["bare"]["0"])
                    for frames in FRAMES
                }
                for way in _WAYS[1:]
            }
            for sample in taken.samples
        ]
    )


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, calls: int = _CALLS) -> Result:
    tasks = {
        way: {"way": way, "endpoint": receiver.endpoint(f"P12/{way}".replace(" ", "-")), "calls": calls}
        for way in _WAYS
    }
    with child.running("benchmarks.stack_traces", tasks) as ask:
        taken = added(interleave(_WAYS, lambda way: ask[way](), rounds=rounds, rng=rng))
    return Result(
        title="P12 what a failure with its stack trace adds",
        variants=_WAYS[1:],
        columns=tuple(
            Column(str(frames), f"us, {frames} frames", ("record_exception",), scale=1e6) for frames in FRAMES
        ),
        rounds=taken,
        findings={
            f"P12/{frames} frames": Finding.of(taken.ratio("fast path", "record_exception", str(frames)))
            for frames in FRAMES
        },
        notes=("ours with encoding and sending the event, record_exception without",),
    )
