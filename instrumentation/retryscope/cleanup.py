"""Cleanup that must finish: in a task of its own, bounded, and visible."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from opentelemetry.trace import SpanContext

from retryscope import semconv
from retryscope._core.awaitables import require_async_callable, require_awaitable
from retryscope._core.cancel_request import cancel_request
from retryscope._core.ending import explain
from retryscope._core.execution import as_run_here
from retryscope._core.marks import end_scope
from retryscope._core.scope import Scope, current_scope, report_here, workflow_here
from retryscope._core.timer import Timer, running_task
from retryscope._recording.recorder import OpenSpan
from retryscope._recording.telemetry import active
from retryscope.foreign import add_note
from retryscope.operation import Operation, require_operation
from retryscope.outcome import CleanupOutcome, Outcome, message_of
from retryscope.printable import described
from retryscope.timeout import require_seconds

DEFAULT_CLEANUP_TIMEOUT: Final = 5.0
"""Seconds."""
ABANDON_AFTER: Final = 1.0
"""Seconds that a cleanup gets to end after it was cancelled at its deadline; then nobody waits for it."""

_log = logging.getLogger("retryscope")
_running: set[asyncio.Task[None]] = set()
"""Strong references: the event loop keeps only weak ones."""


@dataclass(frozen=True, slots=True)
class CleanupResult:
    """How a cleanup ended.

    Attributes:
        outcome: ``completed``, ``failed`` or ``timed_out``.
        seconds: How long it took.
        error: What it raised, if it failed.
    """

    outcome: CleanupOutcome
    seconds: float
    error: BaseException | None = None


async def cleanup(
    operation: Operation,
    fn: Callable[[], Awaitable[object]],
    *,
    timeout: float = DEFAULT_CLEANUP_TIMEOUT,
) -> CleanupResult:
    """Run ``fn()`` to its end, whatever cancels arrive meanwhile, but no longer than ``timeout``.

    For an ``except CancelledError`` block. A bare ``await`` there dies on a second cancel, and ``shield``
    orphans it. Here it runs in a task of its own; further cancels are absorbed while it runs; at the
    deadline it is cancelled. An error of the cleanup is reported and logged, never raised over the cancel.

    Args:
        operation: The operation being cleaned up after.
        fn: The cleanup.
        timeout: Most seconds that it may take, > 0.

    Raises:
        asyncio.CancelledError: A cancel arrived while it ran: the one being handled, if there is one.
        TypeError: ``fn`` is a coroutine object or not callable.
        ValueError: ``timeout`` is out of bounds.

    >>> import asyncio
    >>> hold = Operation("release-hold", workflow="docs")
    >>> async def main():
    ...     result = await cleanup(hold, lambda: asyncio.sleep(0), timeout=1)
    ...     return result.outcome
    >>> asyncio.run(main())
    'completed'
    """
    require_operation("cleanup", operation)
    require_async_callable(fn, "cleanup")
    timeout = require_seconds("cleanup timeout", timeout)
    handling = sys.exception()
    cancel = handling if isinstance(handling, asyncio.CancelledError) else None
    by = None if cancel is None else cancel_request(cancel, current_scope()).by
    running = _Cleanup(as_run_here(operation), timeout, by)
    task = asyncio.create_task(running.run(fn))
    _running.add(task)
    task.add_done_callback(_running.discard)

    absorbed = await _wait(task, timeout)
    # Counted from here: on a loop that stood still, the cleanup has not even heard of its deadline yet.
    later = await _wait(task, ABANDON_AFTER)
    absorbed = absorbed or later
    if task.cancelled():  # before its first step; otherwise it has finished by itself
        running.finish("failed", asyncio.CancelledError())
    elif task.done():
        task.exception()  # it is in the result: asyncio need not warn that nobody looked at it
    # Already finished, unless it ignores its cancellation too: then it is left behind.
    result = running.finish("timed_out", left_behind=True)
    if (report := report_here()) is not None:
        report.cleanup_seconds += result.seconds
        report.cleanup_outcome = result.outcome
    if cancel is not None and result.outcome != "completed":
        reason = "" if result.error is None else f": {described(result.error)}"
        add_note(cancel, f"cleanup of {operation.name} {result.outcome}{reason}")
    try:
        if absorbed is not None:
            raise cancel or absorbed
    finally:  # what is raised knows this frame, and would be known by it
        del absorbed, later, cancel, handling
    return result


async def _wait(task: asyncio.Task[None], limit: float) -> asyncio.CancelledError | None:
    """Wait at most ``limit`` seconds, absorbing cancels; returns the first one: a timer's may follow it."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    absorbed: asyncio.CancelledError | None = None
    try:
        while not task.done() and (left := end - loop.time()) > 0:
            try:
                await asyncio.wait((task,), timeout=left)
            except asyncio.CancelledError as cancel:
                absorbed = absorbed or cancel
        return absorbed
    finally:
        del absorbed  # it knows this frame from Python 3.12 on, and would be known by it


class _Cleanup:
    """One running cleanup."""

    def __init__(self, operation: Operation, timeout: float, by: SpanContext | None) -> None:
        self._operation = operation
        self._timeout = timeout
        self._by = by
        self._telemetry = active()
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._span: OpenSpan | None = None
        self._around = current_scope()
        self._scope: Scope | None = None
        self.result: CleanupResult | None = None

    async def run(self, fn: Callable[[], Awaitable[object]]) -> None:
        """Open the span, run ``fn`` under the time limit, finish."""
        deadline = self._started + self._timeout
        self._span = self._start_span()
        timer = Timer(running_task("cleanup"), deadline)
        timer.span = self._span.context
        # A scope of its own, without parent: the deadline that has just passed must not stop the cleanup.
        workflow = workflow_here()
        span = self._span.context
        scope = Scope(deadline=deadline, timer=timer, span=span, workflow=workflow, detached=True)
        self._scope = scope
        timer.start()
        try:
            await require_awaitable(fn, fn())
        except BaseException as error:
            timed_out = timer.stop(error)
            if timed_out:
                self.finish("timed_out")
            else:
                self.finish("failed", error, left_behind=isinstance(error, GeneratorExit))
            end_scope(scope, error)
            if not timed_out and not isinstance(error, Exception):  # the event loop is being shut down
                raise
        else:
            timer.stop(None)
            self.finish("completed")
            scope.leave()
        finally:
            del self  # the result knows what was raised, which knows this frame

    def _start_span(self) -> OpenSpan:
        return self._telemetry.recorder.start(
            f"{semconv.SPAN_CLEANUP} {self._operation.name}",
            {**self._operation.attributes, semconv.CLEANUP_DEADLINE: self._timeout},
            cancelled_by=self._by,
        )

    def finish(
        self, outcome: CleanupOutcome, error: BaseException | None = None, *, left_behind: bool = False
    ) -> CleanupResult:
        """Count, log and end the span, once; further calls return the first result."""
        if self.result is None:
            self.result = CleanupResult(outcome, self._loop.time() - self._started, error)
            self._record(self.result, left_behind)
        return self.result

    def _record(self, result: CleanupResult, left_behind: bool) -> None:
        span = self._span or self._start_span()
        final: dict[str, str] = {semconv.CLEANUP_OUTCOME: result.outcome}
        failure: str | None = None
        if result.outcome == "timed_out":
            message = f"cleanup of {self._operation.name} timed out after {self._timeout:g} s"
            limit = {semconv.TIMEOUT_LIMIT: self._timeout}
            self._telemetry.recorder.event(span, semconv.EVENT_TIMEOUT, limit)
            failure = self._explain(span, "timeout", TimeoutError(), message, final)
        elif result.error is not None:
            message = f"cleanup of {self._operation.name} failed: {message_of(result.error)}"
            failure = self._explain(span, "error", result.error, message, final)
        metrics = self._telemetry.metrics.of(self._operation)
        metrics.cleaned_up(result.outcome, result.seconds, span.exemplar)
        if left_behind:
            _log.error(
                "cleanup of %s ignores its cancellation and is left behind",
                self._operation.name,
                extra=dict(self._operation.attributes),
            )
        self._telemetry.recorder.end(span, final, failure=failure)

    def _explain(
        self, span: OpenSpan, outcome: Outcome, error: BaseException, message: str, final: dict[str, str]
    ) -> str | None:
        """Put the error on the span and in the log; returns the description of the status ERROR, if any."""
        ending = explain(
            self._telemetry,
            span,
            outcome,
            error,
            inside=self._scope,
            around=self._around,
            started=self._started,
            now=self._loop.time(),
        )
        final |= ending.attributes
        _log.error(message, extra={**self._operation.attributes, **final})
        return None if ending.failure is None else message
