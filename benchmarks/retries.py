"""P1: 200 tasks at once, a fifth of which fail, retried, traced, counted and exported.

"20 % failing" means: of the 200 tasks that run at once, every fifth one fails on the first attempt of each
of its calls and succeeds on the second. There is no delay, so that no time is spent asleep, and nothing is
random. A task makes three calls in a row, so that starting it does not hide what a call costs. An attempt
takes one turn of the loop. CPU is the time of the whole process, all threads: encoding and sending spans is
included, and the clock stops when the last span has been received by a server in another process.

The samples are short and there are many of them, because a shared machine runs fast and slow by turns: the
two of a pair should fall into the same turn.
"""

import asyncio
import gc
import math
import random
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from .goals import Goal
from .receiver import Receiver
from .result import Column, Result
from .rounds import Rounds, Sample, interleave
from .variants import INSTRUMENTED, NAMES, open_variant
from .variants.operation import SPANS_OF_A_RETRY, SPANS_OF_A_SUCCESS
from .variants.variant import Variant
from .workload import FlakyServer, Policy, call_concurrently

_FAIL_EVERY = 5
_SHORT_ROUNDS = 5
"""Rounds of these short samples for each one that is asked for."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done in a sample.

    Attributes:
        callers: Tasks at once.
        calls_each: Calls that each makes.
        shortest_sample: CPU seconds; a faster variant does its calls several times over.
    """

    callers: int = 200
    calls_each: int = 3
    shortest_sample: float = 0.05

    @property
    def calls(self) -> int:
        return self.callers * self.calls_each

    @property
    def spans(self) -> int:
        failing = len(range(0, self.callers, _FAIL_EVERY))
        succeeding = self.callers - failing
        return self.calls_each * (failing * SPANS_OF_A_RETRY + succeeding * SPANS_OF_A_SUCCESS)


class _Measurement:
    def __init__(self, variants: Mapping[str, Variant], size: Size) -> None:
        self._variants = variants
        self._size = size
        self._repeats: dict[str, int] = {}
        self.runs = dict.fromkeys(variants, 0)

    def warm_up(self) -> None:
        """Run every variant, and find out how often the fast ones have to run to be measurable."""
        for name in self._variants:
            self._repeats[name] = 1
            self(name)
            seconds = self(name)["cpu"] * self._size.calls
            self._repeats[name] = max(1, math.ceil(self._size.shortest_sample / seconds))

    def __call__(self, name: str) -> Sample:
        """CPU seconds per call."""
        return asyncio.run(self._sample(name))

    async def _sample(self, name: str) -> Sample:
        variant, size, repeats = self._variants[name], self._size, self._repeats[name]
        server = FlakyServer(_FAIL_EVERY)
        call = variant.retrying(server.fetch, Policy(delay=0.0))
        answers: list[int] = []
        gc.collect()
        started = time.process_time()
        for _ in range(repeats):
            answers = await call_concurrently(call, callers=size.callers, calls_each=size.calls_each)
            variant.flush()
        seconds = time.process_time() - started
        self.runs[name] += repeats
        assert answers == [caller * size.calls_each for caller in range(size.callers)], name
        failing = len(range(0, size.callers, _FAIL_EVERY))
        assert server.attempts == (size.callers + failing) * size.calls_each * repeats, name
        return {"cpu": seconds / (size.calls * repeats)}


def _path(variant: str) -> str:
    return f"P1/{variant}"


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, size: Size | None = None) -> Result:
    size = size or Size()
    with ExitStack() as opened:
        variants = {
            name: opened.enter_context(open_variant(name, receiver.endpoint(_path(name)))) for name in NAMES
        }
        measurement = _Measurement(variants, size)
        measurement.warm_up()
        taken = interleave(NAMES, measurement, rounds=rounds * _SHORT_ROUNDS, rng=rng)
        for name in INSTRUMENTED:
            arrived, recorded = receiver.spans(_path(name)), measurement.runs[name] * size.spans
            assert arrived == recorded, f"{name}: of {recorded} spans {arrived} arrived"
    return Result(
        title=f"P1  {size.callers} tasks at once, 20 % failing, {size.spans / size.calls:g} spans per call",
        variants=NAMES,
        columns=(Column("cpu", "CPU us/call", ("bare loop", "tenacity", "textbook"), scale=1e6),),
        rounds=taken,
        goals=_goals(taken),
        notes=(f"every span of {' and '.join(INSTRUMENTED)} arrived at the receiver",),
    )


def _goals(taken: Rounds) -> tuple[Goal, ...]:
    to_tenacity = taken.ratio("retryscope", "tenacity", "cpu")
    to_bare = taken.ratio("retryscope", "bare loop", "cpu")
    to_textbook = taken.ratio("retryscope", "textbook", "cpu")
    return (
        Goal.of_ratio("P1", "CPU, traced and exported, to uninstrumented tenacity", to_tenacity, 0.33),
        Goal.of_ratio("P1", "CPU, traced and exported, to the bare loop", to_bare, 6.0),
        Goal.of_ratio(
            "lean",
            "CPU of the lean SDK path to the textbook instrumentation",
            to_textbook,
            0.80,
            required=True,
        ),
    )
