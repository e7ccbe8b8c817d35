"""The workers of a variant of P8, and the database that they have for themselves."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import IO, Final

from prometheus_client import CollectorRegistry
from redis import Redis

from retryscope_service.runs.background import BackgroundRuns
from retryscope_service.runs.engine import Delivery, Engine
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.store import RunStore
from retryscope_service.workflows import WORKFLOWS

from .processes import cpu_seconds
from .redis_server import RedisServer
from .rounds import Sample

_WORKFLOW: Final = WORKFLOWS["retry"]
_PARAMS: Final = {"duration": 0, "failure_rate": 0, "seed": 1}
"""One attempt that succeeds at once: what is left is what a run costs."""
_SUBMITTED_AT_ONCE = 32
_LOOK_EVERY = 0.01
_LIMIT = 60.0
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


@dataclass(frozen=True, slots=True)
class Size:
    """How many runs a sample has, and how many come before it."""

    runs: int = 600
    warm_up: int = 100


class WorkerGroup:
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

        workers, redis = self._cpu(), cpu_seconds(self._server.pid)
        started = time.perf_counter()
        self._signal(signal.SIGCONT)
        self._wait_until_drained()
        seconds = time.perf_counter() - started
        workers, redis = self._cpu() - workers, cpu_seconds(self._server.pid) - redis

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
        return sum(cpu_seconds(process.pid) for process in self._processes)

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
