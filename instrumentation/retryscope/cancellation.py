"""Cancellable tasks: who asked, what was cleaned up, and how long that took."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Generator
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from opentelemetry.trace import SpanContext

from retryscope._core.awaitables import require_async_callable, require_awaitable
from retryscope._core.cancel_request import CancelRequest, cancel_request
from retryscope._core.scope import current_scope
from retryscope._recording.telemetry import active
from retryscope.cleanup import DEFAULT_CLEANUP_TIMEOUT, cleanup
from retryscope.entry import first_entry
from retryscope.operation import Operation, require_operation, require_task_name
from retryscope.outcome import CancelCause
from retryscope.printable import described
from retryscope.report import Report
from retryscope.step import start_step, step
from retryscope.timeout import require_seconds

T = TypeVar("T")

_running: Final[set[asyncio.Task[Any]]] = set()
"""Strong references: the event loop keeps only weak ones, and nobody else need keep one."""


def request_cancel(
    target: asyncio.Task[Any],
    cause: CancelCause = "request",
    *,
    by: SpanContext | None = None,
    reason: str | None = None,
) -> bool:
    """Cancel any asyncio task and say why, so that its spans and metrics can.

    Args:
        target: The task.
        cause: Who asks.
        by: Span whose failure or request is the reason; by default the current span.
        reason: Why, in your own words; 256 characters of it are kept.

    Returns:
        False if the task had already ended.

    Raises:
        TypeError: ``target`` is no task, or another argument has the wrong type.
        ValueError: ``cause`` is none of the known ones.
    """
    if not asyncio.isfuture(target):
        raise TypeError(f"request_cancel takes an asyncio task, got {described(target)}")
    return target.cancel(_request(cause, by, reason))


class CancellableTask(Generic[T]):
    """A running task that can be cancelled with a cause; made by :func:`cancellable`. Await it for its value.

    Attributes:
        report: What became of it, filled in while it runs.
        task: The asyncio task.
    """

    __slots__ = ("report", "task")

    def __init__(self, report: Report[T], task: asyncio.Task[T]) -> None:
        self.report = report
        self.task = task

    def __await__(self) -> Generator[Any, None, T]:
        return self.task.__await__()

    def done(self) -> bool:
        """Whether it has ended, cleanup included."""
        return self.task.done()

    def cancel(self, cause: CancelCause = "request", *, reason: str | None = None) -> bool:
        """Ask it to stop; its cleanup runs. False if it had already ended."""
        return request_cancel(self.task, cause, reason=reason)


def cancellable(
    operation: Operation,
    fn: Callable[..., Awaitable[T]],
    /,
    *args: object,
    name: str | None = None,
    on_cancel: Callable[[], Awaitable[object]] | None = None,
    cleanup_timeout: float = DEFAULT_CLEANUP_TIMEOUT,
) -> CancellableTask[T]:
    """Start ``fn(*args)`` as a task of its own that can be cancelled with a cause and cleans up.

    When it is cancelled while running, ``on_cancel`` runs to its end, or to ``cleanup_timeout``, even if
    further cancels arrive; then the cancellation goes on.

    Args:
        operation: The declared operation.
        fn: The work.
        *args: Its arguments.
        name: Name of this task; by default the operation's.
        on_cancel: Cleanup, called only when the work was cancelled.
        cleanup_timeout: Most seconds that the cleanup may take, > 0.

    Raises:
        TypeError: ``operation`` is none, ``name`` no text, ``fn`` or ``on_cancel`` no async function.
        ValueError: ``cleanup_timeout`` is out of bounds.

    >>> import asyncio
    >>> work = Operation("work", workflow="docs")
    >>> async def main():
    ...     async def release():
    ...         print("released")
    ...     running = cancellable(work, asyncio.sleep, 10, on_cancel=release)
    ...     await asyncio.sleep(0)
    ...     running.cancel()
    ...     await asyncio.wait([running.task])
    ...     return running.report.outcome
    >>> asyncio.run(main())
    released
    'cancelled'
    """
    require_operation("cancellable", operation)
    require_task_name("cancellable", name)
    require_async_callable(fn, "cancellable")
    if on_cancel is not None:
        require_async_callable(on_cancel, "cancellable(on_cancel=...)")
    require_seconds("cleanup_timeout", cleanup_timeout)
    report: Report[T] = Report(name or operation.name)

    async def work() -> T:
        async with step(operation, name=name):
            try:
                return await require_awaitable(fn, fn(*args))
            except asyncio.CancelledError:
                if on_cancel is not None:
                    await cleanup(operation, on_cancel, timeout=cleanup_timeout)
                raise

    asyncio.get_running_loop()  # before there is a coroutine that nobody would await
    running = asyncio.create_task(_run(report, work), name=report.name)
    _running.add(running)
    running.add_done_callback(_running.discard)
    count_if_never_started(operation, report, running)
    return CancellableTask(report, running)


async def _run(report: Report[T], work: Callable[[], Awaitable[T]]) -> T:
    try:
        await report.run(work)
        return report.result()
    finally:
        del report  # what was raised knows this frame, and would be known by it


def count_if_never_started(operation: Operation, report: Report[Any], running: asyncio.Task[Any]) -> None:
    """See to it that a task cancelled before its first step, which runs no code at all, is counted."""

    def ended(asyncio_task: asyncio.Task[Any]) -> None:
        if report.outcome is not None or not asyncio_task.cancelled():
            return
        try:
            asyncio_task.result()
        except asyncio.CancelledError as cancel:
            # Without the frame of this function, which knows the report.
            report.outcome, report.error = "cancelled", cancel.with_traceback(None)
            start_step(operation, report.name).end(cancel)

    running.add_done_callback(ended)


async def cancel_and_wait(
    tasks: Collection[asyncio.Task[Any]], request: CancelRequest
) -> asyncio.CancelledError | None:
    """Cancel tasks and wait until all have ended, their cleanup included.

    Returns:
        The first cancel of the calling task that arrived meanwhile: a timer's may follow it. It was passed
        on to the tasks, and the caller has to raise it.
    """
    absorbed: asyncio.CancelledError | None = None
    _cancel_all(tasks, request)
    try:
        while pending := [task for task in tasks if not task.done()]:
            try:
                await asyncio.wait(pending)
            except asyncio.CancelledError as again:
                absorbed = absorbed or again
                _cancel_all(pending, cancel_request(again, current_scope()))
        return absorbed
    finally:
        del absorbed  # it knows this frame from Python 3.12 on, and would be known by it


def _cancel_all(tasks: Collection[asyncio.Task[Any]], request: CancelRequest) -> None:
    for running in tasks:
        running.cancel(request)


class cancel_on_exit:  # noqa: N801  (reads like asyncio.timeout)
    """See to it that no task outlives the block: at its end what still runs is cancelled and awaited.

    An async context manager. The cause is ``request`` where the block ends by itself, else that of the cancel
    that ended the block. What became of the tasks is in their reports; their errors are not raised.

    Args:
        tasks: Made by :func:`cancellable`; those that the block adds are cancelled as well.

    Raises:
        TypeError: ``tasks`` is no collection, or has something else in it.
        RuntimeError: It was entered before.
        asyncio.CancelledError: The calling task was cancelled; all tasks have ended.

    >>> import asyncio
    >>> work = Operation("work", workflow="docs")
    >>> async def main():
    ...     tasks = [cancellable(work, asyncio.sleep, 0.001)]
    ...     async with cancel_on_exit(tasks):
    ...         tasks.append(cancellable(work, asyncio.sleep, 10))
    ...         await asyncio.sleep(0.05)
    ...     return [task.report.outcome for task in tasks]
    >>> asyncio.run(main())
    ['success', 'cancelled']
    """

    # No generator: contextlib sets the traceback of what the block raises, which its class may refuse.
    __slots__ = ("_entered", "_tasks")

    def __init__(self, tasks: Collection[CancellableTask[Any]]) -> None:
        if not isinstance(tasks, Collection):
            raise TypeError(f"cancel_on_exit takes a collection of cancellable tasks, got {described(tasks)}")
        self._tasks = tasks
        self._refuse_others()
        self._entered: bool | None = None

    async def __aenter__(self) -> None:
        first_entry(self._entered, "cancel_on_exit")
        self._entered = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if isinstance(error, GeneratorExit):  # torn down from outside, where nothing can be awaited
            self._look_at_errors()
            return
        if isinstance(error, asyncio.CancelledError):
            request = cancel_request(error, current_scope())
        else:
            request = _request("request")
        absorbed = await self._stop(request)
        try:
            self._look_at_errors()
            if error is None and not absorbed:  # what the block itself raises is not to be hidden
                self._refuse_others()
            if absorbed and not isinstance(error, asyncio.CancelledError):
                raise absorbed[0] from error
        finally:
            absorbed.clear()  # what is raised knows this frame, and would be known by it

    def _refuse_others(self) -> None:
        each: object
        for each in self._tasks:
            if not isinstance(each, CancellableTask):
                raise TypeError(f"cancel_on_exit takes tasks made by cancellable(), got {described(each)}")

    def _ours(self) -> list[asyncio.Task[Any]]:
        given: Collection[object] = self._tasks
        return [each.task for each in given if isinstance(each, CancellableTask)]

    async def _stop(self, request: CancelRequest) -> list[asyncio.CancelledError]:
        absorbed: list[asyncio.CancelledError] = []
        stopped: set[asyncio.Task[Any]] = set()
        # A task may start another one before it ends.
        while running := [each for each in self._ours() if each not in stopped]:
            cancel = await cancel_and_wait(running, request)
            stopped.update(running)
            if cancel is not None:
                absorbed.append(cancel)
            del cancel  # it knows the frames that it came through, and would be known by this one
        return absorbed

    def _look_at_errors(self) -> None:
        for each in self._ours():
            if each.done() and not each.cancelled():
                each.exception()  # it is in the report: asyncio need not warn that nobody looked at it


def _request(cause: CancelCause, by: SpanContext | None = None, reason: str | None = None) -> CancelRequest:
    telemetry = active()
    if by is None:
        by = telemetry.recorder.current()
    given: object = by  # whatever else it is, the request refuses
    if isinstance(given, SpanContext) and not given.is_valid:
        by = None
    return CancelRequest(cause, by, telemetry.time_ns(), reason or None)
