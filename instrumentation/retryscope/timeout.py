"""Timeouts and deadlines, on ``asyncio.timeout``.

Never ``wait_for``: on Python 3.11 it can swallow an outer cancel, and it runs the body in another task,
where context variables and span parents are lost.
"""

from __future__ import annotations

import asyncio
import math
import sys
from contextvars import Token
from types import TracebackType
from typing import Self

from retryscope import semconv
from retryscope._core.execution import OperationExecution, as_run_here
from retryscope._core.scope import Scope, current_scope, inherited_deadline, leave_scope
from retryscope.operation import Operation
from retryscope.printable import shown


def require_seconds(what: str, value: float, *, zero: bool = False) -> float:
    """Check a duration given by the caller.

    Raises:
        TypeError: It is not a number.
        ValueError: It is NaN, infinite, negative, or zero where zero makes no sense.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what} must be a number of seconds, got {value!r}")
    if not 0 <= value <= sys.float_info.max or (value == 0 and not zero):  # also where it is NaN
        bound = ">= 0" if zero else "> 0"
        raise ValueError(f"{what} must be finite and {bound} seconds, got {value!r}")
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
        ValueError: ``limit`` is out of bounds.
        TimeoutError: The limit was reached.

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

    __slots__ = ("_effective", "_execution", "_limit", "_name", "_operation", "_timer")

    def __init__(self, operation: Operation, limit: float, *, name: str | None = None) -> None:
        self._operation = operation
        self._limit = require_seconds("timeout limit", limit)
        self._name = name

    async def __aenter__(self) -> Self:
        now = asyncio.get_running_loop().time()
        inherited = inherited_deadline()
        own = now + self._limit
        when = min(own, inherited)
        self._effective = self._limit if own <= inherited else inherited - now
        self._timer = asyncio.timeout_at(when)
        await self._timer.__aenter__()  # first: it refuses to run outside a task
        operation = as_run_here(self._operation)
        attributes: dict[str, str | float] = {
            **operation.attributes,
            semconv.TIMEOUT_LIMIT: self._limit,
        }
        if inherited < math.inf:
            attributes[semconv.DEADLINE] = inherited - now
        if self._name is not None:
            attributes[semconv.TASK_NAME] = shown(self._name)
        self._execution = OperationExecution(
            operation,
            f"{semconv.SPAN_TIMEOUT} {operation.name}",
            attributes,
            deadline=when,
            timer=self._timer,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        execution = self._execution
        try:
            await self._timer.__aexit__(kind, error, tb)
        except TimeoutError as expired:
            # Raised only where the cancel was the timer's own; an outer cancel stays a CancelledError.
            what = self._name or self._operation.name
            execution.ran_out(expired, f"{what} timed out after {self._effective:g} s", self._limit)
            execution.end(expired, self._overrun())
            raise
        execution.end(error, self._overrun())

    def _overrun(self) -> dict[str, float] | None:
        elapsed = self._execution.clock() - self._execution.started
        return {semconv.TIMEOUT_ELAPSED: elapsed} if elapsed > self._limit else None


class deadline:  # noqa: N801  (reads like asyncio.timeout)
    """Give everything inside a common time limit, which retries and timeouts inside respect.

    An async context manager. The limit is passed down: a ``retry`` inside never sleeps past it, and an
    attempt's timeout is the shorter of its own and what is left. When it is reached the body is cancelled
    (cause ``deadline``) and ``TimeoutError`` is raised.

    Args:
        limit: Seconds from entering, finite and > 0. An enclosing shorter deadline stays in force.

    Raises:
        ValueError: ``limit`` is out of bounds.
        TimeoutError: The deadline was reached.

    >>> import asyncio
    >>> async def main():
    ...     async with deadline(0.001):
    ...         await asyncio.sleep(1)
    >>> asyncio.run(main())
    Traceback (most recent call last):
        ...
    TimeoutError: deadline of 0.001 s reached
    """

    __slots__ = ("_limit", "_timer", "_token")

    def __init__(self, limit: float) -> None:
        self._limit = require_seconds("deadline", limit)

    async def __aenter__(self) -> Self:
        when = asyncio.get_running_loop().time() + self._limit
        self._timer = asyncio.timeout_at(when)
        scope = Scope(current_scope.get(), deadline=when, timer=self._timer)
        self._token: Token[Scope | None] = current_scope.set(scope)
        await self._timer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if kind is not GeneratorExit:
            leave_scope(self._token)
        try:
            await self._timer.__aexit__(kind, error, tb)
        except TimeoutError as expired:
            expired.args = (f"deadline of {self._limit:g} s reached",)
            raise
