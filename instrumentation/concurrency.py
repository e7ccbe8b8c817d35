"""Concurrent tasks whose results and exceptions are all collected."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from . import semconv
from .awaitables import require_async_callable
from .cancel_request import CancelRequest, cancel_request
from .cancellation import cancel_and_wait, count_if_never_started
from .execution import as_run_here
from .operation import Operation
from .outcome import error_type, mark_recorded, message_of, recorded_since
from .recording import OpenSpan
from .report import Report
from .scope import current_scope
from .telemetry import active

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
    attributes = as_run_here(operation).attributes
    recorder = active().recorder
    span = recorder.start(
        f"{semconv.SPAN_GATHER} {operation.name}",
        {**attributes, semconv.GATHER_SIZE: len(calls)},
    )
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        await _run_all(operation, calls, reports, fail_fast=fail_fast)
    except BaseException as error:
        _end(span, reports, started, error)
        mark_recorded(error, loop.time())  # a group: each leaf has its own record
        raise
    _end(span, reports, started, None)
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


def _errors(reports: list[Report[T]]) -> list[tuple[str, Exception]]:
    return [(report.name, report.error) for report in reports if isinstance(report.error, Exception)]


def _end(span: OpenSpan, reports: list[Report[T]], started: float, error: BaseException | None) -> None:
    telemetry = active()
    for _, failed in _errors(reports):
        if not recorded_since(failed, started):  # by a primitive in the child
            telemetry.recorder.exception(span, failed)
    final: dict[str, str | int] = {
        semconv.GATHER_SUCCEEDED: sum(report.outcome == "success" for report in reports),
        semconv.GATHER_FAILED: len(_errors(reports)),
        semconv.GATHER_CANCELLED: sum(report.outcome == "cancelled" for report in reports),
    }
    failure: str | None = None
    if error is None:
        final[semconv.OUTCOME] = "success"
    elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        request = cancel_request(error, current_scope.get())
        cause = request.attributes
        final |= {semconv.OUTCOME: "cancelled", **cause}
        telemetry.recorder.event(span, semconv.EVENT_CANCEL_REQUESTED, cause, request.time_ns)
        if request.by is not None:
            telemetry.recorder.link(span, request.by)
    else:
        final |= {semconv.OUTCOME: "error", semconv.ERROR_TYPE: error_type(error)}
        failure = message_of(error) if telemetry.is_failure("error") else None
    abandoned = isinstance(error, GeneratorExit)
    telemetry.recorder.end(span, final, failure=failure, abandoned=abandoned)
