"""What the commands tell people: on standard error, because standard output is for logs and results."""

import sys


class CommandError(Exception):
    """The command can't be done as asked; the message says why, and what to do."""


def say(text: str) -> None:
    """A line for people."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def fail(message: str) -> int:
    """Say why the command ends; returns the exit status of wrong usage."""
    say(f"retryscope: {message}")
    return 2
