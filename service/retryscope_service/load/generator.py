"""An open-loop load generator: requests leave on schedule, whatever the answers do."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Final

from retryscope_service.load.request import Answer, Request, Sender
from retryscope_service.load.tally import LoadNumbers

DRAIN_SECONDS: Final = 10.0
TOLERATED_DELAY: Final = 0.25
"""Seconds that a load may be behind its schedule: a busy machine is that for a moment."""
_COUNTED_AT_A_TIME: Final = 1000


class LoadGenerator:
    """Sends requests at the times of a schedule, and counts what becomes of them.

    It knows neither a terminal nor a command line: start :meth:`run` as a task, read :attr:`numbers` at any
    time, end it with :meth:`stop`. Its clock is that of the event loop.

    Args:
        requests: What to send, one after the other.
        schedule: When, in seconds after the start, ascending.
        sender: What sends it.
        duration: Seconds after which nothing more is sent; None: until it is stopped. A load that can't keep
            up with its schedule is not extended: what is then left of it is counted as late.
        max_in_flight: Most requests at a time. One that is due beyond is counted as not sent; it is never
            sent later, because then a slow service would set the pace.
        drain_seconds: How long the end waits for answers that are still outstanding.
    """

    def __init__(
        self,
        requests: Iterator[Request],
        schedule: Iterator[float],
        sender: Sender,
        *,
        duration: float | None,
        max_in_flight: int,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self.numbers = LoadNumbers()
        self._requests = requests
        self._schedule = schedule
        self._sender = sender
        self._duration = duration
        self._max_in_flight = max_in_flight
        self._drain_seconds = drain_seconds
        self._stop = asyncio.Event()
        self._in_flight: set[asyncio.Task[tuple[float, Answer]]] = set()
        self._bug: BaseException | None = None
        self._started: float | None = None
        self._sending_ended: float | None = None

    @property
    def seconds(self) -> float:
        """For how long it has been sending; 0 before it starts."""
        if self._started is None:
            return 0.0
        if self._sending_ended is not None:
            return self._sending_ended - self._started
        return asyncio.get_running_loop().time() - self._started

    def stop(self) -> None:
        """Send nothing more; :meth:`run` ends with the last outstanding answer, or when the drain is over."""
        self._stop.set()

    async def run(self) -> None:
        """Send until the duration is over or :meth:`stop`; cancelling it ends it at once."""
        self._started = asyncio.get_running_loop().time()
        try:
            await self._send(self._started)
            self._end_sending()
            if self._in_flight:
                await asyncio.wait(self._in_flight, timeout=self._drain_seconds)
        finally:
            self._end_sending()
            outstanding = set(self._in_flight)
            for task in outstanding:
                task.cancel()
            await asyncio.gather(*outstanding, return_exceptions=True)
        if self._bug is not None:
            raise self._bug

    async def _send(self, start: float) -> None:
        loop = asyncio.get_running_loop()
        last_moment = math.inf if self._duration is None else self._duration + TOLERATED_DELAY
        for after in self._schedule:
            if self._duration is not None and after >= self._duration:
                await self._stopped_before(start + self._duration)
                return
            stopped = await self._stopped_before(start + after)
            elapsed = loop.time() - start
            if stopped or elapsed > last_moment:
                self._end_sending()
                await self._count_late(after, elapsed - TOLERATED_DELAY)
                return
            self._start(next(self._requests), start + after)

    def _end_sending(self) -> None:
        if self._sending_ended is None:
            self._sending_ended = asyncio.get_running_loop().time()

    async def _count_late(self, first: float, before: float) -> None:
        """Count what was due before that, and has not had its turn."""
        if self._duration is not None:
            before = min(before, self._duration)
        for number, after in enumerate(chain((first,), self._schedule)):
            if after >= before:
                return
            self.numbers.late += 1
            if number % _COUNTED_AT_A_TIME == 0:
                await asyncio.sleep(0)

    async def _stopped_before(self, time: float) -> bool:
        """Wait until that loop time, or for a stop; gives way to others also when it is late."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(time):
                await self._stop.wait()
        return self._stop.is_set()

    def _start(self, request: Request, due: float) -> None:
        self.numbers.delayed(asyncio.get_running_loop().time() - due)
        if len(self._in_flight) >= self._max_in_flight:
            self.numbers.not_sent(request.workflow)
            return
        self.numbers.sent(request.workflow)
        task = asyncio.create_task(self._one(request))
        self._in_flight.add(task)
        task.add_done_callback(partial(self._ended, request, due))

    async def _one(self, request: Request) -> tuple[float, Answer]:
        sent = asyncio.get_running_loop().time()
        return sent, await self._sender.send(request)

    def _ended(self, request: Request, due: float, task: asyncio.Task[tuple[float, Answer]]) -> None:
        self._in_flight.discard(task)
        if task.cancelled():
            self.numbers.abandoned(request.workflow)
        elif bug := task.exception():
            self._bug = bug
            self.stop()
        else:
            sent, answer = task.result()
            self.numbers.answered(request.workflow, due, sent, answer)
