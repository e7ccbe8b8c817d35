"""The timer behind every limit: as ``asyncio.timeout``, but it can tell its own cancel from all others.

``asyncio.timeout`` goes by the count of ``Task.cancelling()``, which proves nothing by itself: before Python
3.13 a ``TaskGroup`` whose child failed leaves it raised, and so do libraries whose timeouts never call
``uncancel()``. Then a timeout around them cancels its task and lets the ``CancelledError`` out. This one
remembers what the count was when it asked, and signs what it asked with.
"""

from __future__ import annotations

import asyncio
import math
import weakref
from contextlib import suppress
from contextvars import Context
from typing import Final

from opentelemetry.trace import SpanContext

from retryscope._core.cancel_request import CancelRequest, Signature, cancel_behind, signature_of
from retryscope._core.scope import Level, deadline_in_force
from retryscope._recording.telemetry import active
from retryscope.foreign import CONTEXT


def running_task(what: str) -> asyncio.Task[object]:
    """The task that runs here.

    Raises:
        RuntimeError: None does.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:  # not even an event loop
        task = None
    if task is None:
        raise RuntimeError(f"{what} should be used inside a task")
    return task


def end_of(limit: float, now: float) -> float:
    """When a limit of so many seconds that begins now is over.

    One below the clock's resolution is a limit all the same, and no deadline that has passed.
    """
    return max(now + limit, math.nextafter(now, math.inf))


class Timer:
    """Cancels the task that started it, when its time has come and it has not been stopped before.

    Args:
        task: The task that runs.
        own: When, in seconds of the event loop's clock; infinity: only by the deadline around.
        around: The scope whose deadline it keeps as well, for as long as that is in force.

    Attributes:
        when: The earlier of both, by the same clock.
        inherited: The deadline around; infinity without one.
        span: What its cancel links to.
    """

    __slots__ = (
        "_around",
        "_asked_at",
        "_before",
        "_handle",
        "_loop",
        "_own",
        "_signature",
        "_task",
        "_watched",
        "inherited",
        "span",
        "when",
    )

    def __init__(self, task: asyncio.Task[object], own: float, around: Level | None = None) -> None:
        self._task = task
        self._loop = task.get_loop()
        self._own = own
        self._around = around
        self._before = _others_requests(task)
        self._asked_at: int  # how often others had asked when it did
        self._signature: Signature | None = None
        self._handle: asyncio.Handle | None = None
        self._watched: Level | None = None
        self.span: SpanContext | None = None
        self._plan()

    def _plan(self) -> None:
        self.inherited, whose = deadline_in_force(self._around)
        self.when = min(self._own, self.inherited)
        if self.inherited < self._own and whose is not None:
            whose.watch(self)  # it may end before we do: another task's, or a generator's
            self._watched = whose

    def start(self) -> None:
        """Begin to count; whoever calls this calls :meth:`stop`."""
        if self.when <= self._loop.time():  # before whatever is due in the next turn
            self._handle = self._loop.call_soon(self._expire, context=Context())
        elif self.when < math.inf:
            # Not in this context: the loop keeps a cancelled handle, and what is current here, till then.
            self._handle = self._loop.call_at(self.when, self._expire, context=Context())

    def _expire(self) -> None:
        self._handle = None
        self._asked_at = _others_requests(self._task)
        _asked_and_not_over(self._task, 1)
        self._signature = Signature()
        request = CancelRequest("deadline", self.span, active().time_ns(), signature=self._signature)
        self._task.cancel(request)

    def expired(self) -> bool:
        """Whether it has cancelled its task."""
        return self._signature is not None

    def rearm(self) -> None:
        """The deadline around that it watched is in force no more."""
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:  # none runs here: the block is torn down
            here = False
        if here:
            self._replan()
        else:
            with suppress(RuntimeError):  # closed: what waited there is being torn down
                self._loop.call_soon_threadsafe(self._replan)

    def _replan(self) -> None:
        self._watched = None
        if self._handle is not None:
            self._handle.cancel()
            self._plan()
            self.start()

    def stop(self, error: BaseException | None) -> bool:
        """Stop counting; whether it is this timer, and nobody else, that ended the block by ``error``."""
        if self._watched is not None:
            self._watched.unwatch(self)
            self._watched = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        task = self._task
        del self._task  # it may end by what was raised, which knows the frames that know this
        if self._signature is None:
            return False
        others = _asked_and_not_over(task, -1)
        left = task.uncancel() - others
        if not isinstance(error, asyncio.CancelledError):
            return False  # the block made something else of it
        signature = signature_of(error)
        if left > self._asked_at:  # somebody has asked since
            if signature is not None:
                signature.overruled = True
            return False
        if others:  # the limit of a block around this one is over as well, and it will say so
            return False
        # Nobody else had asked before; or what arrived was ours, so that theirs was no cancel: unless the
        # block was still handling theirs.
        return self._asked_at == self._before or (
            signature is not None
            and not signature.overruled
            and cancel_behind(CONTEXT(error), but=self._signature) is None
        )


_expired: Final[weakref.WeakKeyDictionary[asyncio.Task[object], int]] = weakref.WeakKeyDictionary()
"""How many timers have cancelled a task and have not been stopped since."""


def _others_requests(task: asyncio.Task[object]) -> int:
    """How often others than timers have asked a task to cancel, and have not withdrawn it."""
    requests = task.cancelling()
    return requests - _expired.get(task, 0) if requests else 0


def _asked_and_not_over(task: asyncio.Task[object], more: int) -> int:
    number = _expired.get(task, 0) + more
    if number:
        _expired[task] = number
    else:
        del _expired[task]
    return number
