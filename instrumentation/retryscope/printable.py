"""Texts as exporters and logs may have them: names and messages are written by others."""

from __future__ import annotations

import json
from typing import Any, Final

MAX_TEXT: Final = 256
"""Characters of a text that somebody else chose, where it is no message."""
MAX_MESSAGE: Final = 8192
"""Characters of an exception's message: a document in it would make a batch too large for the collector."""


def shown(text: str) -> str:
    r"""A short text of unknown origin as one line of at most ``MAX_TEXT`` characters, escapes included.

    >>> shown("caf\udce9\x1b[2J")
    'caf\\udce9\\x1b[2J'
    """
    text = text[: MAX_TEXT + 1]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return capped(text, MAX_TEXT)


def described(value: object) -> str:
    r"""``repr(value)`` for a message: short, on one line, and also where its own ``__repr__`` fails.

    >>> described("5 s\n")
    "'5 s\\n'"
    >>> class Odd:
    ...     def __repr__(self):
    ...         raise ValueError("not ready")
    >>> described(Odd())
    "<Odd that can't be shown>"
    """
    try:
        return shown(repr(value))
    except Exception:
        return f"<{type(value).__qualname__} that can't be shown>"


def capped(text: str, limit: int) -> str:
    """The text, or as much of its beginning as the limit allows, with a sign that it goes on.

    >>> capped("too long", 4)
    'too\u2026'
    """
    return text if len(text) <= limit else f"{text[: limit - 1]}\u2026"


def encodable(text: str) -> str:
    r"""The text with an escape in place of each lone half of a character; undecodable file names have some.

    A span whose name or status can't be encoded takes its whole batch with it.

    >>> encodable("No such file: caf\udce9")
    'No such file: caf\\udce9'
    """
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def printable_json(document: dict[str, Any]) -> str:
    r"""The document as JSON on one line: the same for a parser, and harmless for the terminal that shows it.

    JSON itself leaves C1 controls, line separators and what turns a line around as they are. Whatever it does
    not know is written as its ``str()``, and what it has no form for costs its own value at most.

    >>> printable_json({"name": "Zoë\x9b"})
    '{"name": "Zoë\\u009b"}'
    """
    try:
        text = json.dumps(document, default=str, ensure_ascii=False, allow_nan=False)
    except Exception:  # no number of JSON, a circle, a key that is no text, what can't be shown
        text = json.dumps({_text(k): _value(v) for k, v in document.items()}, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _value(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, default=str, allow_nan=False))
    except Exception:
        return _text(value)


def _text(value: object) -> str:
    try:
        return capped(str(value), MAX_MESSAGE)
    except Exception:
        return f"<{type(value).__qualname__} that can't be shown>"
