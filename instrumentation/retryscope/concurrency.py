"""Concurrent tasks whose results and exceptions are all collected."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from retryscope import semconv
from retryscope._core.awaitables import require_async_callable
from retryscope._core.cancel_request import CancelRequest, cancel_request
from retryscope._core.ending import explain
from retryscope._core.execution import as_run_here
from retryscope._core.marks import is_cancel, mark_recorded
from retryscope._core.scope import current_scope
from retryscope._recording.telemetry import active
from retryscope.cancellation import cancel_and_wait, count_if_never_started
from retryscope.foreign import add_note
from retryscope.operation import Operation, require_operation
from retryscope.outcome import Outcome
from retryscope.printable import described
from retryscope.report import Report

T = TypeVar("T")


async def gather(
    operation: Operation,
    calls: Mapping[str, Callable[[], Awaitable[T]]],
    *,
    fail_fast: bool = False,
    reports: list[Report[T]] | None = None,
) -> list[Report[T]]:
    """Run calls concurrently and collect every result and every exception.

    Unlike ``asyncio.gather(return_exceptions=True)`` a cancelled child is never mistaken for a result, no
    child is left running, and when the caller is cancelled the children are cancelled and awaited.

    Args:
        operation: What the children run; names the span. The gather itself is not counted as an operation.
        calls: Names (may be variable) and the async functions to call.
        fail_fast: On the first error cancel the other children (cause ``sibling``) and raise.
        reports: A list to fill with the children's reports as they are started; pass one to see what there
            is when the gather itself is cancelled.

    Returns:
        A report for each call, in their order.

    Raises:
        TypeError: ``calls`` is no mapping of names to async functions, or ``reports`` no list; nothing has
            been started.
        ExceptionGroup: With ``fail_fast``: the children's errors, each with a note that names the child.
        BaseException: A child raised what is outside of ``Exception``; the others are cancelled.
        asyncio.CancelledError: The caller was cancelled; all children have ended.

    >>> import asyncio
    >>> fetch = Operation("fetch", workflow="docs")
    >>> async def fine():
    ...     return 1
    >>> async def broken():
    ...     raise ValueError("no")
    >>> [r.outcome for r in asyncio.run(gather(fetch, {"a": fine, "b": broken}))]
    ['success', 'error']
    """
    require_operation("gather", operation)
    calls = _checked(calls)
    if reports is not None and not isinstance(reports, list):
        raise TypeError(f"gather fills a list of reports, got {described(reports)}")
    children = [Report[T](name) for name in calls]
    if reports is not None:
        reports += children
    running = _Gather(operation, len(calls), children)
    try:
        await _run_all(operation, calls, children, fail_fast=fail_fast)
    except BaseException as error:
        running.end(error)
        raise
    running.end(None)
    return children


def _checked(calls: Mapping[str, Callable[[], Awaitable[T]]]) -> dict[str, Callable[[], Awaitable[T]]]:
    """The calls as they are now: a mapping that changes later changes nothing here."""
    given: object = calls
    if not isinstance(given, Mapping):
        raise TypeError(
            "gather takes a mapping of names to async functions, as {'a': fetch_a, 'b': fetch_b},"
            f" got {type(given).__name__} {described(given)}"
        )
    taken = dict(calls)
    try:
        for name, call in taken.items():
            _require_name(name)
            require_async_callable(call, "gather")
    except TypeError:
        refused: Iterable[object] = taken.values()
        for each in refused:
            if inspect.iscoroutine(each):
                each.close()  # or Python warns that it was never awaited, which would hide the error
        raise
    return taken


def _require_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"gather takes names that are str, got {described(name)}")


async def _run_all(
    operation: Operation,
    calls: Mapping[str, Callable[[], Awaitable[T]]],
    reports: list[Report[T]],
    *,
    fail_fast: bool,
) -> None:
    tasks: dict[asyncio.Task[None], Report[T]] = {}
    for report in reports:
        task = asyncio.create_task(report.run(calls[report.name]), name=report.name)
        count_if_never_started(operation, report, task)
        tasks[task] = report
    _stop_at_first_error(tasks, fail_fast=fail_fast)
    try:
        if tasks:
            await asyncio.wait(tasks)
    except asyncio.CancelledError as cancel:
        await cancel_and_wait(tasks, cancel_request(cancel, current_scope()))
        for name, error in _errors(reports):  # TaskGroup would raise these and mask the cancel
            add_note(cancel, f"{name} failed meanwhile: {described(error)}")
        raise
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:  # outside of Exception: no report keeps it
            task.result()
    if fail_fast and (errors := _errors(reports)):
        raise _group(operation, errors, len(calls))


def _group(operation: Operation, errors: list[tuple[str, Exception]], size: int) -> ExceptionGroup[Exception]:
    group = ExceptionGroup(f"{len(errors)} of {size} {operation.name} failed", [error for _, error in errors])
    for name, error in errors:
        if not add_note(error, f"raised by {name}"):
            add_note(group, f"{name} raised {type(error).__qualname__}")
    return group


def _stop_at_first_error(tasks: Mapping[asyncio.Task[None], Report[T]], *, fail_fast: bool) -> None:
    """Cancel the others where a child ends by what is raised from here."""
    stopped = False

    def ended(first: asyncio.Task[None]) -> None:
        nonlocal stopped
        report = tasks[first]
        if stopped or not _is_raised(report.error, fail_fast=fail_fast):
            return
        stopped = True
        request = CancelRequest("sibling", report.span, active().time_ns())
        for task in tasks:
            task.cancel(request)

    for task in tasks:
        task.add_done_callback(ended)


def _is_raised(error: BaseException | None, *, fail_fast: bool) -> bool:
    if isinstance(error, Exception):
        return fail_fast
    return error is not None and not isinstance(error, asyncio.CancelledError)


def _errors(reports: Sequence[Report[Any]]) -> list[tuple[str, Exception]]:
    return [(report.name, report.error) for report in reports if isinstance(report.error, Exception)]


class _Gather:
    """The recording of one gather."""

    def __init__(self, operation: Operation, size: int, reports: Sequence[Report[Any]]) -> None:
        self._reports = reports
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self._telemetry = active()
        self._span = self._telemetry.recorder.start(
            f"{semconv.SPAN_GATHER} {operation.name}",
            {**as_run_here(operation).attributes, semconv.GATHER_SIZE: size},
        )

    def end(self, error: BaseException | None) -> None:
        """Count the children, record their errors that nobody inside has recorded, end the span."""
        recorder = self._telemetry.recorder
        now = self._clock()
        around = current_scope()
        failed = _errors(self._reports)
        for report in self._reports:
            if isinstance(report.error, Exception) and not report.recorded:
                recorder.exception(self._span, report.error)
                mark_recorded(report.error, now, around)
        outcome: Outcome = "success" if error is None else "cancelled" if is_cancel(error) else "error"
        final: dict[str, str | int] = {
            semconv.OUTCOME: outcome,
            semconv.GATHER_SUCCEEDED: sum(report.outcome == "success" for report in self._reports),
            semconv.GATHER_FAILED: len(failed),
            semconv.GATHER_CANCELLED: sum(report.outcome == "cancelled" for report in self._reports),
        }
        if error is None:
            recorder.end(self._span, final)
            return
        ending = explain(
            self._telemetry,
            self._span,
            outcome,
            error,
            inside=around,
            around=around,
            started=self._started,
            now=now,
            recorded=isinstance(error, ExceptionGroup),
        )
        final |= ending.attributes
        recorder.end(self._span, final, failure=ending.failure)
