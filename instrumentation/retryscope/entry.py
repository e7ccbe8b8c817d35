"""A block that is entered once, as ``asyncio.timeout``: its state is that of one use."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def first_entry(state: T | None, what: str) -> None:
    """Check that a block has not been entered before, by whoever shares the object.

    Args:
        state: What there is of its first use.
        what: Name of its class.

    Raises:
        RuntimeError: It has.
    """
    if state is not None:
        raise RuntimeError(f"{what} has already been entered: make a new one for each use")
