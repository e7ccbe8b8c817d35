"""Cancellable tasks: who asked, what was cleaned up, and how long that took."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Generator
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from opentelemetry.trace import SpanContext

from retryscope._core.awaitables import require_async_callable, require_awaitable
from retryscope._core.cancel_request import CancelRequest, cancel_request
from retryscope._core.scope import current_scope
from retryscope._recording.telemetry import active
from retryscope.cleanup import DEFAULT_CLEANUP_TIMEOUT, cleanup
from retryscope.operation import Operation
from retryscope.outcome import CancelCause
from retryscope.report import Report
from retryscope.step import start_step, step
from retryscope.timeout import require_seconds

T = TypeVar("T")


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
    """
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
        TypeError: ``fn`` or ``on_cancel`` is a coroutine object or not callable.
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

    async def run() -> T:
        await report.run(work)
        return report.result()

    running = asyncio.create_task(run(), name=report.name)
    count_if_never_started(operation, report, running)
    return CancellableTask(report, running)


def count_if_never_started(operation: Operation, report: Report[Any], running: asyncio.Task[Any]) -> None:
    """See to it that a task cancelled before its first step, which runs no code at all, is counted."""

    def ended(asyncio_task: asyncio.Task[Any]) -> None:
        if report.outcome is not None or not asyncio_task.cancelled():
            return
        try:
            asyncio_task.result()
        except asyncio.CancelledError as cancel:
            report.outcome, report.error = "cancelled", cancel
            start_step(operation, report.name).end(cancel)

    running.add_done_callback(ended)


async def cancel_and_wait(
    tasks: Collection[asyncio.Task[Any]], request: CancelRequest
) -> asyncio.CancelledError | None:
    """Cancel tasks and wait until all have ended, their cleanup included.

    Returns:
        The last cancel of the calling task that arrived meanwhile; it was passed on to the tasks, and the
        caller has to raise it.
    """
    absorbed: asyncio.CancelledError | None = None
    _cancel_all(tasks, request)
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as again:
            absorbed = again
            _cancel_all(pending, cancel_request(again, current_scope.get()))
    return absorbed


def _cancel_all(tasks: Collection[asyncio.Task[Any]], request: CancelRequest) -> None:
    for running in tasks:
        running.cancel(request)


@asynccontextmanager
async def cancel_on_exit(tasks: Collection[CancellableTask[Any]]) -> AsyncIterator[None]:
    """See to it that no task outlives the block: at its end what still runs is cancelled and awaited.

    The cause is ``request`` where the block ends by itself, else that of the cancel that ended the block.
    What became of the tasks is in their reports; their errors are not raised.

    Args:
        tasks: Made by :func:`cancellable`.

    >>> import asyncio
    >>> work = Operation("work", workflow="docs")
    >>> async def main():
    ...     tasks = [cancellable(work, asyncio.sleep, 0.001), cancellable(work, asyncio.sleep, 10)]
    ...     async with cancel_on_exit(tasks):
    ...         await asyncio.sleep(0.05)
    ...     return [task.report.outcome for task in tasks]
    >>> asyncio.run(main())
    ['success', 'cancelled']
    """
    running = [each.task for each in tasks]
    try:
        yield
    except GeneratorExit:  # torn down from outside, where nothing can be awaited
        raise
    except BaseException as error:
        cancelled = isinstance(error, asyncio.CancelledError)
        request = cancel_request(error, current_scope.get()) if cancelled else _request("request")
        absorbed = await cancel_and_wait(running, request)
        if absorbed is not None and not cancelled:
            raise absorbed from error
        raise
    else:
        absorbed = await cancel_and_wait(running, _request("request"))
        if absorbed is not None:
            raise absorbed
    finally:
        for each in running:
            if each.done() and not each.cancelled():
                each.exception()  # it is in the report: asyncio need not warn that nobody looked at it


def _request(cause: CancelCause, by: SpanContext | None = None, reason: str | None = None) -> CancelRequest:
    telemetry = active()
    if by is None:
        by = telemetry.recorder.current()
    return CancelRequest(cause, by if by.is_valid else None, telemetry.time_ns(), reason or None)
