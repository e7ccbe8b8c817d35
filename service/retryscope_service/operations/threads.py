"""Work on threads for callers that may be cancelled: asked to stop, waited for, given up where it is deaf.

Nothing can end a Python thread from outside: a cancel ends what awaits it, and the thread goes on. So the
work looks at an event; whoever was cancelled sets it and waits a bounded time. A thread that is still not
done is abandoned: nobody waits for it, it is counted and logged, and its slot stays taken until it ends.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

from retryscope.families import counter
from retryscope_service import semconv

T = TypeVar("T")

_log = logging.getLogger("retryscope_service")


class NoThreadError(Exception):
    """Every slot is taken by a thread that was abandoned."""


class Threads:
    """A bounded number of daemon threads, which the end of the process does not wait for.

    Args:
        slots: Most at a time, the abandoned ones included; beyond it callers wait for a slot.
        registry: Where abandoned threads are counted.
    """

    def __init__(self, slots: int, registry: CollectorRegistry) -> None:
        self._slots = slots
        self._running: dict[asyncio.Future[Any], bool] = {}
        """What runs, and whether it is abandoned."""
        self._changed = asyncio.Event()
        self._counter = counter(semconv.THREADS_ABANDONED, registry)

    @property
    def running(self) -> int:
        """Slots that are taken."""
        return len(self._running)

    @property
    def abandoned(self) -> int:
        """Those of them whose work nobody waits for."""
        return sum(self._running.values())

    async def run(self, work: Callable[[threading.Event], T], *, stop_seconds: float) -> T:
        """Await ``work(stop)`` on a thread.

        Args:
            work: Looks at ``stop`` often, and returns or raises soon after it is set.
            stop_seconds: How long a cancelled caller waits for it to end.

        Raises:
            NoThreadError: Every slot is taken by an abandoned thread.
            asyncio.CancelledError: The caller was cancelled; the work has ended, or was abandoned.
        """
        while self.running >= self._slots:
            if self.abandoned >= self._slots:
                raise NoThreadError(
                    f"all {self._slots} threads are taken by work that did not stop when it was cancelled;"
                    " each is free again when its work ends"
                )
            self._changed.clear()
            await self._changed.wait()
        stop = threading.Event()
        done = self._start(work, stop)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            stop.set()
            if not await _ends(done, stop_seconds):
                self._abandon(done, stop_seconds)
            raise

    def _start(self, work: Callable[[threading.Event], T], stop: threading.Event) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def ended(settle: Callable[[Any], None], result: object) -> None:
            del self._running[done]
            self._changed.set()
            settle(result)
            done.exception()  # nobody may be left who asks

        def run() -> None:
            settle: Callable[[Any], None] = done.set_result
            try:
                result: object = work(stop)
            except BaseException as error:  # whatever it is, it is the caller's
                settle, result = done.set_exception, error
            with suppress(RuntimeError):  # the loop was closed: nobody is left
                loop.call_soon_threadsafe(ended, settle, result)

        threading.Thread(target=run, name="retryscope-work", daemon=True).start()
        self._running[done] = False  # not before: one that can't be started takes no slot
        return done

    def _abandon(self, done: asyncio.Future[Any], stop_seconds: float) -> None:
        self._running[done] = True
        self._changed.set()
        self._counter.inc()
        _log.error(
            "a thread did not stop within %g s of its cancel, and goes on; %d of %d threads are abandoned",
            stop_seconds,
            self.abandoned,
            self._slots,
        )


async def _ends(done: asyncio.Future[Any], seconds: float) -> bool:
    """Whether it ends within a time, whatever further cancels arrive: the first one is raised afterwards."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not done.done() and (left := end - loop.time()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.wait((done,), timeout=left)
    return done.done()
