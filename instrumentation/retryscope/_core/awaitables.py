"""Clear errors for the two usual slips: a coroutine object where a function is wanted, a sync function."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from types import CoroutineType
from typing import TypeVar

T = TypeVar("T")


class NotAwaitableError(TypeError):
    """A function that should be async returned something that can't be awaited."""


def require_async_callable(fn: object, what: str) -> None:
    """Check that ``fn`` can be called, more than once, to get an awaitable.

    Raises:
        TypeError: It is a coroutine object, which can be awaited only once, or not callable at all.
    """
    if inspect.iscoroutine(fn):
        fn.close()  # or Python warns that it was never awaited, which would hide the error below
        raise TypeError(
            f"{what} takes an async function, not the coroutine object {fn.__qualname__}(...):"
            f" pass the function and its arguments, a coroutine can be awaited only once"
        )
    if not callable(fn):
        raise TypeError(f"{what} takes an async function, got {fn!r}")


def require_awaitable(fn: object, result: Awaitable[T]) -> Awaitable[T]:
    """Check what a call returned.

    Raises:
        NotAwaitableError: It can't be awaited.
    """
    if type(result) is not CoroutineType and not inspect.isawaitable(result):
        raise NotAwaitableError(f"an async function is needed, but {fn!r} returned {result!r}")
    return result
