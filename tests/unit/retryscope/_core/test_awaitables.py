"""Clear errors for a coroutine object where a function is wanted, and for a sync function."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from retryscope import NotAwaitableError
from retryscope._core.awaitables import require_async_callable, require_awaitable
from tests.support.clock import run


class Later:
    def __await__(self) -> Generator[None, None, int]:
        yield from ()
        return 1


async def fetch() -> int:
    return 1


def test_a_coroutine_object_is_closed_and_refused() -> None:
    """Closed, or Python's own warning would hide the error."""
    coroutine: Any = fetch()
    with pytest.raises(
        TypeError, match=r"retry takes an async function, not the coroutine object fetch\(...\)"
    ):
        require_async_callable(coroutine, "retry")
    assert coroutine.cr_frame is None


def test_whatever_can_be_called_may_be_an_async_function() -> None:
    """What it returns is checked when it has been called."""
    for fn in (fetch, lambda: fetch(), Later, asyncio.sleep):
        require_async_callable(fn, "retry")
    with pytest.raises(TypeError, match="retry takes an async function, got 3"):
        require_async_callable(3, "retry")


def test_coroutines_futures_and_objects_with_await_are_awaitable() -> None:
    """Anything else is named in the error, with the function that returned it."""

    async def main() -> None:
        assert await require_awaitable(fetch, fetch()) == 1
        assert await require_awaitable(Later, Later()) == 1
        assert await require_awaitable(fetch, asyncio.ensure_future(fetch())) == 1

    run(main())
    with pytest.raises(NotAwaitableError, match=r"an async function is needed, but <.*> returned None"):
        require_awaitable(print, None)  # type: ignore[arg-type,unused-awaitable]
