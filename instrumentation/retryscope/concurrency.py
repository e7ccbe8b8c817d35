"""Concurrent tasks whose results and exceptions are all collected."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from retryscope import semconv
from retryscope._core.awaitables import require_async_callable
from retryscope._core.cancel_request import CancelRequest, cancel_request
from retryscope._core.ending import explain, record_once
from retryscope._core.execution import as_run_here
from retryscope._core.scope import current_scope
from retryscope._recording.telemetry import active
from retryscope.cancellation import cancel_and_wait, count_if_never_started
from retryscope.operation import Operation
from retryscope.outcome import mark_recorded, outcome_of
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
        TypeError: A call is a coroutine object or not callable; nothing was started.
        ExceptionGroup: With ``fail_fast``: the children's errors, each with a note that names the child.
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
    for call in calls.values():
        require_async_callable(call, "gather")
    reports = [] if reports is None else reports
    running = _Gather(operation, len(calls), reports)
    try:
        await _run_all(operation, calls, reports, fail_fast=fail_fast)
    except BaseException as error:
        running.end(error)
        raise
    running.end(None)
    return reports


async def _run_all(
    operation: Operation,
    calls: Mapping[str, Callable[[], Awaitable[T]]],
    reports: list[Report[T]],
    *,
    fail_fast: bool,
) -> None:
    tasks: list[asyncio.Task[None]] = []
    for name, call in calls.items():
        report: Report[T] = Report(name)
        reports.append(report)
        tasks.append(asyncio.create_task(report.run(call), name=name))
        count_if_never_started(operation, report, tasks[-1])
    if fail_fast:
        _stop_at_first_error(tasks, reports)
    try:
        if tasks:
            await asyncio.wait(tasks)
    except asyncio.CancelledError as cancel:
        await cancel_and_wait(tasks, cancel_request(cancel, current_scope.get()))
        for name, error in _errors(reports):  # TaskGroup would raise these and mask the cancel
            cancel.add_note(f"{name} failed meanwhile: {error!r}")
        raise
    errors = _errors(reports)
    if fail_fast and errors:
        for name, error in errors:
            error.add_note(f"raised by {name}")
        group = ExceptionGroup(
            f"{len(errors)} of {len(calls)} {operation.name} failed", [error for _, error in errors]
        )
        raise group


def _stop_at_first_error(tasks: list[asyncio.Task[None]], reports: list[Report[T]]) -> None:
    stopped = False

    def ended(report: Report[T], _: asyncio.Task[None]) -> None:
        nonlocal stopped
        if stopped or not isinstance(report.error, Exception):
            return
        stopped = True
        request = CancelRequest("sibling", report.span, active().time_ns())
        for task in tasks:
            task.cancel(request)

    for task, report in zip(tasks, reports, strict=True):
        task.add_done_callback(partial(ended, report))


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
        failed = _errors(self._reports)
        for _, each in failed:
            record_once(recorder, self._span, each, self._started, now)
        outcome = outcome_of(error, self._started)
        final: dict[str, str | int] = {
            semconv.OUTCOME: outcome,
            semconv.GATHER_SUCCEEDED: sum(report.outcome == "success" for report in self._reports),
            semconv.GATHER_FAILED: len(failed),
            semconv.GATHER_CANCELLED: sum(report.outcome == "cancelled" for report in self._reports),
        }
        if error is None:
            recorder.end(self._span, final)
            return
        if isinstance(error, ExceptionGroup):
            mark_recorded(error, now)  # each leaf has its own record
        ending = explain(
            self._telemetry,
            self._span,
            outcome,
            error,
            around=current_scope.get(),
            started=self._started,
            now=now,
        )
        final |= ending.attributes
        recorder.end(self._span, final, failure=ending.failure, abandoned=ending.abandoned)
