"""Clear errors for the usual slips: a coroutine object, a generator, a plain function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable
from types import CoroutineType, FunctionType
from typing import Any, TypeVar

from retryscope.printable import described

T = TypeVar("T")


class NotAwaitableError(TypeError):
    """A function that should be async returned something that can't be awaited."""


def require_async_callable(fn: object, what: str) -> None:
    """Check that ``fn`` can be called, more than once, to get an awaitable.

    Raises:
        TypeError: It is a coroutine object, which can be awaited only once, a generator function, or not
            callable at all.
    """
    if type(fn) is FunctionType and fn.__code__.co_flags & inspect.CO_COROUTINE:
        return  # as nearly always; what is below takes 4 us
    if inspect.iscoroutine(fn):
        fn.close()  # or Python warns that it was never awaited, which would hide the error below
        raise TypeError(
            f"{what} takes an async function, not the coroutine object {fn.__qualname__}(...):"
            f" pass the function and its arguments, a coroutine can be awaited only once"
        )
    if not callable(fn):
        raise TypeError(f"{what} takes an async function, got {described(fn)}")
    called = _called(fn)
    if inspect.isasyncgenfunction(called) or _is_generator(called):
        raise TypeError(
            f"{what} takes an async function, not the generator {_described(called)}:"
            " what it yields can't be tried again; decorate what is awaited inside of it"
        )


def require_async_function(fn: object, what: str) -> None:
    """Check, where it is decorated, that calling ``fn`` gives an awaitable.

    Raises:
        TypeError: It does not, as far as can be seen without calling it.
    """
    require_async_callable(fn, what)
    called = _called(fn)
    if isinstance(fn, staticmethod):
        raise TypeError(
            f"{what} decorates functions: write @staticmethod above @{what}(...) on {_described(called)}"
        )
    if inspect.isclass(fn) and not hasattr(fn, "__await__"):
        raise TypeError(
            f"{what} decorates async functions, and the class {fn.__qualname__} makes no awaitables"
        )
    if inspect.isfunction(called) and not (
        inspect.iscoroutinefunction(called) or called.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE
    ):
        raise TypeError(
            f"{what} decorates async functions, and {_described(called)} is not one:"
            f" write `async def`, or {what}(...).call(fn, ...) for a function that returns an awaitable"
        )


def is_async(fn: object) -> bool:
    """Whether calling it gives a coroutine, as far as can be seen without calling it."""
    return inspect.iscoroutinefunction(_called(fn))


def require_awaitable(fn: object, result: Awaitable[T]) -> Awaitable[T]:
    """Check what a call returned.

    Raises:
        NotAwaitableError: It can't be awaited.
    """
    if type(result) is not CoroutineType and not inspect.isawaitable(result):
        raise NotAwaitableError(
            f"an async function is needed, but {_described(fn)} returned {described(result)}"
        )
    return result


def _called(fn: Any) -> Any:
    """What runs when it is called: the function of a partial, of a method, of an object, below decorators."""
    while True:
        if isinstance(fn, functools.partial):
            fn = fn.func
        elif inspect.ismethod(fn) or isinstance(fn, staticmethod):
            fn = fn.__func__
        elif inspect.isfunction(fn):
            wrapped = getattr(fn, "__wrapped__", None)
            if inspect.iscoroutinefunction(fn) or not inspect.isfunction(wrapped):
                return fn
            fn = wrapped
        else:
            call = inspect.getattr_static(
                type(fn), "__call__"
            )  # a class has one, that of its metaclass at least
            # A plain one may return an awaitable, as a mock's does: that is seen when it is called.
            return call if inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call) else fn


def _is_generator(fn: Any) -> bool:
    return inspect.isgeneratorfunction(fn) and not fn.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE


def _described(fn: object) -> str:
    """Name and place of a function; whatever else it is, as it shows itself."""
    called = _called(fn)
    code = getattr(called, "__code__", None)
    if code is None:
        return described(fn)
    return f"{called.__qualname__} ({code.co_filename}:{code.co_firstlineno})"
