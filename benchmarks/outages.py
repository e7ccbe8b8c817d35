"""P6: a collector that is gone, slow (a second for each request) or refusing (503), to one that is well.

A process makes calls as fast as it can: first as many as overfill the queue, then as many again, timed. What
matters is that calls go on as fast as ever, that memory stays where it was once the queue was full, that
every span has either arrived or been counted as dropped, and that the spans made after the collector is back
arrive, in the same process.
"""

import asyncio
import gc
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Final

from . import child
from .asleep import resident_bytes
from .findings import Finding
from .receiver import Receiver, running_receiver
from .result import Column, Result
from .rounds import Sample, interleave
from .variants.operation import SPANS_OF_A_SUCCESS
from .variants.retryscope import fast_path
from .workload import FlakyServer, Policy, call_concurrently

_VARIANTS: Final = ("normal", "gone", "slow", "refusing")
_TIMEOUT: Final = 2.0
"""Seconds that the exporter gives a request, all its tries: long enough for the slow collector."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is called.

    Attributes:
        callers: Tasks at once.
        calls_each: Of each, before the clock starts and once more after it.
        after: Calls of each when the collector is back.
    """

    callers: int = 200
    calls_each: int = 80
    after: int = 5

    @property
    def spans(self) -> int:
        return self.callers * (2 * self.calls_each + self.after) * SPANS_OF_A_SUCCESS


@contextmanager
def open_work(endpoint: str, size: dict[str, int]) -> Iterator[Callable[..., Sample]]:
    wanted = Size(**size)
    with fast_path(endpoint, (), timeout=_TIMEOUT) as variant:
        server = FlakyServer(fail_every=0)
        call = variant.retrying(server.fetch, Policy())

        def make(calls_each: int) -> float:
            gc.collect()
            started = time.perf_counter()
            asyncio.run(call_concurrently(call, callers=wanted.callers, calls_each=calls_each))
            return time.perf_counter() - started

        def sample(phase: str) -> Sample:
            if phase == "outage":
                make(wanted.calls_each)
                full = resident_bytes()
                seconds = make(wanted.calls_each)
                return {
                    "rate": wanted.callers * wanted.calls_each / seconds,
                    "memory": resident_bytes() / full,
                    "resident": resident_bytes(),
                }
            variant.flush()
            if phase == "afterwards":
                make(wanted.after)
                variant.flush()
            return {"dropped": variant.dropped()}

        yield sample


def _sample(receiver: Receiver, how: str, number: int, size: Size) -> Sample:
    """In a process of its own: an outage, its end, and what then arrives."""
    path = f"P6/{how}/{number}"
    with ExitStack() as stack:
        if how == "gone":
            there = Receiver(_free_port())
        else:
            there = receiver
            there.treat(path, how)
        task = {"endpoint": there.endpoint(path), "size": asdict(size)}
        ask = stack.enter_context(child.running("benchmarks.outages", {how: task}))[how]
        taken = ask(phase="outage")
        if how == "gone":
            there = stack.enter_context(running_receiver(there.port))
        else:
            there.treat(path, "normal")
        ask(phase="back")
        before = there.spans(path)
        dropped = ask(phase="afterwards")["dropped"]
        arrived = there.spans(path)
    made = size.callers * size.after * SPANS_OF_A_SUCCESS
    return {
        **taken,
        "dropped": dropped,
        "lost": abs(size.spans - arrived - dropped),
        "recovered": (arrived - before) / made,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, size: Size | None = None) -> Result:
    size = size or Size()
    numbers = iter(range(2**62))
    taken = interleave(
        _VARIANTS, lambda how: _sample(receiver, how, next(numbers), size), rounds=rounds, rng=rng
    )
    bad = _VARIANTS[1:]
    samples = [each[how] for each in taken.samples for how in bad]
    return Result(
        title=f"P6  {size.spans:,} spans while the collector is gone, slow or refusing",
        variants=_VARIANTS,
        columns=(
            Column("rate", "calls/s", ("normal",)),
            Column("resident", "resident MiB", scale=2**-20),
            Column("memory", "growth, times"),
            Column("dropped", "spans dropped"),
        ),
        rounds=taken,
        findings={
            **{f"P6/{how}": Finding.of(taken.ratio(how, "normal", "rate")) for how in bad},
            "P6/memory": Finding(max(sample["memory"] for sample in samples)),
            "P6/lost": Finding(max(sample["lost"] for sample in samples)),
            "P6/recovery": Finding(min(sample["recovered"] for sample in samples)),
        },
        notes=("growth: memory after as many calls again, to when the queue was full",),
    )
