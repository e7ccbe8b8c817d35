"""Time that passes only when the event loop has nothing else to do."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import looptime

T = TypeVar("T")

EPOCH_NS = 1_700_000_000_000_000_000
"""Wall clock at loop time 0."""


class VirtualLoop(looptime.LoopTimeEventLoop, asyncio.SelectorEventLoop):
    """An event loop on which hours of sleep take no time; loop time starts at 0."""

    def pass_time(self, seconds: float) -> None:
        """Let time pass while the loop is kept from doing anything, as by code that does not await."""
        self.setup_looptime(start=self.time() + seconds)


def virtual_time_ns() -> int:
    """The wall clock that belongs to the running virtual loop."""
    return EPOCH_NS + round(asyncio.get_running_loop().time() * 1e9)


eager_tasks = False
"""Set by ``pytest --eager-tasks``."""


def virtual_loop() -> VirtualLoop:
    """A new virtual loop."""
    loop = VirtualLoop(start=0.0, idle_timeout=None)
    if eager_tasks and sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


def real_loop() -> asyncio.AbstractEventLoop:
    """A new loop on which time passes by itself."""
    loop = asyncio.new_event_loop()
    if eager_tasks and sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


def run(main: Coroutine[Any, Any, T], loop_factory: Callable[[], VirtualLoop] = virtual_loop) -> T:
    """Run a coroutine on a new virtual loop, as ``asyncio.run`` does."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main)
