"""Waiting for what another process does: by looking again and again, never by sleeping for long enough."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LIMIT = 60.0
"""Seconds after which something that normally takes a moment counts as failed, on a busy machine too."""


def wait_until(condition: Callable[[], T | None], what: str, limit: float = LIMIT) -> T:
    """Wait until the condition returns something true, and return that."""
    end = time.monotonic() + limit
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"waited {limit:g} s in vain until {what}; last seen: {found!r}"
        time.sleep(0.02)
