"""One sample of many tasks in backoff at once, in a process of its own: ``python -m benchmarks.asleep JSON``.

A fresh process for each sample, because memory that an earlier one has given back to the allocator would be
used again unseen, and because the garbage collector's work grows with everything that is alive.
"""

import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from .receiver import Receiver
from .rounds import Sample
from .variants import UNINSTRUMENTED, open_variant
from .variants.operation import SPANS_OF_A_RETRY
from .variants.variant import Variant
from .workload import FlakyServer, Policy

_EVERY_CALL_FAILS_ONCE = 1
_WARM_UP_CALLS = 200
_SLICE = 500
_TURNS_TO_SLEEP = 5
_FOR_EVER = 86_400.0
_A_REAL_TIMER = 0.001


@dataclass(frozen=True, slots=True)
class Task:
    """What the process is to do.

    Attributes:
        measure: ``memory`` of tasks asleep (P4), or ``burst``: all fail, sleep and succeed (P5).
        variant: By its name.
        callers: Tasks asleep at once.
        port: Where the receiver listens.
    """

    measure: Literal["memory", "burst"]
    variant: str
    callers: int
    port: int


def sample_in_fresh_process(task: Task) -> Sample:
    command = [sys.executable, "-m", "benchmarks.asleep", json.dumps(asdict(task))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{task} failed:\n{done.stderr}")
    sample: Sample = json.loads(done.stdout)
    return sample


async def memory(variant: Variant, callers: int) -> Sample:
    """Bytes that the process grows by for each task asleep in backoff.

    The resident set, because that is what has to be paid for: it includes what the allocator rounds up and
    what C code allocates, which tracemalloc does not see. The first fifth of the tasks is not counted, so
    that what is needed once (threads, connections, caches) drops out. They fall asleep in slices, each
    flushed, so that no queue of ended spans is counted: what is left are the tasks with the spans they have
    open.
    """
    server = FlakyServer(_EVERY_CALL_FAILS_ONCE)
    call = variant.retrying(server.fetch, Policy(delay=_FOR_EVER))
    tasks: list[asyncio.Task[int]] = []

    async def put_to_sleep(until: int) -> int:
        while len(tasks) < until:
            fresh = range(len(tasks), min(until, len(tasks) + _SLICE))
            tasks.extend(asyncio.create_task(call(caller)) for caller in fresh)
            for _ in range(_TURNS_TO_SLEEP):
                await asyncio.sleep(0)
            assert server.failures == len(tasks)
            variant.flush()
        gc.collect()
        return resident_bytes()

    first = callers // 5
    before = await put_to_sleep(first)
    after = await put_to_sleep(first + callers)
    assert server.attempts == server.failures == len(tasks)
    return {"memory": (after - before) / callers}


async def burst(variant: Variant, callers: int) -> Sample:
    """CPU seconds per task, and seconds until the last task has its answer.

    Every task fails, sleeps for a millisecond, and succeeds. The loop starts all of them and lets all of
    them fail before it looks at a timer, so they really are asleep at once, each with a timer of its own,
    and the time that passes is work, not sleep. CPU goes on until everything has been exported.
    """
    await _retry_once_each(variant, _WARM_UP_CALLS)
    variant.flush()
    gc.collect()
    cpu_started, started = time.process_time(), time.perf_counter()
    await _retry_once_each(variant, callers)
    total = time.perf_counter() - started
    variant.flush()
    return {"cpu": (time.process_time() - cpu_started) / callers, "total": total}


async def _retry_once_each(variant: Variant, callers: int) -> None:
    server = FlakyServer(_EVERY_CALL_FAILS_ONCE)
    call = variant.retrying(server.fetch, Policy(delay=_A_REAL_TIMER))
    answers = await asyncio.gather(*(call(caller) for caller in range(callers)))
    assert answers == list(range(callers))
    assert server.attempts == 2 * callers
    assert server.most_waiting == callers, f"only {server.most_waiting} were asleep at once"


def resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _run(task: Task) -> Sample:
    receiver = Receiver(task.port)
    path = f"{task.measure}/{task.variant}/{os.getpid()}".replace(" ", "-")
    with open_variant(task.variant, receiver.endpoint(path)) as variant:
        if task.measure == "memory":
            found = asyncio.run(memory(variant, task.callers))
        else:
            found = asyncio.run(burst(variant, task.callers))
            if task.variant not in UNINSTRUMENTED:
                started = SPANS_OF_A_RETRY * (_WARM_UP_CALLS + task.callers)
                spans = {"started": started, "arrived": receiver.spans(path), "dropped": variant.dropped()}
                found = {**found, **spans}
    return found


if __name__ == "__main__":
    print(json.dumps(_run(Task(**json.loads(sys.argv[1])))))
