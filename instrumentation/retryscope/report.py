"""What became of one task: the result that ``gather`` and ``settle`` hand out instead of raising."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Generic, ParamSpec, TypeVar

from opentelemetry.trace import SpanContext

from retryscope._core.awaitables import require_async_callable
from retryscope._core.marks import end_scope, outcome_of, recorded_since
from retryscope._core.scope import Scope
from retryscope.foreign import TRACEBACK, peek
from retryscope.outcome import CleanupOutcome, Outcome

T = TypeVar("T")
P = ParamSpec("P")

_WITH_TRACEBACK: Final = BaseException.with_traceback  # of the class: its own may refuse


@dataclass(slots=True, eq=False)
class Report(Generic[T]):
    """The outcome of one task, filled in while it runs.

    Attributes:
        name: Name of the task; may be variable.
        outcome: None until the task has ended.
        value: What it returned.
        error: What it raised.
        attempts: Attempts made, 0 while none has started.
        backoff_seconds: Time spent waiting between attempts, in seconds.
        cleanup_seconds: Time spent cleaning up after a cancel, in seconds.
        cleanup_outcome: How the last cleanup ended; None without one.
        span: The task's own span, once it has started.
        recorded: Whether a span has recorded the error.
    """

    name: str
    outcome: Outcome | None = None
    value: T | None = None
    error: BaseException | None = None
    attempts: int = 0
    backoff_seconds: float = 0.0
    cleanup_seconds: float = 0.0
    cleanup_outcome: CleanupOutcome | None = None
    span: SpanContext | None = field(default=None, repr=False)
    recorded: bool = field(default=False, repr=False)
    _traceback: TracebackType | None = field(default=None, repr=False)
    _ended: tuple[Outcome, BaseException | None] = field(default=("success", None), repr=False)

    async def run(self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Run ``fn`` and write down what became of it.

        Errors are kept; a cancel of this task is raised, and so is what is outside of ``Exception``.
        """
        task = asyncio.current_task()
        assert task is not None
        cancels_before = task.cancelling()
        start = asyncio.get_running_loop().time()
        scope = Scope(report=self)
        try:
            self.value = await fn(*args, **kwargs)
        except BaseException as error:
            self._failed(error, start, scope)
            if isinstance(error, asyncio.CancelledError):
                if task.cancelling() > cancels_before:  # meant for us, not for what we awaited
                    raise
            elif not isinstance(error, Exception):
                raise
        else:
            self.outcome = "success"
        finally:
            self.attempts = self.attempts or 1
            end_scope(scope, self.error)
            del self, task  # what was raised knows this frame, and would be known by it

    def result(self) -> T:
        """The value that the task returned.

        Raises:
            BaseException: What the task raised instead.
            asyncio.InvalidStateError: It has not ended.
        """
        if self.outcome is None:
            raise asyncio.InvalidStateError(f"{self.name} has not ended: there is no result yet")
        if self.error is not None:
            try:
                # As it was: each raise would add to it, and keep the frames of whoever asked before.
                raise _WITH_TRACEBACK(self.error, self._traceback)
            finally:
                del self  # as asyncio does: what is raised knows this frame, and would be known by it
        return self.value  # type: ignore[return-value]  # None only where T allows it

    def __getstate__(self) -> tuple[None, dict[str, object]]:
        """A copy, or what another process gets, has no traceback, as the error itself has none there."""
        return None, {name: None if name == "_traceback" else getattr(self, name) for name in self.__slots__}

    def execution_ended(self, outcome: Outcome, error: BaseException | None) -> None:
        """Called by every execution inside; tells a timeout of the task's own from a plain error."""
        self._ended = (outcome, error)

    def _failed(self, error: BaseException, start: float, scope: Scope) -> None:
        self.error = error
        self._traceback = TRACEBACK(error)
        outcome, ended_by = self._ended
        self.outcome = outcome if ended_by is error else outcome_of(error, start, scope)
        self.recorded = recorded_since(error, start, scope)


async def settle(fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> Report[T]:
    """Await ``fn`` and return what became of it; an error is reported instead of raised.

    Raises:
        TypeError: ``fn`` is a coroutine object, a generator function or not callable.
        asyncio.CancelledError: The calling task was cancelled.

    >>> import asyncio
    >>> async def fail():
    ...     raise ValueError("no")
    >>> report = asyncio.run(settle(fail))
    >>> report.outcome, report.error
    ('error', ValueError('no'))
    """
    require_async_callable(fn, "settle")
    name = peek(fn, "__name__")  # which may be of any type where a class answers for every name
    report: Report[T] = Report(name if isinstance(name, str) else type(fn).__name__)
    try:
        await report.run(fn, *args, **kwargs)
        return report
    finally:
        del report  # what was raised knows this frame from Python 3.12 on, and would be known by it
