"""Waiting for what another process, thread or task does: by looking again and again, never by sleeping."""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

_LEAST, _MOST = 0.005, 0.1
"""Seconds between two looks: a tenth of the time waited so far, as each look costs some of a processor."""

LIMIT = 300.0 * float(os.environ.get("TEST_PATIENCE", "1"))
"""Seconds after which waiting is in vain. It only guards against a hang: what works never takes so long,
also on a machine that is busy with ten other things. TEST_PATIENCE multiplies it."""


def wait_until(condition: Callable[[], T | None], what: str, limit: float = LIMIT) -> T:
    """Wait until the condition returns something true, and return that."""
    begin = time.monotonic()
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < begin + limit, in_vain(what, limit, found)
        time.sleep(_pause(begin))


@overload
async def until(
    ask: Callable[[], Awaitable[T]], what: str = ..., enough: Callable[[T], object] = ..., limit: float = ...
) -> T: ...
@overload
async def until(
    ask: Callable[[], T], what: str = ..., enough: Callable[[T], object] = ..., limit: float = ...
) -> T: ...
async def until(
    ask: Callable[[], Any],
    what: str = "it is so",
    enough: Callable[[Any], object] = bool,
    limit: float = LIMIT,
) -> Any:
    """The same on an event loop, which goes on meanwhile, until an answer is enough; it may be awaited."""
    begin = time.monotonic()
    while True:
        asked = ask()
        found = await asked if inspect.isawaitable(asked) else asked
        if enough(found):
            return found
        assert time.monotonic() < begin + limit, in_vain(what, limit, found)
        await asyncio.sleep(_pause(begin))


def _pause(begin: float) -> float:
    return min(max(_LEAST, (time.monotonic() - begin) / 10), _MOST)


def in_vain(what: str, limit: float, found: object) -> str:
    return f"waited {limit:g} s in vain until {what}; last seen: {found!r}"
