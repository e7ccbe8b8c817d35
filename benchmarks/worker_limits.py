"""What bounds the ratios of P8 on this machine."""

import os
from typing import Final

from .rounds import Rounds

_WIDE = 0.5
"""Between the quartiles of two workers to one."""
_DOUBTFUL: Final = (
    "two workers to one is NOT to be relied on here, whatever its verdict: it is above 2, or varies too much;"
    " where other processes compete for the cores, two get more of them than one"
)


def limits(taken: Rounds) -> tuple[str, ...]:
    """What bounds these ratios on this machine, from the CPU that was used."""
    worker, redis = taken.median("run", "worker"), taken.median("run", "redis")
    if not worker:  # no /proc
        return ()
    cores = os.cpu_count() or 1
    busy = taken.median("run", "rate") * worker
    bare_busy = taken.median("bare task", "rate") * taken.median("bare task", "worker")
    bare_two = taken.ratio("bare task x2", "bare task", "rate").median
    one = (
        f"a worker had {busy:.2f} of a core with runs, {bare_busy:.2f} with bare tasks, and waited the rest"
        " (docket for 100 ms whenever all slots are taken; for the core, where the machine is busy)"
    )
    at_most = most_gained(worker, redis, cores)
    two = (
        f"two workers and Redis on {cores} cores: {at_most:.2f} times a worker that fills its core is the"
        f" most that the CPU allows; bare tasks reach {bare_two:.2f}"
    )
    gained = taken.ratio("run x2", "run", "rate")
    if gained.median <= 2.0 and gained.high - gained.low <= _WIDE:
        return one, two
    return one, two, _DOUBTFUL


def most_gained(worker: float, redis: float, cores: int) -> float:
    """What a second worker can bring at most where one keeps its core busy.

    Args:
        worker: CPU seconds of a worker per run.
        redis: CPU seconds of Redis per run.
        cores: Which both workers and Redis share.
    """
    return min(2.0, cores * worker / (worker + redis))
