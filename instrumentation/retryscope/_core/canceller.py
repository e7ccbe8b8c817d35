"""Who cancelled a task: asyncio doesn't say, so tasks of this factory write it down."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Generator
from dataclasses import replace
from types import FrameType
from typing import Any, Final, TypeVar

from retryscope._core.cancel_request import CancelRequest, CancelText
from retryscope.printable import MAX_TEXT

T = TypeVar("T")

_THROUGH: Final = ("asyncio", "contextlib", __name__.partition(".")[0])
"""Packages that only pass a cancel on for somebody."""
_LOOP: Final = ("asyncio.events", "asyncio.base_events", "asyncio.runners")
"""What runs the program: beyond it is nobody who asked."""


def task_factory(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
    **options: Any,
) -> asyncio.Task[T]:
    """Make tasks that know who cancelled them: ``loop.set_task_factory(task_factory)``.

    Their cancels say which task asked and where in the code, on spans (``resilience.cancel.task``,
    ``resilience.cancel.location``) and in the text of the ``CancelledError``, whoever made them: your code,
    ``asyncio.timeout``, a ``TaskGroup``, ``asyncio.gather``. It costs about 0.4 us a task, and a walk up the
    stack a cancel.

    >>> import asyncio
    >>> async def main():
    ...     asyncio.get_running_loop().set_task_factory(task_factory)
    ...     asyncio.current_task().set_name("supervisor")
    ...     stuck = asyncio.create_task(asyncio.sleep(60))
    ...     await asyncio.sleep(0)
    ...     stuck.cancel("too slow")
    ...     try:
    ...         await stuck
    ...     except asyncio.CancelledError as cancel:
    ...         return str(cancel).partition(", at ")[0]
    >>> asyncio.run(main())
    'too slow, by task supervisor'
    """
    return _Task(coro, loop=loop, **options)


class _Task(asyncio.Task[T]):
    def cancel(self, msg: Any | None = None) -> bool:
        if self.done():
            return False
        return super().cancel(_signed(msg, self.get_loop(), sys._getframe(1)))


def _signed(message: Any, loop: asyncio.AbstractEventLoop, asked: FrameType) -> Any:
    """The message of a cancel with its author; what some other code compares it with still equals it."""
    if isinstance(message, CancelRequest) and message.location is None:
        return replace(message, task=_current_task(loop), location=_location(asked))
    if message is None or type(message) is str:
        return CancelText(message or "", _current_task(loop), _location(asked))
    return message  # it has an author, or is an object of somebody's own


def _current_task(loop: asyncio.AbstractEventLoop) -> str | None:
    task = asyncio.current_task(loop)
    return None if task is None else task.get_name()


def _location(asked: FrameType) -> str:
    """The nearest code outside of asyncio and this library; else what asyncio was doing."""
    nearest = asked
    frame: FrameType | None = asked
    while frame is not None and (module := _module(frame)) not in _LOOP:
        if module.partition(".")[0] not in _THROUGH:
            nearest = frame
            break
        frame = frame.f_back
    name = f"{_module(nearest)}.{nearest.f_code.co_qualname}"
    return f"{name[: MAX_TEXT - 10]}:{nearest.f_lineno}"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "?"))
