"""A connection to the engine: handing runs over, taking them, cancelling them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Self, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import docket.docket
import docket.worker
from docket import CurrentExecution, Docket, Execution
from docket.dependencies import AdmissionBlocked
from opentelemetry.trace import NoOpTracer
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from retryscope import message_of
from retryscope_service.runs.engine.check import check
from retryscope_service.runs.engine.leases import LeasedWorker

EngineError = RedisError
"""What a call raises while the engine can't be reached."""
EngineFullError = OutOfMemoryError
"""What it raises when the engine has no memory for it; nothing was written."""

RUN_TASK: Final = "run_workflow"
EXECUTION_TTL: Final = timedelta(minutes=15)
RECONNECT_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that a worker got.

    Attributes:
        run_id: The run that was handed over with it.
        text: What it says.
        message_id: Which it is for the engine; the same one if it is delivered again.
    """

    run_id: str
    text: str
    message_id: str = ""


Handler = Callable[[Delivery], Awaitable[bool]]
"""Runs a delivery, and says whether the run is over, so that the engine may forget its message.

Else, and after any error or cancel, the message stays with the engine, which delivers it again.
"""

_EXECUTION: Final = CurrentExecution()
_log = logging.getLogger("retryscope_service")

# docket traces itself with links between traces of its own. Here a run is a child of the request that
# submitted it, and docket's spans would only stand beside it.
docket.docket.tracer = NoOpTracer()
docket.worker.tracer = NoOpTracer()
logging.getLogger("docket").setLevel(logging.WARNING)  # it logs each task's start and end


class Engine:
    """A connection to the engine.

    Args:
        url: ``memory://`` or a Redis URL.
        connections: Most connections to Redis; a worker needs about two for each run at a time.
        redelivery_seconds: After how long without a sign of life a worker's runs go to another one.

    Attributes:
        shared: Whether other processes can use it too.
        warnings: What is wrong with it, as far as has been checked.
    """

    def __init__(self, url: str, *, connections: int, redelivery_seconds: float) -> None:
        self.shared: Final = not url.startswith("memory:")
        self.warnings: list[str] = []
        self._docket = Docket(
            name="retryscope",
            url=_with_connections(url, connections) if self.shared else url,
            execution_ttl=EXECUTION_TTL,
        )
        # A worker has one of its own, which waits while Redis is away: docket's worker would take nothing new
        # after an outage until all that it was running has ended.
        self._worker_docket = (
            Docket(name="retryscope", url=self._docket.url, execution_ttl=EXECUTION_TTL)
            if self.shared
            else self._docket
        )
        self._redelivery = timedelta(seconds=redelivery_seconds)

    async def check(self) -> None:
        """See whether the engine can be used with its URL; ``warnings`` are what is wrong all the same.

        Raises:
            EngineRefusedError: It can't be.
            EngineError: That can't be said now.
        """
        if self.shared:
            self.warnings = await check(self._docket.url)
            for warning in self.warnings:
                _log.warning(warning)

    async def __aenter__(self) -> Self:
        await self._docket.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        with suppress(EngineError):
            await self._docket.__aexit__(None, None, None)

    def redis(self) -> AbstractAsyncContextManager[Any]:
        """A client of the Redis, or of its in-memory stand-in, that the engine runs on."""
        return self._docket.redis()

    def key(self, suffix: str) -> str:
        """A key of our own beside the engine's."""
        return self._docket.key(f"retryscope:{suffix}")

    @property
    def stream(self) -> str:
        """Key of the stream of messages."""
        return self._docket.stream_key

    @property
    def group(self) -> str:
        """The group of workers to which a message may belong; empty if there is a single worker."""
        return self._docket.worker_group_name if self.shared else ""

    def task(self, run_id: str) -> str:
        """Key of what the engine notes of a run."""
        return self._docket.runs_key(run_id)

    async def enqueue(self, run_id: str, message: str) -> None:
        """Hand a run to the workers; a run that is waiting already is not added again."""
        await self._docket.add(RUN_TASK, key=run_id)(message)

    async def take_back(self, run_id: str) -> None:
        """See to it that a waiting run is not delivered."""
        await self._docket.cancel(run_id)

    async def cancel(self, run_id: str) -> None:
        """Cancel the coroutine of a running run, wherever it runs.

        If its worker has died it is still delivered again, so that somebody finds out: docket's own cancel
        would quietly drop that delivery.
        """
        await self._docket._publish(self._docket.cancel_channel(run_id), run_id)

    def register(self, handler: Handler) -> None:
        """Say what runs a message; producers and workers alike."""

        async def run_workflow(message: str, execution: Execution = _EXECUTION) -> None:
            number = (execution.message_id or b"").decode()
            over = False
            try:
                over = await handler(Delivery(execution.key, message, number))
            except asyncio.CancelledError:
                pass  # of a worker that ends: somebody else gets the message
            except BaseException as error:
                _log.exception("a delivery of run %s failed: %s", execution.key, message_of(error))
            if not over:  # docket acknowledges whatever else a task does
                raise AdmissionBlocked(execution, "it is not over", handled=True)

        for each in {self._docket, self._worker_docket}:
            each.register(run_workflow, names=[RUN_TASK])

    @asynccontextmanager
    async def working(self, name: str, concurrency: int) -> AsyncIterator["Intake"]:
        """Take runs from the engine and run them; what runs at the end of the block is awaited."""
        reconnect = _ReconnectRetry()
        async with (
            self._waiting_docket(reconnect) as docket,
            LeasedWorker(
                docket,
                name=name,
                concurrency=concurrency,
                redelivery_timeout=self._redelivery,
                reconnection_delay=timedelta(seconds=1),
                minimum_check_interval=timedelta(milliseconds=100),
                schedule_automatic_tasks=False,
            ) as worker,
            worker.renewing(),
        ):
            running = asyncio.create_task(worker.run_forever(), name="engine worker")
            try:
                yield Intake(worker, running, reconnect)
            finally:
                reconnect.give_up()
                worker.stop(running)
                await asyncio.wait([running])

    @asynccontextmanager
    async def _waiting_docket(self, reconnect: "_ReconnectRetry") -> AsyncIterator[Docket]:
        if not self.shared:
            yield self._docket
            return
        await self._worker_docket.__aenter__()
        try:
            async with self._worker_docket.redis() as redis:
                cast(Redis, redis).set_retry(reconnect)
            yield self._worker_docket
        finally:
            with suppress(EngineError):
                await self._worker_docket.__aexit__(None, None, None)


_AWAY: Final = (RedisConnectionError, RedisTimeoutError, OutOfMemoryError, ReadOnlyError)


class _ReconnectRetry(Retry):
    """Calls are repeated for as long as Redis is away, or full, until it is time to shut down."""

    def __init__(self) -> None:
        super().__init__(ConstantBackoff(RECONNECT_SECONDS), -1, _AWAY)

    def __deepcopy__(self, memo: object) -> Self:
        return self  # each connection would get a copy, which nobody could tell to give up

    def give_up(self) -> None:
        self._retries = 0


class Intake:
    """What a worker takes from the engine."""

    def __init__(
        self, worker: LeasedWorker, running: asyncio.Task[None], reconnect: "_ReconnectRetry"
    ) -> None:
        self._worker = worker
        self._running = running
        self._reconnect = reconnect

    def pause(self) -> None:
        """Take nothing new; what runs stays this worker's, and can still be cancelled by its id."""
        self._worker.concurrency = 0

    def stop(self) -> None:
        """A delivery that is cancelled from now on goes back to the engine."""
        self._reconnect.give_up()
        self._worker.stop(self._running)


def _with_connections(url: str, connections: int) -> str:
    """The URL with a bound on connections, unless it has one: the default breaks at 1,000 runs at once."""
    query = dict(parse_qsl(urlsplit(url).query))
    query.setdefault("max_connections", str(connections))
    return f"{url.partition('?')[0].partition('#')[0]}?{urlencode(query)}"
