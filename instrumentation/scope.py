"""What an execution hands down to everything it awaits: deadline, enclosing timer, cause of a cancel.

A chain of scopes in one context variable. ``create_task`` copies the context, so a child task
sees the scopes of the code that created it.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.trace import SpanContext

from . import semconv
from .outcome import CancelCause
from .printable import shown
from .telemetry import active

if TYPE_CHECKING:
    from .execution import Execution
    from .report import Report


class Scope:
    """One level of the chain.

    Attributes:
        parent: The enclosing scope, or None.
        execution: The execution that opened this level, if one did.
        task: The asyncio task that entered the scope.
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
        execution: Execution | None = None,
        deadline: float = math.inf,
        timer: asyncio.Timeout | None = None,
        span: SpanContext | None = None,
        cause: CancelCause | None = None,
        report: Report[Any] | None = None,
        workflow: str | None = None,
        attempt: int = 0,
    ) -> None:
        self.parent: Scope | None = parent
        self.execution: Execution | None = execution
        self.task = asyncio.current_task()
        self.deadline: float = deadline if parent is None else min(deadline, parent.deadline)
        self.timer = timer
        self.span = span
        self.cause = cause
        self.report: Report[Any] | None = report if report is not None or parent is None else parent.report
        self.workflow: str | None = workflow if workflow is not None or parent is None else parent.workflow
        self.attempt: int = attempt if attempt or parent is None else parent.attempt


_SEEN = "__resilience_seen__"

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


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Why a task is being cancelled; travels as the message of ``Task.cancel``.

    Attributes:
        cause: Who asked.
        by: Span whose failure or request caused it, to be linked to, or None.
        time_ns: When it was asked, in nanoseconds since the epoch; 0 where only the arrival is known.
        reason: Why, in the words of whoever asked; None where they gave none.
        task: Name of the task that asked; None where it is not known.
        location: Where in the code, as ``module.function:line``; None where it is not known.

    >>> str(CancelRequest("shutdown", reason="a new version", task="main"))
    'cancelled: shutdown (a new version), by task main'
    """

    cause: CancelCause
    by: SpanContext | None = None
    time_ns: int = 0
    reason: str | None = None
    task: str | None = None
    location: str | None = None

    @property
    def attributes(self) -> dict[str, str]:
        """What spans and logs say of it."""
        known = {
            semconv.CANCEL_CAUSE: self.cause,
            semconv.CANCEL_REASON: self.reason,
            semconv.CANCEL_TASK: self.task,
            semconv.CANCEL_LOCATION: self.location,
        }
        return {name: shown(text) for name, text in known.items() if text is not None}

    def __str__(self) -> str:
        reason = f" ({shown(self.reason)})" if self.reason else ""
        return f"cancelled: {self.cause}{reason}{_author(self.task, self.location)}"


class CancelText(str):
    """The text that ``Task.cancel`` was given, or an empty one, and who gave it.

    It equals the text, for code that compares it; what it shows has the author too.
    """

    __slots__ = ("location", "task")

    task: str | None
    location: str

    def __new__(cls, text: str, task: str | None, location: str) -> Self:
        """Sign a text."""
        self = super().__new__(cls, text)
        self.task, self.location = task, location
        return self

    def __str__(self) -> str:
        return f"{self[:]}{_author(self.task, self.location)}".removeprefix(", ")


def _author(task: str | None, location: str | None) -> str:
    by = "" if task is None else f", by task {shown(task)}"
    return by if location is None else f"{by}, at {shown(location)}"


def cancel_request(error: BaseException, around: Scope | None) -> CancelRequest:
    """Who asked for the cancellation that arrived as ``error`` at code running inside ``around``.

    A request that says so itself is believed. Otherwise an enclosing timer that has fired is the cause
    (``deadline``), then what the surroundings declared (an HTTP request: ``client_disconnect``), then
    plain ``request``. One that does not say when it was made was made when it was first seen.
    """
    message = error.args[0] if error.args else None
    if isinstance(message, CancelRequest):
        return message
    request = replace(_surrounding_cause(around), time_ns=_first_seen(error))
    if isinstance(message, CancelText):
        return replace(request, reason=message[:] or None, task=message.task, location=message.location)
    return replace(request, reason=_reason(message))


def _reason(message: object) -> str | None:
    """What ``Task.cancel`` was given, as text: it may be anything."""
    try:
        return None if message is None else str(message) or None
    except Exception:
        return f"<{type(message).__qualname__} that can't be shown>"


def _surrounding_cause(around: Scope | None) -> CancelRequest:
    declared: CancelRequest | None = None
    scope = around
    while scope is not None:
        if scope.timer is not None and scope.timer.expired():
            return CancelRequest("deadline", scope.span)
        if declared is None and scope.cause is not None:
            declared = CancelRequest(scope.cause, scope.span)
        scope = scope.parent
    return declared or CancelRequest("request")


def _first_seen(error: BaseException) -> int:
    """When the cancellation arrived: before the cleanup that it led to."""
    seen: int | None = getattr(error, _SEEN, None)
    if seen is None:
        seen = active().time_ns()
        setattr(error, _SEEN, seen)
    return seen
