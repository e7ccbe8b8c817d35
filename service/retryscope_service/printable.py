"""Texts from elsewhere as a terminal may have them: names and messages are written by others.

A terminal obeys control characters: C0 and C1 move the cursor and set the title, U+202E turns the rest of the
line around, U+2028 begins a new one. What ``str.isprintable`` calls unprintable is all of that, and what is
invisible, and halves of characters that no encoding can write.
"""


def printable(text: str, limit: int | None = None) -> str:
    """The text on one line, with a Python escape in place of each character that is not printable.

    Args:
        text: Any text.
        limit: Most characters of the result; where some are cut off, the last one is an ellipsis.
    """
    shown = text if limit is None else text[: limit + 1]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    return shown if limit is None or len(shown) <= limit else f"{shown[: limit - 1]}…"


def printable_lines(text: str) -> str:
    """As :func:`printable`, but its line breaks stay."""
    return "\n".join(map(printable, text.split("\n")))
