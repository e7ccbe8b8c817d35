"""Stack traces for exception events, formatted once per code location instead of once per failure."""

from __future__ import annotations

import traceback
from contextlib import suppress
from types import CodeType, TracebackType
from typing import Final

from retryscope import semconv
from retryscope.foreign import ATTRIBUTES, TRACEBACK, cause_of
from retryscope.outcome import message_of
from retryscope.printable import capped, encodable, shown

_MAX_CACHED = 512
MAX_STACKTRACE: Final = 65_536
"""Characters of one with chained exceptions, notes or members: each may be a document."""
_SPECIAL = (BaseExceptionGroup, SyntaxError, NameError, AttributeError, ImportError)
"""Printed with more than frames and a message: members, the source text, a suggestion."""
_Key = tuple[tuple[CodeType, int], ...]
_frames: dict[_Key, str] = {}


def exception_attributes(error: BaseException) -> dict[str, str]:
    """What the event of an exception says."""
    return {
        semconv.EXCEPTION_TYPE: qualified_name(error),
        semconv.EXCEPTION_MESSAGE: message_of(error),
        semconv.EXCEPTION_STACKTRACE: format_stacktrace(error),
    }


def format_stacktrace(error: BaseException) -> str:
    """The stack trace as Python prints it; the part that depends only on code locations is cached.

    Chained exceptions, groups and notes are formatted whole each time: they are rare, and their text
    differs from failure to failure. One that refuses to be formatted is shown without its chain.
    """
    if cause_of(error) is not None or isinstance(error, _SPECIAL) or ATTRIBUTES(error).get("__notes__"):
        # What its class makes of these names, or that of one which it came of, is its own affair.
        with suppress(Exception):
            return capped(encodable("".join(traceback.format_exception(error))), MAX_STACKTRACE)
    return f"{_format_frames(TRACEBACK(error))}{_final_line(error)}"


def _format_frames(tb: TracebackType | None) -> str:
    key = _key(tb)
    text = _frames.get(key)
    if text is None:
        text = "Traceback (most recent call last):\n" + "".join(traceback.format_tb(tb)) if tb else ""
        if len(_frames) >= _MAX_CACHED:  # code locations are finite; a bound all the same, for generated code
            _frames.clear()
        _frames[key] = text
    return text


def _key(tb: TracebackType | None) -> _Key:
    # The instruction, not the line: Python marks the failing part of a line with carets.
    locations = []
    while tb is not None:
        locations.append((tb.tb_frame.f_code, tb.tb_lasti))
        tb = tb.tb_next
    return tuple(locations)


def _final_line(error: BaseException) -> str:
    kind = qualified_name(error)
    message = message_of(error)
    return f"{kind}: {message}\n" if message else f"{kind}\n"


def qualified_name(error: BaseException) -> str:
    """Class name with its module, as ``exception.type`` wants it; builtins without a module.

    >>> qualified_name(ValueError())
    'ValueError'
    """
    kind = type(error)
    if kind.__module__ in ("builtins", "__main__"):
        return shown(kind.__qualname__)
    return shown(f"{kind.__module__}.{kind.__qualname__}")
