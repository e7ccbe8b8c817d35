"""P8: background runs through the real engine and worker, to bare docket tasks on the same Redis.

The runs of a sample are all submitted, through the service's own code, while the workers are stopped
(SIGSTOP). The clock starts when they go on (SIGCONT), both of two at once, and stops when the engine's stream
is empty, which is when the last run's end has been written and acknowledged. So neither starting processes
nor submitting is measured. Before every sample its database is emptied and the workers run a few to get warm.

The workers are real processes that live through all rounds: ``retryscope worker``, and as the baseline a
worker with the same docket settings whose task is an empty function. A variant's workers have a database of
their own, and are stopped while another variant is measured.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from prometheus_client import CollectorRegistry
from redis import Redis

from retryscope_service.runs.background import BackgroundRuns
from retryscope_service.runs.engine import Delivery, Engine
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.store import RunStore
from retryscope_service.workflows import WORKFLOWS

from . import redis_server
from .goals import Goal
from .receiver import Receiver
from .redis_server import RedisServer
from .result import Column, Result
from .rounds import Rounds, Sample, interleave

_WORKFLOW: Final = WORKFLOWS["retry"]
_PARAMS: Final = {"duration": 0, "failure_rate": 0, "seed": 1}
"""One attempt that succeeds at once: what is left is what a run costs."""
_MOST_ROUNDS = 5
_SUBMITTED_AT_ONCE = 32
_LOOK_EVERY = 0.01
_LIMIT = 60.0
_WIDE = 0.5
"""Between the quartiles of two workers to one."""
_DOUBTFUL: Final = (
    "two workers to one is NOT to be relied on here, whatever its verdict: it is above 2, or varies too much;"
    " where other processes compete for the cores, two get more of them than one"
)
_STREAM: Final = "retryscope:stream"
_WORKERS: Final = "retryscope:workers"


@dataclass(frozen=True, slots=True)
class Kind:
    """A variant.

    Attributes:
        bare: An empty docket task instead of a run.
        workers: Processes that work at once.
    """

    bare: bool
    workers: int


_VARIANTS: Final = {
    "bare task": Kind(bare=True, workers=1),
    "bare task x2": Kind(bare=True, workers=2),
    "run": Kind(bare=False, workers=1),
    "run x2": Kind(bare=False, workers=2),
}


@dataclass(frozen=True, slots=True)
class Size:
    """How many runs a sample has, and how many come before it."""

    runs: int = 600
    warm_up: int = 100


class _Group:
    """The workers of one variant, and their database."""

    def __init__(self, kind: Kind, server: RedisServer, database: int, log: IO[bytes]) -> None:
        self._kind = kind
        self._server = server
        self._url = server.url(database)
        self._redis: Redis = server.client(database)
        self._log = log
        self._processes = [self._start() for _ in range(kind.workers)]

    def _start(self) -> subprocess.Popen[bytes]:
        if self._kind.bare:
            command = [sys.executable, "-m", "benchmarks.bare_worker", self._url]
        else:
            command = [sys.executable, "-m", "retryscope_service", "worker", "--port", "0"]
        variables = {name: value for name, value in os.environ.items() if not name.startswith("RETRYSCOPE_")}
        return subprocess.Popen(
            command,
            env={**variables, "RETRYSCOPE_ENGINE_URL": self._url},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
        )

    def wait_until_ready(self) -> None:
        self._wait(lambda: self._redis.zcard(_WORKERS) == self._kind.workers, "every worker takes runs")
        self._signal(signal.SIGSTOP)

    def sample(self, size: Size) -> Sample:
        self._redis.flushdb()
        self._signal(signal.SIGCONT)
        asyncio.run(self._submit(size.warm_up))
        self._wait_until_drained()
        self._signal(signal.SIGSTOP)
        asyncio.run(self._submit(size.runs))

        workers, redis = self._cpu(), _cpu_seconds(self._server.pid)
        started = time.perf_counter()
        self._signal(signal.SIGCONT)
        self._wait_until_drained()
        seconds = time.perf_counter() - started
        workers, redis = self._cpu() - workers, _cpu_seconds(self._server.pid) - redis

        self._signal(signal.SIGSTOP)
        self._check(size.warm_up + size.runs)
        return {"rate": size.runs / seconds, "worker": workers / size.runs, "redis": redis / size.runs}

    async def _submit(self, number: int) -> None:
        async with Engine(self._url, connections=100, redelivery_seconds=15.0) as engine:
            engine.register(_runs_elsewhere)
            submit = self._bare_submission(engine) if self._kind.bare else _run_submission(engine)
            free = asyncio.Semaphore(_SUBMITTED_AT_ONCE)

            async def one() -> None:
                async with free:
                    await submit()

            await asyncio.gather(*(one() for _ in range(number)))

    def _bare_submission(self, engine: Engine) -> Callable[[], Awaitable[None]]:
        async def submit() -> None:
            await engine.enqueue(str(uuid.uuid4()), "")

        return submit

    def _wait_until_drained(self) -> None:
        self._wait(lambda: self._redis.xlen(_STREAM) == 0, "every run has ended")

    def _check(self, number: int) -> None:
        """All of them have ended well, in the engine's books and in ours."""
        keys = list(self._redis.scan_iter("retryscope:runs:*", count=1000))
        pipeline = self._redis.pipeline()
        for key in keys:
            pipeline.hget(key, "state")
        completed = sum(state == b"completed" for state in pipeline.execute())
        assert completed == number, f"of {number} tasks {completed} were completed"
        if self._kind.bare:
            return
        for record in self._redis.scan_iter("retryscope:retryscope:run:*", count=1000):
            pipeline.hget(record, "state")
        succeeded = sum(state == b"succeeded" for state in pipeline.execute())
        assert succeeded == number, f"of {number} runs {succeeded} succeeded"

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + _LIMIT
        while not condition():
            ended = [process.pid for process in self._processes if process.poll() is not None]
            if ended or time.monotonic() > end:
                raise RuntimeError(f"waited in vain until {what}; workers that ended: {ended or 'none'}")
            time.sleep(_LOOK_EVERY)

    def _cpu(self) -> float:
        return sum(_cpu_seconds(process.pid) for process in self._processes)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            process.send_signal(number)

    def kill(self) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        self._redis.close()


async def _runs_elsewhere(delivery: Delivery) -> bool:
    raise AssertionError(f"this process only submits, but got {delivery}")


def _run_submission(engine: Engine) -> Callable[[], Awaitable[None]]:
    runs = BackgroundRuns(
        engine, RunStore(engine), RunMetrics(CollectorRegistry()), limit=1_000_000, retention=3600.0
    )
    params = _WORKFLOW.params.model_validate(_PARAMS)

    async def submit() -> None:
        _, new = await runs.submit(_WORKFLOW, params, None)
        assert new

    return submit


@contextmanager
def _running_groups(server: RedisServer) -> Iterator[dict[str, _Group]]:
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        groups: dict[str, _Group] = {}
        try:
            for database, (name, kind) in enumerate(_VARIANTS.items()):
                groups[name] = _Group(kind, server, database, log)
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
        goals=_goals(taken),
        notes=(f"{taking} rounds{fewer}; {time.monotonic() - started:.0f} s", *limits(taken)),
    )


def _skipped(title: str) -> Result:
    why = f"skipped: {redis_server.PROGRAM} is not on PATH (Debian: apt install redis-server)"
    return Result(title=title, variants=(), columns=(), rounds=Rounds(), goals=(), notes=(why,))


def _goals(taken: Rounds) -> tuple[Goal, ...]:
    to_bare = taken.ratio("run", "bare task", "rate")
    to_one = taken.ratio("run x2", "run", "rate")
    return (
        Goal.of_ratio(
            "P8", "background runs a second, to bare docket tasks", to_bare, 0.85, sense="at least"
        ),
        Goal.of_ratio("P8", "background runs a second, two workers to one", to_one, 1.7, sense="at least"),
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


def _cpu_seconds(pid: int) -> float:
    """CPU that a process has used; 0 where the system does not tell it as Linux does."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
