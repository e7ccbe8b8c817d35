"""P4: the memory of a task that is asleep in backoff with its spans open."""

import random

from .asleep import Task, sample_in_fresh_process
from .findings import Finding
from .receiver import Receiver
from .result import Column, Result
from .rounds import Sample, interleave
from .variants import absent, present


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, callers: int = 2_500) -> Result:
    def sample(name: str) -> Sample:
        return sample_in_fresh_process(Task("memory", name, callers, receiver.port))

    variants = present()
    taken = interleave(variants, sample, rounds=rounds, rng=rng)
    return Result(
        title=f"P4  memory of each of {callers:,} tasks asleep in backoff, its spans open",
        variants=variants,
        columns=(Column("memory", "bytes/task", ("bare loop", "tenacity")),),
        rounds=taken,
        findings={"P4": Finding.of(taken.ratio("fast path", "bare loop", "memory"))},
        absent=absent(),
    )
