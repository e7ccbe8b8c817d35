"""What the commands tell people: on standard error, because standard output is for logs and results."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from retryscope_service.printable import printable_lines

if TYPE_CHECKING:
    from retryscope.background_writer import BackgroundWriter

FLUSH_SECONDS: Final = 2.0
"""How long the end of a command waits for a reader of its last words."""


class CommandError(Exception):
    """The command can't be done as asked; the message says why, and what to do."""


def say(text: str) -> None:
    """A line for people, or several: whatever is quoted in it can't control their terminal."""
    sys.stderr.write(f"{printable_lines(text)}\n")
    sys.stderr.flush()


def fail(message: str) -> int:
    """Say why the command ends; returns the exit status of wrong usage."""
    say(f"retryscope: {message}")
    return 2


def in_background(stream: TextIO) -> "BackgroundWriter":
    """That stream for an event loop, which no reader that does not read may hold up."""
    from retryscope.background_writer import BackgroundWriter

    return BackgroundWriter(
        stream, on_drop=lambda _: None, notice=lambda lost: f"\nretryscope: {lost} outputs were lost here\n"
    )


@contextmanager
def errors_in_background() -> Iterator[None]:
    """During the block standard error holds up nobody who writes to it; at its end, not for long."""
    before = sys.stderr
    writer = in_background(before)
    sys.stderr = writer
    try:
        yield
    finally:
        sys.stderr = before
        writer.drain(FLUSH_SECONDS)
        writer.close()
