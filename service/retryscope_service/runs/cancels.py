"""Awaiting what must not be left half done, whatever cancels arrive."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def to_the_end(coroutine: Awaitable[T]) -> T:
    """Await to the end even if cancels arrive: what a run came to must be written down."""
    return (await despite_cancels(coroutine))[0]


async def despite_cancels(coroutine: Awaitable[T]) -> tuple[T, asyncio.CancelledError | None]:
    """Await to the end; returns also the first cancel that arrived meanwhile."""
    task = asyncio.ensure_future(coroutine)
    cancel: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as arrived:
            cancel = cancel or arrived
    return task.result(), cancel
