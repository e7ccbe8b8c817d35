"""What an execution hands down to everything it awaits: deadline, enclosing timer, cause of a cancel.

A chain of scopes in one context variable. ``create_task`` copies the context, so a child task
sees the scopes of the code that created it. A scope that has ended is in force for nobody: not for a
background task that outlives it, nor for whoever is left with its context by a generator.
"""

from __future__ import annotations

import math
from contextvars import ContextVar
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


class Expiring(Protocol):
    """A timer, as ``asyncio.timeout()`` is one."""

    def expired(self) -> bool:
        """Whether it has fired."""


class Watcher(Protocol):
    """What keeps the deadline of a scope that is not its own."""

    def rearm(self) -> None:
        """That deadline is in force no more."""


class Level:
    """One level of the chain: a :class:`Scope`, or what runs under a span. In force until :meth:`leave`.

    Attributes:
        parent: The enclosing level, or None.
        deadline: Absolute ``loop.time()`` in seconds by which it must end; infinity: none of its own.
        timer: The timer that enforces its own limit, if it has one.
        cause: Cause of a cancel that names none, or None to ask the parent.
        report: Where outcomes, attempts and waits are written, if someone wants to know.
        workflow: Name of the workflow, if this level is one.
        attempt: Number of the attempt, if this level is one.
        ended: It is in force no more.
    """

    __slots__ = (
        "_watchers",
        "attempt",
        "cause",
        "deadline",
        "ended",
        "parent",
        "report",
        "timer",
        "workflow",
    )

    def _enter(
        self,
        parent: Level | None,
        deadline: float,
        timer: Expiring | None,
        cause: CancelCause | None = None,
        report: Progress | None = None,
        workflow: str | None = None,
        attempt: int | None = None,
    ) -> None:
        self.parent = parent
        self.deadline = deadline
        self.timer = timer
        self.cause = cause
        self.report = report
        self.workflow = workflow
        self.attempt = attempt
        self.ended = False
        self._watchers: set[Watcher] | None = None
        _current.set(self)

    @property
    def execution(self) -> object | None:
        """What runs here under a span, if anything does."""
        return None

    @property
    def by(self) -> SpanContext | None:
        """The span of this level, which a cancel by ``timer`` or for ``cause`` links to."""
        return None

    def leave(self) -> None:
        """It is in force no more, wherever it is still looked up; the enclosing one is current again.

        Called on every way out, also where a coroutine or generator is torn down in another context than the
        one it began in: there is nothing to restore there, and it is no error of the caller's.
        """
        self.ended = True
        # Nothing that has ended is kept: tasks may start each other for days.
        self.parent = in_force(self.parent)
        self.timer = self.report = None
        if _current.get() is self:
            _current.set(self.parent)
        watchers, self._watchers = self._watchers, None
        for each in watchers or ():
            each.rearm()

    def watch(self, watcher: Watcher) -> None:
        """Tell it when this level's deadline binds it no more."""
        if self._watchers is None:
            self._watchers = set()
        self._watchers.add(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """It need not be told."""
        if self._watchers is not None:
            self._watchers.discard(watcher)


class Scope(Level):
    """A level that is nothing else. It is current from when it is made until it :meth:`leaves <leave>`.

    Args:
        deadline: Absolute ``loop.time()`` in seconds by which this level must end; infinity: none of its own.
        timer: The timer that enforces this level's own limit, if it has one.
        span: The span of this level, which a cancel by ``timer`` or for ``cause`` links to.
        cause: Cause of a cancel that names none, or None to ask the parent.
        report: Where outcomes, attempts and waits are written, if someone wants to know.
        workflow: Name of the workflow, if this level is one.
        attempt: Number of the attempt, if this level is one.
        detached: It has no parent: what is in force around it does not bind it.
    """

    __slots__ = ("_by",)

    def __init__(
        self,
        *,
        deadline: float = math.inf,
        timer: Expiring | None = None,
        span: SpanContext | None = None,
        cause: CancelCause | None = None,
        report: Progress | None = None,
        workflow: str | None = None,
        attempt: int | None = None,
        detached: bool = False,
    ) -> None:
        self._by = span
        self._enter(
            None if detached else current_scope(),
            deadline=deadline,
            timer=timer,
            cause=cause,
            report=report,
            workflow=workflow,
            attempt=attempt,
        )

    @property
    def by(self) -> SpanContext | None:
        """The span of this level."""
        return self._by


_current: ContextVar[Level | None] = ContextVar("resilience_scope", default=None)


def in_force(scope: Level | None) -> Level | None:
    """A level, or where it has ended the nearest around it that has not."""
    while scope is not None and scope.ended:
        scope = scope.parent
    return scope


def current_scope() -> Level | None:
    """The innermost scope in force here, or None."""
    return in_force(_current.get())


def enclosing(scope: Level) -> Level | None:
    """The next level around one, that has not ended."""
    scope.parent = in_force(scope.parent)
    return scope.parent


def is_within(scope: Level | None, level: Level) -> bool:
    """Whether a level is another one that is in force, or inside of it."""
    while scope is not None and scope is not level:
        scope = scope.parent
    return scope is not None


def deadline_in_force(scope: Level | None) -> tuple[float, Level | None]:
    """The earliest deadline of a scope and all around it, and whose it is; infinity without one."""
    earliest, whose = math.inf, None
    scope = in_force(scope)
    while scope is not None:
        if scope.deadline < earliest:
            earliest, whose = scope.deadline, scope
        scope = enclosing(scope)
    return earliest, whose


def inherited_deadline() -> float:
    """The deadline in force here, as absolute ``loop.time()`` in seconds; infinity without one."""
    return deadline_in_force(_current.get())[0]


def workflow_here() -> str | None:
    """Name of the enclosing workflow, or None."""
    return workflow_of(current_scope())


def workflow_of(scope: Level | None) -> str | None:
    """Name of the workflow that a level is in, or None."""
    while scope is not None and scope.workflow is None:
        scope = enclosing(scope)
    return None if scope is None else scope.workflow


def reported_around(scope: Level | None) -> Level | None:
    """The nearest level whose ``report`` somebody wants; it has none any more once it has ended."""
    while scope is not None and scope.report is None:
        scope = enclosing(scope)
    return scope


def report_here() -> Progress | None:
    """Where what happens here is written, if someone wants to know."""
    scope = reported_around(current_scope())
    return None if scope is None else scope.report


def attempt_here() -> int:
    """Number of the enclosing attempt; 0 outside of any."""
    scope = current_scope()
    while scope is not None and scope.attempt is None:
        scope = enclosing(scope)
    return 0 if scope is None or scope.attempt is None else scope.attempt
