"""What is known of an exception that passes through, kept beside it: it is somebody else's object.

A retry raises the caller's own exception, so that ``except`` clauses keep working. What the executions around
it need to know is whether a retry gave up on it, and whether a span inside has recorded it.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Final

from retryscope._core.scope import Level, enclosing, in_force, is_within
from retryscope.foreign import ATTRIBUTES
from retryscope.outcome import Outcome

NEVER: Final = -1.0
_KEY: Final = "__resilience__"
MANY: Final = 64
"""Levels noted of one exception before those that have ended are forgotten."""


class Marks:
    """What was noted of one exception.

    Attributes:
        recorded: When a span recorded it, in seconds of the loop's clock, by the level around what did.
        exhausted: When a retry gave up on it, likewise.
        seen_ns: When it was first seen, in nanoseconds since the epoch; 0: not yet.
    """

    __slots__ = ("_of", "exhausted", "recorded", "seen_ns")

    def __init__(self, error: BaseException) -> None:
        self._of = id(error)
        self.recorded: dict[Level, float] = {}
        self.exhausted: dict[Level, float] = {}
        self.seen_ns = 0

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        return object, ()  # who gets the exception in another process need not have this library

    def is_of(self, error: BaseException) -> bool:
        """Whether it is that one's: a copy of it has its attributes."""
        return self._of == id(error)

    def forget_ended(self) -> bool:
        """Keep of it what somebody may still ask, whom it has yet to pass; whether there is anything."""
        self.recorded, self.exhausted = _still_asked(self.recorded), _still_asked(self.exhausted)
        return bool(self.recorded or self.exhausted)


def _still_asked(noted: dict[Level, float]) -> dict[Level, float]:
    kept: dict[Level, float] = {}
    for scope, at in noted.items():
        around = in_force(scope)
        if around is not None:
            kept[around] = max(at, kept.get(around, NEVER))
    return kept


_beside: dict[int, tuple[weakref.ref[BaseException], Marks]] = {}
"""By identity: how its class compares and hashes is its own affair."""


def marks_of(error: BaseException) -> Marks:
    """Its marks, to be written; they live as long as it does."""
    found = _find(error)
    if found is not None:
        return found
    marks = Marks(error)
    key = id(error)
    try:
        reference = weakref.ref(error, lambda gone: _forget(key, gone))
    except TypeError:  # a built-in class: no weak references, but attributes that no code guards
        ATTRIBUTES(error)[_KEY] = marks
    else:
        _beside[key] = (reference, marks)
    return marks


def _find(error: BaseException) -> Marks | None:
    entry = _beside.get(id(error))
    if entry is not None and entry[0]() is error:
        return entry[1]
    marks = ATTRIBUTES(error).get(_KEY)
    return marks if isinstance(marks, Marks) and marks.is_of(error) else None


def _forget(key: int, gone: weakref.ref[BaseException]) -> None:
    entry = _beside.get(key)
    if entry is not None and entry[0] is gone:  # another exception may have taken its place
        del _beside[key]


def unmark(error: BaseException) -> None:
    """It leaves whatever might ask, and goes out as it came in: unless others have the same one."""
    marks = _find(error)
    if marks is None or marks.forget_ended():
        return
    _beside.pop(id(error), None)
    ATTRIBUTES(error).pop(_KEY, None)


def end_scope(scope: Level, error: BaseException | None) -> None:
    """End a level that ``error`` came out of; from the outermost it goes out as it came in."""
    outermost = enclosing(scope) is None
    scope.leave()
    if error is not None and outermost:
        unmark(error)


def mark_recorded(error: BaseException, now: float, around: Level | None) -> None:
    """Remember that a span inside of ``around`` recorded this exception at loop time ``now`` (seconds)."""
    if around is not None:  # else nobody will ask
        _note(marks_of(error).recorded, now, around)


def mark_exhausted(error: BaseException, now: float, around: Level | None) -> None:
    """Remember that a retry inside of ``around`` gave up on this exception at loop time ``now`` (seconds)."""
    if around is not None:
        _note(marks_of(error).exhausted, now, around)


def _note(noted: dict[Level, float], now: float, around: Level) -> None:
    if len(noted) >= MANY:  # raised in ever new blocks that somebody holds on to
        kept = _still_asked(noted)
        noted.clear()
        noted.update(kept)
    noted[around] = now


def recorded_since(error: BaseException, start: float, inside: Level | None) -> bool:
    """Whether a span has recorded this exception since loop time ``start``, inside of a level.

    The time matters: one exception instance may be raised by several attempts, each its own failure. And the
    place: it may be raised in several tasks, as what a connection pool tells all who wait.
    """
    marks = _find(error)
    return marks is not None and _latest(marks.recorded, inside) >= start


def _latest(noted: dict[Level, float], inside: Level | None) -> float:
    return max(
        (at for scope, at in noted.items() if inside is None or is_within(scope, inside)), default=NEVER
    )


def is_cancel(error: BaseException) -> bool:
    """Whether it says that nobody wants the result any more; a coroutine that is torn down hears so, too."""
    return isinstance(error, (asyncio.CancelledError, GeneratorExit))


def outcome_of(error: BaseException | None, start: float, inside: Level | None) -> Outcome:
    """Outcome of a body that began at loop time ``start`` and ended by ``error`` (None: it returned).

    ``timeout`` is not told from here: only the owner of a timer knows that it was its own.

    Args:
        error: What came out.
        start: In seconds of the loop's clock.
        inside: The level of the body; None: whatever level.
    """
    if error is None:
        return "success"
    if is_cancel(error):
        return "cancelled"
    marks = _find(error)
    return "exhausted" if marks is not None and _latest(marks.exhausted, inside) >= start else "error"
