"""P4: the memory of a task that is asleep in backoff with its spans open."""

import random

from .asleep import Task, sample_in_fresh_process
from .goals import Goal
from .receiver import Receiver
from .result import Column, Result
from .rounds import Sample, interleave
from .variants import NAMES


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, callers: int = 5_000) -> Result:
    def sample(name: str) -> Sample:
        return sample_in_fresh_process(Task("memory", name, callers, receiver.port))

    taken = interleave(NAMES, sample, rounds=rounds, rng=rng)
    return Result(
        title=f"P4  memory of each of {callers:,} tasks asleep in backoff, its spans open",
        variants=NAMES,
        columns=(Column("memory", "bytes/task", ("bare loop", "tenacity")),),
        rounds=taken,
        goals=(
            Goal.of_ratio(
                "P4",
                "memory asleep, spans open, to the bare loop",
                taken.ratio("retryscope", "bare loop", "memory"),
                2.0,
            ),
        ),
    )
