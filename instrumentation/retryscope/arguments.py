"""What a caller gives for a number."""

from __future__ import annotations

from retryscope.printable import described


def require_number(what: str, value: object, unit: str = "") -> float:
    """The value, which has to be a number; that it has a bound is for whoever knows it to check.

    Args:
        what: The argument, as the message is to name it.
        value: What was given.
        unit: As in ``" of seconds"``.

    Raises:
        TypeError: It is none, or a bool, which is a slip.

    >>> require_number("the limit", "5", " of seconds")
    Traceback (most recent call last):
        ...
    TypeError: the limit must be a number of seconds, got '5'
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what} must be a number{unit}, got {described(value)}")
    return value
