"""Clear errors for a coroutine object where a function is wanted, and for a sync function."""

import asyncio
import functools
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

import pytest

from retryscope import NotAwaitableError
from retryscope._core.awaitables import (
    is_async,
    require_async_callable,
    require_async_function,
    require_awaitable,
)
from tests.support.clock import run

HERE = re.escape(__file__)


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


def plain(fn: Callable[[], object]) -> Callable[[], object]:
    """A decorator that keeps the function's name and place."""

    @functools.wraps(fn)
    def wrapper() -> object:
        return fn()

    return wrapper


def in_thread(fn: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    """A decorator that makes a plain function async."""

    @functools.wraps(fn)
    async def wrapper() -> object:
        return await asyncio.to_thread(fn)

    return wrapper


def add() -> int:
    return 1


async def each() -> AsyncIterator[int]:
    yield 1


class Calls:
    async def __call__(self) -> int:
        return 1


class Yields:
    async def __call__(self) -> AsyncIterator[int]:
        yield 1


def test_what_is_below_decorators_partials_and_objects_decides() -> None:
    for fn in (
        fetch,
        in_thread(add),
        plain(fetch),
        functools.partial(plain(fetch)),
        Calls(),
        Calls().__call__,
        Later,
    ):
        require_async_function(fn, "retry")
    for fn in (add, plain(add), plain(plain(add)), functools.partial(plain(add))):
        with pytest.raises(TypeError, match=rf"retry decorates async functions, and add \({HERE}:\d+\)"):
            require_async_function(fn, "retry")
    for fn in (each, plain(each), Yields(), Yields().__call__):
        with pytest.raises(TypeError, match=rf"not the generator [\w.]+ \({HERE}:\d+\): what it yields"):
            require_async_callable(fn, "retry")
    with pytest.raises(TypeError, match="retry decorates async functions, and the class Calls makes no"):
        require_async_function(Calls, "retry")
    with pytest.raises(
        TypeError, match=rf"write @staticmethod above @retry\(\.\.\.\) on fetch \({HERE}:\d+\)"
    ):
        require_async_function(staticmethod(fetch), "retry")


def test_whether_a_call_gives_a_coroutine_is_seen_in_objects_too() -> None:
    assert all(
        map(is_async, (fetch, functools.partial(fetch), Calls(), Calls().__call__, staticmethod(fetch)))
    )
    assert not any(map(is_async, (add, plain(add), Yields(), each, asyncio.Event(), 3)))
