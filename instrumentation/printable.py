"""Texts from elsewhere as a terminal or a log may have them: names and messages are written by others.

A terminal obeys control characters: C0 and C1 move the cursor and set the title, U+202E turns the rest of the
line around, U+2028 begins a new one. What ``str.isprintable`` calls unprintable is all of that, and what is
invisible, and halves of characters that no encoding can write.
"""

from __future__ import annotations

import json
from typing import Any


def encodable(text: str) -> str:
    r"""The text with an escape in place of each lone half of a character; undecodable file names have some.

    Not for terminals, but for exporters: a span whose name or status can't be encoded takes its whole batch
    with it.

    >>> encodable("No such file: caf\udce9")
    'No such file: caf\\udce9'
    """
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def printable(text: str, limit: int | None = None) -> str:
    r"""The text on one line, with a Python escape in place of each character that is not printable.

    Args:
        text: Any text.
        limit: Most characters of the result; where some are cut off, the last one is an ellipsis.

    >>> printable("done\x1b[2J\n\u202edenied")
    'done\\x1b[2J\\n\\u202edenied'
    >>> printable("a long message", limit=7)
    'a long…'
    """
    shown = text if limit is None else text[: limit + 1]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    return shown if limit is None or len(shown) <= limit else f"{shown[: limit - 1]}…"


def printable_lines(text: str) -> str:
    r"""As :func:`printable`, but its line breaks, ``\n``, stay.

    >>> printable_lines("two\nlines\r")
    'two\nlines\\r'
    """
    return "\n".join(map(printable, text.split("\n")))


def printable_json(document: Any) -> str:
    r"""The document as JSON on one line: the same for a parser, and harmless where it is looked at.

    Whatever JSON does not know is written as its ``str()``.

    >>> printable_json({"name": "Zoë\x9b"})
    '{"name": "Zoë\\u009b"}'
    """
    text = json.dumps(document, default=str, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
