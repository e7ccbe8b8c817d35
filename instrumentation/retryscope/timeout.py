"""Timeouts and deadlines, as ``asyncio.timeout``.

Never ``wait_for``: on Python 3.11 it can swallow an outer cancel, and it runs the body in another task,
where context variables and span parents are lost.
"""

from __future__ import annotations

import math
import sys
from types import TracebackType
from typing import Self

from retryscope import semconv
from retryscope._core.execution import OperationExecution, as_run_here
from retryscope._core.scope import Scope, current_scope
from retryscope._core.timer import Timer, end_of, running_task
from retryscope.arguments import require_number
from retryscope.entry import first_entry
from retryscope.operation import Operation, require_operation, require_task_name
from retryscope.printable import described, shown


def require_seconds(what: str, value: float, *, zero: bool = False) -> float:
    """Check a duration given by the caller.

    Raises:
        TypeError: It is not a number.
        ValueError: It is NaN, infinite, negative, or zero where zero makes no sense.
    """
    require_number(what, value, " of seconds")
    if not 0 <= value <= sys.float_info.max or (value == 0 and not zero):  # also where it is NaN
        bound = ">= 0" if zero else "> 0"
        raise ValueError(f"{what} must be finite and {bound} seconds, got {described(value)}")
    return float(value)


class timeout:  # noqa: N801  (named as asyncio.timeout is)
    """Limit an operation's duration; trace and count it.

    An async context manager. When the limit is reached the body is cancelled and ``TimeoutError`` is
    raised: outcome ``timeout``. A ``TimeoutError`` that the body raises itself (a socket's) is an
    ``error``. If an outer cancel arrives at the same time, it wins.

    A body that never awaits can't be interrupted; the overrun is then on the span, as
    ``resilience.timeout.elapsed``.

    Args:
        operation: The declared operation.
        limit: Seconds, finite and > 0.
        name: Name of this task, on the span; may be variable.

    Raises:
        TypeError: ``operation`` is no operation, or ``limit`` no number.
        ValueError: ``limit`` is out of bounds.
        TimeoutError: The limit was reached, or an enclosing deadline has passed before it was entered.
        RuntimeError: It was entered before, or outside of a task.

    >>> import asyncio
    >>> slow = Operation("slow", workflow="docs")
    >>> async def main():
    ...     async with timeout(slow, 0.001):
    ...         await asyncio.sleep(1)
    >>> asyncio.run(main())
    Traceback (most recent call last):
        ...
    TimeoutError: slow timed out after 0.001 s
    """

    __slots__ = ("_began", "_execution", "_limit", "_name", "_operation", "_timer")

    def __init__(self, operation: Operation, limit: float, *, name: str | None = None) -> None:
        self._operation = require_operation("timeout", operation)
        self._limit = require_seconds("timeout limit", limit)
        self._name = require_task_name("timeout", name)
        self._execution: OperationExecution | None = None

    async def __aenter__(self) -> Self:
        first_entry(self._execution, "timeout")
        task = running_task("timeout")
        now = task.get_loop().time()
        own = end_of(self._limit, now)
        timer = Timer(task, own, current_scope())
        operation = as_run_here(self._operation)
        attributes: dict[str, str | float] = {
            **operation.attributes,
            semconv.TIMEOUT_LIMIT: self._limit,
        }
        if timer.inherited < math.inf:
            attributes[semconv.DEADLINE] = max(0.0, timer.inherited - now)
        if self._name is not None:
            attributes[semconv.TASK_NAME] = shown(self._name)
        span_name = f"{semconv.SPAN_TIMEOUT} {operation.name}"
        execution = OperationExecution(operation, span_name, attributes, deadline=own, timer=timer)
        self._execution = execution
        self._timer = timer
        self._began = now
        if timer.when <= now:  # what began now could not even be awaited
            raise self._ran_out(f"no time is left for {self._what}: its deadline has passed")
        timer.span = execution.span.context
        timer.start()
        return self

    @property
    def _what(self) -> str:
        return self._name or self._operation.name

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        execution = self._execution
        assert execution is not None
        if self._timer.stop(error):
            seconds = self._timer.when - self._began
            raise self._ran_out(f"{self._what} timed out after {seconds:g} s") from error
        execution.end(error, self._overrun(execution))

    def _ran_out(self, message: str) -> TimeoutError:
        """End it so; what is to be raised, which no local of the caller's may hold."""
        execution = self._execution
        assert execution is not None
        expired = TimeoutError(message)
        execution.ran_out(self._limit)
        execution.end(expired, self._overrun(execution))
        return expired

    def _overrun(self, execution: OperationExecution) -> dict[str, float] | None:
        elapsed = execution.clock() - execution.started
        return {semconv.TIMEOUT_ELAPSED: elapsed} if elapsed > self._limit else None


class deadline:  # noqa: N801  (reads like asyncio.timeout)
    """Give everything inside a common time limit, which retries and timeouts inside respect.

    An async context manager. The limit is passed down: a ``retry`` inside never sleeps past it, and an
    attempt's timeout is the shorter of its own and what is left. When it is reached the body is cancelled
    (cause ``deadline``) and ``TimeoutError`` is raised. It binds nobody beyond its block.

    Args:
        limit: Seconds from entering, finite and > 0. An enclosing shorter deadline stays in force.

    Raises:
        ValueError: ``limit`` is out of bounds.
        TimeoutError: The deadline was reached.
        RuntimeError: It was entered before, or outside of a task.

    >>> import asyncio
    >>> async def main():
    ...     async with deadline(0.001):
    ...         await asyncio.sleep(1)
    >>> asyncio.run(main())
    Traceback (most recent call last):
        ...
    TimeoutError: deadline of 0.001 s reached
    """

    __slots__ = ("_limit", "_scope", "_timer")

    def __init__(self, limit: float) -> None:
        self._limit = require_seconds("deadline", limit)
        self._scope: Scope | None = None

    async def __aenter__(self) -> Self:
        first_entry(self._scope, "deadline")
        task = running_task("deadline")
        self._timer = Timer(task, task.get_loop().time() + self._limit)
        self._scope = Scope(deadline=self._timer.when, timer=self._timer)
        self._timer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._scope is not None
        self._scope.leave()
        if self._timer.stop(error):
            raise TimeoutError(f"deadline of {self._limit:g} s reached") from error
