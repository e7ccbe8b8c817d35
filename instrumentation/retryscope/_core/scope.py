"""What an execution hands down to everything it awaits: deadline, enclosing timer, cause of a cancel.

A chain of scopes in one context variable. ``create_task`` copies the context, so a child task
sees the scopes of the code that created it.
"""

from __future__ import annotations

import asyncio
import math
import threading
from contextlib import suppress
from contextvars import ContextVar, Token
from typing import Protocol

from opentelemetry.trace import SpanContext

from retryscope.outcome import CancelCause, CleanupOutcome, Outcome


class Progress(Protocol):
    """Where those who run below a scope write down what becomes of it, as a report does.

    Attributes:
        attempts: Attempts made.
        backoff_seconds: Time spent waiting between attempts, in seconds.
        cleanup_seconds: Time spent cleaning up after a cancel, in seconds.
        cleanup_outcome: How the last cleanup ended; None without one.
        span: The first span that was started, or None.
    """

    attempts: int
    backoff_seconds: float
    cleanup_seconds: float
    cleanup_outcome: CleanupOutcome | None
    span: SpanContext | None

    def execution_ended(self, outcome: Outcome, error: BaseException | None) -> None:
        """Called with the outcome of every execution, and what came out of it."""


class Scope:
    """One level of the chain.

    Attributes:
        parent: The enclosing scope, or None.
        execution: What opened this level, if it was an execution.
        task: The asyncio task that entered the scope; without an event loop the thread, by its identifier.
        deadline: Absolute ``loop.time()`` in seconds by which the work must end; infinity without one.
        timer: The timer that enforces this level's own limit, if it has one.
        span: The span of this level, which a cancel by ``timer`` or for ``cause`` links to.
        cause: Cause of a cancel that names none, or None to ask the parent.
        report: Where outcomes, attempts and waits are written, if someone wants to know; inherited.
        workflow: Name of the enclosing workflow, or None; inherited.
        attempt: Number of the enclosing attempt, 0 outside of any; inherited.
    """

    __slots__ = (
        "attempt",
        "cause",
        "deadline",
        "execution",
        "parent",
        "report",
        "span",
        "task",
        "timer",
        "workflow",
    )

    def __init__(
        self,
        parent: Scope | None,
        *,
        execution: object | None = None,
        deadline: float = math.inf,
        timer: asyncio.Timeout | None = None,
        span: SpanContext | None = None,
        cause: CancelCause | None = None,
        report: Progress | None = None,
        workflow: str | None = None,
        attempt: int = 0,
    ) -> None:
        self.parent: Scope | None = parent
        self.execution: object | None = execution
        self.task: object
        try:
            self.task = asyncio.current_task()
        except RuntimeError:  # no event loop runs here
            self.task = threading.get_ident()
        self.deadline: float = deadline if parent is None else min(deadline, parent.deadline)
        self.timer = timer
        self.span = span
        self.cause = cause
        self.report: Progress | None = report if report is not None or parent is None else parent.report
        self.workflow: str | None = workflow if workflow is not None or parent is None else parent.workflow
        self.attempt: int = attempt if attempt or parent is None else parent.attempt


current_scope: ContextVar[Scope | None] = ContextVar("resilience_scope", default=None)


def leave_scope(token: Token[Scope | None]) -> None:
    """Make the enclosing scope current again."""
    # A coroutine that is torn down, or an async generator's block, may end in another context than the one
    # it began in. There is nothing to restore there, and it is no error of the caller's.
    with suppress(ValueError):
        current_scope.reset(token)


def inherited_deadline() -> float:
    """The deadline in force here, as absolute ``loop.time()`` in seconds; infinity without one."""
    scope = current_scope.get()
    return math.inf if scope is None else scope.deadline
