"""Leases: a delivered message belongs to a worker for as long as that renews it.

docket renews on the event loop, unconditionally, and takes over what was not renewed in time, be it its own.
Here a thread renews, which a busy loop can't starve; only what is still the worker's; and nobody takes
anything over in the time after Redis was away, in which everybody is late.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, cast

import docket.worker
from docket import Docket, Worker
from docket._redelivery import SWEEP_START, RedeliverySweep
from docket._redis import RedisConnection
from redis.exceptions import RedisError, ResponseError

from retryscope_service.runs.engine import scripts

HUNG_SECONDS: Final = 60.0
"""After how long without a sign of life from the event loop its runs are given up: it hangs for ever."""
BATCH: Final = 1000
"""Most messages that one script renews."""


def beat_key(queue: Docket) -> str:
    """Where workers note since when one of them could always be heard."""
    return queue.key("retryscope:beat")


class LeasedWorker(Worker):
    """docket's worker, but its leases are renewed from outside the event loop.

    Attributes:
        held: The message of each delivery that is running here.
    """

    held: dict[asyncio.Task[None], bytes]

    def __init__(self, queue: Docket, **options: Any) -> None:
        super().__init__(queue, **options)
        self.held = {}

    async def _renew_leases(self, redis: Any, active_messages: dict[asyncio.Task[None], bytes]) -> None:
        self.held = active_messages
        if self.docket.url.startswith("memory:"):  # belongs to this loop, and to this process alone
            await super()._renew_leases(redis, active_messages)

    def stop(self, running: asyncio.Task[None]) -> None:
        """End the task that runs it.

        docket loses a cancel that arrives together with an error of Redis, as when both end at once.
        """
        self._worker_stopping.set()
        running.cancel()

    @asynccontextmanager
    async def renewing(self) -> AsyncIterator[None]:
        """Renew during the block, also what still ends while docket has stopped its own loops."""
        if self.docket.url.startswith("memory:"):
            yield
            return
        lease = self.redelivery_timeout.total_seconds()
        group, stream = self.docket.worker_group_name, self.docket.stream_key
        keys = (stream, beat_key(self.docket))
        renewal = _Renewal(
            self.docket.url,
            keys,
            (group, self.name, str(round(lease * 1000))),
            lease / 4,
            lambda: set(self.held.copy().values()),
        )
        renewal.start()
        alive = asyncio.create_task(renewal.watch_loop(), name="sign of life of the event loop")
        try:
            yield
        finally:
            alive.cancel()
            renewal.stop()
            await asyncio.to_thread(renewal.join)


class _Renewal(threading.Thread):
    """Renews leases, with an event loop and a connection of its own."""

    def __init__(
        self,
        url: str,
        keys: Sequence[str],
        arguments: Sequence[str],
        every: float,
        held: Callable[[], Collection[bytes]],
    ) -> None:
        super().__init__(name="leases of background runs", daemon=True)
        self._url = url
        self._keys = keys
        self._arguments = arguments
        self._every = every
        self._held = held
        self._ending = threading.Event()
        self._loop_seen = time.monotonic()

    async def watch_loop(self) -> None:
        """Note that the event loop whose runs these are is still going."""
        while True:
            self._loop_seen = time.monotonic()
            await asyncio.sleep(self._every)

    def stop(self) -> None:
        """End soon."""
        self._ending.set()

    def run(self) -> None:
        """Renew again and again; while Redis is away, try again."""
        with asyncio.Runner() as runner:
            while not self._ending.is_set():
                with suppress(RedisError, OSError):
                    self._keep_renewing(runner)
                self._ending.wait(self._every)

    def _keep_renewing(self, runner: asyncio.Runner) -> None:
        connection = RedisConnection(self._url)
        runner.run(connection.__aenter__())
        try:
            while True:
                runner.run(asyncio.wait_for(self._renew(connection), 2 * self._every))
                if self._ending.wait(self._every):
                    return
        finally:
            runner.run(connection.__aexit__(None, None, None))

    async def _renew(self, connection: RedisConnection) -> None:
        if time.monotonic() - self._loop_seen > HUNG_SECONDS:
            return
        held = list(self._held())
        async with connection.client() as redis:
            script = cast(Any, redis).register_script(scripts.RENEW)
            for start in range(0, max(1, len(held)), BATCH):
                await script(keys=self._keys, args=[*self._arguments, *held[start : start + BATCH]])


class _Sweep(RedeliverySweep):
    """Takes over what was not renewed in time, but not in the time after Redis was away."""

    async def claim(self, redis: Any, available_slots: int) -> Any:
        """The messages taken over; each with what it carries."""
        if self.docket.url.startswith("memory:"):
            return await super().claim(redis, available_slots)
        try:
            reply = await redis.register_script(scripts.CLAIM)(
                keys=(self.docket.stream_key, beat_key(self.docket)),
                args=(
                    self.docket.worker_group_name,
                    self.worker_name,
                    self.min_idle_time,
                    self.start_id,
                    min(available_slots, self.message_batch),
                ),
            )
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self.docket._ensure_stream_and_group()
            return []
        if not reply:
            self._rest()
            return []
        cursor, entries, *_ = reply
        self.start_id = cursor.decode()
        if self.start_id == SWEEP_START:
            self._rest()
        return [(number, dict(zip(flat[::2], flat[1::2], strict=True))) for number, flat in entries if flat]


vars(docket.worker)["RedeliverySweep"] = _Sweep  # where docket's worker takes it from
