"""P8: background runs through the real engine and worker, to bare docket tasks on the same Redis.

The runs of a sample are all submitted, through the service's own code, while the workers are stopped
(SIGSTOP). The clock starts when they go on (SIGCONT), both of two at once, and stops when the engine's stream
is empty, which is when the last run's end has been written and acknowledged. So neither starting processes
nor submitting is measured. Before every sample its database is emptied and the workers run a few to get warm.

The workers are real processes that live through all rounds: ``retryscope worker``, and as the baseline a
worker with the same docket settings whose task is an empty function. A variant's workers have a database of
their own, and are stopped while another variant is measured.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from . import redis_server
from .findings import Finding
from .receiver import Receiver
from .redis_server import RedisServer
from .result import Column, Result
from .rounds import Rounds, interleave
from .worker_group import Kind, Size, WorkerGroup
from .worker_limits import limits

_MOST_ROUNDS = 5
_VARIANTS: Final = {
    "bare task": Kind(bare=True, workers=1),
    "bare task x2": Kind(bare=True, workers=2),
    "run": Kind(bare=False, workers=1),
    "run x2": Kind(bare=False, workers=2),
}


@contextmanager
def _running_groups(server: RedisServer) -> Iterator[dict[str, WorkerGroup]]:
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        groups: dict[str, WorkerGroup] = {}
        try:
            for database, (name, kind) in enumerate(_VARIANTS.items()):
                groups[name] = WorkerGroup(kind, server, database, log)
                stack.callback(groups[name].kill)
            for group in groups.values():
                group.wait_until_ready()
            yield groups
        except RuntimeError as error:
            log.seek(0)
            raise RuntimeError(f"{error}:\n{log.read().decode()[-4000:]}") from error


def measure(
    receiver: Receiver,  # noqa: ARG001 - nothing is exported: a worker keeps its latest spans for itself
    *,
    rounds: int,
    rng: random.Random,
    size: Size | None = None,
) -> Result:
    size = size or Size()
    title = f"P8  {size.runs:,} background runs waiting in Redis, one attempt each, nothing exported"
    if not redis_server.is_installed():
        return _skipped(title)
    taking = min(rounds, _MOST_ROUNDS)
    started = time.monotonic()
    with redis_server.running_redis() as server, _running_groups(server) as groups:
        taken = interleave(_VARIANTS, lambda name: groups[name].sample(size), rounds=taking, rng=rng)
    fewer = f" instead of {rounds}, because one takes long" if taking < rounds else ""
    return Result(
        title=title,
        variants=tuple(_VARIANTS),
        columns=(
            Column("rate", "runs/s", ("bare task", "run")),
            Column("worker", "worker us/run", ("bare task",), scale=1e6),
            Column("redis", "Redis us/run", ("bare task",), scale=1e6),
        ),
        rounds=taken,
        findings=_findings(taken),
        notes=(f"{taking} rounds{fewer}; {time.monotonic() - started:.0f} s", *limits(taken)),
    )


def _skipped(title: str) -> Result:
    why = f"{redis_server.PROGRAM} is not on PATH (Debian: apt install redis-server)"
    return Result(title, (), (), Rounds(), {}, absent=dict.fromkeys(_VARIANTS, why))


def _findings(taken: Rounds) -> dict[str, Finding]:
    return {
        "P8/bare": Finding.of(taken.ratio("run", "bare task", "rate")),
        "P8/two": Finding.of(taken.ratio("run x2", "run", "rate")),
    }
