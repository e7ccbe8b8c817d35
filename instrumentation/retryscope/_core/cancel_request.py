"""Why a task is being cancelled: what a cancel says of itself, else what its surroundings tell."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Self

from opentelemetry.trace import SpanContext

from retryscope import semconv
from retryscope._core.marks import marks_of
from retryscope._core.scope import Level, enclosing
from retryscope._recording.telemetry import active
from retryscope.foreign import CAUSE, CONTEXT, TRACEBACK
from retryscope.outcome import CANCEL_CAUSES, CancelCause
from retryscope.printable import described, shown


class Signature:
    """What a timer knows a cancel of its own by.

    Attributes:
        overruled: Somebody else has asked since.
    """

    __slots__ = ("overruled",)

    def __init__(self) -> None:
        self.overruled = False


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
        signature: What a timer knows its own cancel by.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: ``cause`` is none of the known ones.

    >>> str(CancelRequest("shutdown", reason="a new version", task="main"))
    'cancelled: shutdown (a new version), by task main'
    """

    cause: CancelCause
    by: SpanContext | None = None
    time_ns: int = 0
    reason: str | None = None
    task: str | None = None
    location: str | None = None
    signature: Signature | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        # Here, or whoever is cancelled would get an error of the telemetry's instead.
        if self.cause not in CANCEL_CAUSES:
            known = ", ".join(CANCEL_CAUSES)
            raise ValueError(
                f"the cause of a cancel must be one of {known}, got {described(self.cause)};"
                " what is variable goes into its reason"
            )
        if self.by is not None and not isinstance(self.by, SpanContext):
            raise TypeError(f"a cancel is by the SpanContext of a span, got {described(self.by)}")
        for what in ("reason", "task", "location"):
            text = getattr(self, what)
            if text is not None and not isinstance(text, str):
                raise TypeError(f"the {what} of a cancel must be a str, got {described(text)}")

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

    def __getnewargs__(self) -> tuple[str, str | None, str]:  # type: ignore[override]
        """What a copy is made of, also in another process."""
        return self[:], self.task, self.location

    def __str__(self) -> str:
        return f"{self[:]}{_author(self.task, self.location)}".removeprefix(", ")


def _author(task: str | None, location: str | None) -> str:
    by = "" if task is None else f", by task {shown(task)}"
    return by if location is None else f"{by}, at {shown(location)}"


def cancel_request(error: BaseException, around: Level | None) -> CancelRequest:
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


def _surrounding_cause(around: Level | None) -> CancelRequest:
    declared: CancelRequest | None = None
    scope = around
    while scope is not None:
        if scope.timer is not None and scope.timer.expired():
            return CancelRequest("deadline", scope.by)
        if declared is None and scope.cause is not None:
            declared = CancelRequest(scope.cause, scope.by)
        scope = enclosing(scope)
    return declared or CancelRequest("request")


def _first_seen(error: BaseException) -> int:
    """When the cancellation arrived: before the cleanup that it led to."""
    marks = marks_of(error)
    marks.seen_ns = marks.seen_ns or active().time_ns()
    return marks.seen_ns


def cancel_behind(
    error: BaseException | None, *, but: Signature | None = None
) -> asyncio.CancelledError | None:
    """The cancellation that led to an error, by its causes and contexts, also those not shown.

    Not where a timer, anybody's, has made a ``TimeoutError`` of a cancel of its own, or says by one that was
    never raised what it was (``raise ConnectionError from TimeoutError()``), or a ``TaskGroup`` has made a
    group of its children's errors.

    Args:
        error: What came out, or what was being handled then.
        but: What a timer knows its own cancel by, which is not meant.
    """
    seen: set[int] = set()
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is None or id(link) in seen or isinstance(link, (TimeoutError, BaseExceptionGroup)):
            continue
        if isinstance(link, asyncio.CancelledError) and (but is None or signature_of(link) is not but):
            return link
        seen.add(id(link))
        cause = CAUSE(link)
        links.append(cause)
        if not isinstance(cause, TimeoutError) or TRACEBACK(cause) is not None:
            links.append(CONTEXT(link))
    return None


def signature_of(error: asyncio.CancelledError) -> Signature | None:
    """What a timer has signed a cancel with."""
    message = error.args[0] if error.args else None
    return message.signature if isinstance(message, CancelRequest) else None
