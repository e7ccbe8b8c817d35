"""Time that passes only when the event loop has nothing else to do."""

import asyncio
import heapq
import itertools
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

import looptime
import uvloop

T = TypeVar("T")

EPOCH_NS = 1_700_000_000_000_000_000
"""Wall clock at loop time 0."""


class VirtualTime(ABC):
    """A loop on which hours of sleep take no time; loop time starts at 0."""

    @abstractmethod
    def pass_time(self, seconds: float) -> None:
        """Let time pass while the loop is kept from doing anything, as by code that does not await."""


class VirtualLoop(looptime.LoopTimeEventLoop, asyncio.SelectorEventLoop, VirtualTime):
    """One of asyncio's own."""

    def pass_time(self, seconds: float) -> None:
        self.setup_looptime(start=self.time() + seconds)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        # From Python 3.12 on, `asyncio.Runner` gives threads 300 s to end; here those pass in no time.
        await super().shutdown_default_executor()


_Uvloop: Any = uvloop.Loop
"""What it says of its types fits neither asyncio's nor a subclass."""


class VirtualUvloop(_Uvloop, VirtualTime):  # type: ignore[misc]
    """A uvloop: its timers are kept here, and the next is due when nothing else has run for some turns."""

    _IDLE_TURNS = 42
    """So that what one turn starts in the next comes before a timer."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = itertools.count()
        self._idle_turns = 0
        self._turning = False
        self._threads = 0

    def time(self) -> float:
        return self._now

    def pass_time(self, seconds: float) -> None:
        self._now += seconds

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), handle))
        self._turn_on()
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """What a handle tells its loop; it is passed over when its time comes."""

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        self._idle_turns = 0
        handle: asyncio.Handle = super().call_soon(callback, *args, context=context)
        return handle

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        self._threads += 1
        future: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: object) -> None:
        self._threads -= 1

    def _turn_on(self) -> None:
        if not self._turning:
            self._turning = True
            super().call_soon(self._turn)

    def _turn(self) -> None:
        self._turning = False
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            return
        self._idle_turns += 1
        if self._timers[0][0] > self._now and self._idle_turns > self._IDLE_TURNS:
            if self._threads:  # they take real time
                self._turning = True
                super().call_later(0.001, self._turn_after_a_thread)
                return
            self._now = self._timers[0][0]
        while self._timers and self._timers[0][0] <= self._now:
            _, _, handle = heapq.heappop(self._timers)
            if not handle.cancelled():
                self._idle_turns = 0
                super().call_soon(handle._run)
        self._turn_on()

    def _turn_after_a_thread(self) -> None:
        self._now = min(self._now + 0.001, self._timers[0][0])
        self._turn()


def virtual_time_ns() -> int:
    """The wall clock that belongs to the running virtual loop."""
    return EPOCH_NS + round(asyncio.get_running_loop().time() * 1e9)


eager_tasks = False
"""Set by ``pytest --eager-tasks``."""
on_uvloop = False
"""Set by ``pytest --uvloop``."""


def _as_asked(loop: asyncio.AbstractEventLoop) -> None:
    if eager_tasks and sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)


def virtual_loop() -> asyncio.AbstractEventLoop:
    """A new loop with virtual time."""
    loop = VirtualUvloop() if on_uvloop else VirtualLoop(start=0.0, idle_timeout=None)
    _as_asked(loop)
    return loop


def real_loop() -> asyncio.AbstractEventLoop:
    """A new loop on which time passes by itself."""
    loop = uvloop.new_event_loop() if on_uvloop else asyncio.new_event_loop()
    _as_asked(loop)
    return loop


def pass_time(seconds: float) -> None:
    """Let time pass on the running virtual loop, as by code that does not await."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTime)
    loop.pass_time(seconds)


def run(
    main: Coroutine[Any, Any, T], loop_factory: Callable[[], asyncio.AbstractEventLoop] = virtual_loop
) -> T:
    """Run a coroutine on a new virtual loop, as ``asyncio.run`` does."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main)
