"""P1: 200 tasks at once, a fifth of which fail, retried, traced, counted and exported.

"20 % failing" means: of the 200 tasks that run at once, every fifth one fails on the first attempt of each
of its calls and succeeds on the second. There is no delay, so that no time is spent asleep, and nothing is
random. A task makes three calls in a row, so that starting it does not hide what a call costs. An attempt
takes one turn of the loop. CPU is the time of the variant's own process, all threads: encoding and sending
spans is included, and the clock stops when the last span has been received by a server in another process.

The samples are short and there are many of them, because a shared machine runs fast and slow by turns: the
two of a pair should fall into the same turn.
"""

import asyncio
import gc
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from . import child
from .findings import Finding
from .receiver import Receiver
from .result import Column, Result
from .rounds import Rounds, Sample, interleave
from .variants import INSTRUMENTED, absent, open_variant, present
from .variants.operation import SPANS_OF_A_RETRY, SPANS_OF_A_SUCCESS
from .variants.variant import Variant
from .workload import FlakyServer, Policy, call_concurrently

_SHORT_ROUNDS = 5
"""Rounds of these short samples for each one that is asked for."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done in a sample.

    Attributes:
        callers: Tasks at once.
        calls_each: Calls that each makes.
        shortest_sample: CPU seconds; a faster variant does its calls several times over.
        fail_every: Which of the callers fails first each time; 0 is none.
    """

    callers: int = 200
    calls_each: int = 3
    shortest_sample: float = 0.04
    fail_every: int = 5

    @property
    def calls(self) -> int:
        return self.callers * self.calls_each

    @property
    def failing(self) -> int:
        return len(range(0, self.callers, self.fail_every)) if self.fail_every else 0

    @property
    def spans(self) -> int:
        succeeding = self.callers - self.failing
        return self.calls_each * (self.failing * SPANS_OF_A_RETRY + succeeding * SPANS_OF_A_SUCCESS)


class _Work:
    def __init__(self, variant: Variant, size: Size) -> None:
        self._variant = variant
        self._size = size
        self._repeats = 1
        self._runs = 0
        self._sample()
        seconds = self._sample()["cpu"] * size.calls
        self._repeats = max(1, math.ceil(size.shortest_sample / seconds))

    def _sample(self) -> Sample:
        """CPU seconds per call, and the spans of all samples so far."""
        return asyncio.run(self._measured())

    __call__ = _sample

    async def _measured(self) -> Sample:
        size, repeats = self._size, self._repeats
        server = FlakyServer(size.fail_every)
        call = self._variant.retrying(server.fetch, Policy(delay=0.0))
        answers: list[int] = []
        gc.collect()
        started = time.process_time()
        for _ in range(repeats):
            answers = await call_concurrently(call, callers=size.callers, calls_each=size.calls_each)
            self._variant.flush()
        seconds = time.process_time() - started
        self._runs += repeats
        assert answers == [caller * size.calls_each for caller in range(size.callers)]
        assert server.attempts == (size.callers + size.failing) * size.calls_each * repeats
        return {"cpu": seconds / (size.calls * repeats), "spans": self._runs * size.spans}


@contextmanager
def open_work(variant: str, endpoint: str, size: dict[str, float]) -> Iterator[Callable[[], Sample]]:
    with open_variant(variant, endpoint) as opened:
        yield _Work(opened, Size(**size))  # type: ignore[arg-type]


def compare(receiver: Receiver, number: str, *, rounds: int, rng: random.Random, size: Size) -> Rounds:
    """Each variant's CPU per call; every span of those that record has arrived."""
    variants = present()
    paths = {name: f"{number}/{name}".replace(" ", "-") for name in variants}
    tasks = {
        name: {"variant": name, "endpoint": receiver.endpoint(paths[name]), "size": asdict(size)}
        for name in variants
    }
    with child.running("benchmarks.retries", tasks) as ask:
        taken = interleave(variants, lambda name: ask[name](), rounds=rounds * _SHORT_ROUNDS, rng=rng)
        for name in set(variants) & set(INSTRUMENTED):
            arrived, recorded = receiver.spans(paths[name]), taken.samples[-1][name]["spans"]
            assert arrived == recorded, f"{name}: of {recorded} spans {arrived} arrived"
    return taken


def shown(title: str, taken: Rounds, findings: dict[str, Finding]) -> Result:
    return Result(
        title=title,
        variants=present(),
        columns=(Column("cpu", "CPU us/call", ("bare loop", "tenacity", "textbook"), scale=1e6),),
        rounds=taken,
        findings=findings,
        notes=(f"every span of {' and '.join(present(INSTRUMENTED))} arrived at the receiver",),
        absent=absent(),
    )


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, size: Size | None = None) -> Result:
    size = size or Size()
    taken = compare(receiver, "P1", rounds=rounds, rng=rng, size=size)
    return shown(
        f"P1  {size.callers} tasks at once, 20 % failing, {size.spans / size.calls:g} spans per call",
        taken,
        {
            "P1/tenacity": Finding.of(taken.ratio("fast path", "tenacity", "cpu")),
            "P1/bare": Finding.of(taken.ratio("fast path", "bare loop", "cpu")),
            "P1/lean": Finding.of(taken.ratio("sdk path", "textbook", "cpu")),
        },
    )
