"""What is known of an exception that passes through, kept beside it: it is somebody else's object.

A retry raises the caller's own exception, so that ``except`` clauses keep working. What the executions around
it need to know is whether a retry gave up on it, and whether a span inside has recorded it.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, Final

from retryscope._core.foreign import ATTRIBUTES
from retryscope.outcome import Outcome

NEVER: Final = -1.0
_KEY: Final = "__resilience__"


class Marks:
    """What was noted of one exception.

    Attributes:
        recorded_at: Loop time in seconds at which a span recorded it last.
        exhausted_at: Loop time in seconds at which a retry gave up on it last.
        seen_ns: When it was first seen, in nanoseconds since the epoch; 0: not yet.
    """

    __slots__ = ("_of", "exhausted_at", "recorded_at", "seen_ns")

    def __init__(self, error: BaseException) -> None:
        self._of = id(error)
        self.recorded_at = NEVER
        self.exhausted_at = NEVER
        self.seen_ns = 0

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        return object, ()  # who gets the exception in another process need not have this library

    def is_of(self, error: BaseException) -> bool:
        """Whether it is that one's: a copy of it has its attributes."""
        return self._of == id(error)


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
        _attributes(error)[_KEY] = marks
    else:
        _beside[key] = (reference, marks)
    return marks


def _find(error: BaseException) -> Marks | None:
    entry = _beside.get(id(error))
    if entry is not None and entry[0]() is error:
        return entry[1]
    marks = _attributes(error).get(_KEY)
    return marks if isinstance(marks, Marks) and marks.is_of(error) else None


def _attributes(error: BaseException) -> dict[str, Any]:
    # Not vars(error), nor getattr: its class may answer for every name, or raise.
    return ATTRIBUTES(error)


def _forget(key: int, gone: weakref.ref[BaseException]) -> None:
    entry = _beside.get(key)
    if entry is not None and entry[0] is gone:  # another exception may have taken its place
        del _beside[key]


def unmark(error: BaseException) -> None:
    """Forget it: it leaves whatever might ask, and goes out as it came in."""
    _beside.pop(id(error), None)
    _attributes(error).pop(_KEY, None)


def mark_recorded(error: BaseException, now: float) -> None:
    """Remember that a span has recorded this exception at loop time ``now`` (seconds)."""
    marks_of(error).recorded_at = now


def mark_exhausted(error: BaseException, now: float) -> None:
    """Remember that a retry gave up on this exception at loop time ``now`` (seconds)."""
    marks_of(error).exhausted_at = now


def recorded_since(error: BaseException, start: float) -> bool:
    """Whether a span has recorded this exception since loop time ``start``.

    The time matters: one exception instance may be raised by several attempts, each its own failure.
    """
    marks = _find(error)
    return marks is not None and marks.recorded_at >= start


def outcome_of(error: BaseException | None, start: float) -> Outcome:
    """Outcome of a body that began at loop time ``start`` and ended by ``error`` (None: it returned).

    ``timeout`` is not told from here: only the owner of a timer knows that it was its own.
    """
    if error is None:
        return "success"
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return "cancelled"
    marks = _find(error)
    return "exhausted" if marks is not None and marks.exhausted_at >= start else "error"
