"""tenacity's tests of asyncio: by the library's retry, and inside all primitives."""

import asyncio
import functools
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

import tenacity
from tenacity import Future, RetryError, retry_if_exception_type, stop_after_attempt, stop_never, wait_fixed

import retryscope
from retryscope import RetryPolicy
from retryscope._core.awaitables import is_async
from retryscope.policy import MAX_ATTEMPTS

from .block import Attempt, Block
from .inside import ONCE, PEER, inside, record
from .result import Result, by_name
from .suite import leave_out_files, run

AsyncFunction: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]

FILES = ("test_asyncio.py", "test_issue_478.py", "test_utils.py")
TRIO = {"TestTrio::test_trio_basic": "Trio"}
NOT_OURS = TRIO | by_name(
    {
        "a result is never retried, an exception is": (
            "TestContextManager::test_retry_with_async_result",
            "TestContextManager::test_retry_with_async_result_and",
            "TestContextManager::test_retry_with_async_result_or",
            "TestContextManager::test_retry_with_async_result_rand",
            "TestContextManager::test_retry_with_async_result_ror",
            "TestContextManager::test_retry_with_result",
        ),
        "`retry_on` is a plain function: an async one is refused": (
            "TestContextManager::test_retry_with_async_exc",
        ),
        "`retry_on` sees the exception, not the call's arguments and attempts": ("TestIssue478::test_async",),
        "no exception asks for another attempt (TryAgain): its class is in `retry_on`": (
            "TestContextManager::test_reraise_try_again_with_cause",
        ),
        "no callbacks around attempts: each is a span": (
            "TestAsyncio::test_attempt_number_is_correct_for_interleaved_coroutines",
        ),
        "tenacity's attributes of what it decorates: statistics, retry, retry_with": (
            "TestAsyncio::test_retry_attributes",
            "TestAsyncio::test_statistics_visible_through_outer_decorator",
            "TestDecoratorWrapper::test_retry_function_attributes",
        ),
        "a decorated function has its signature by `__wrapped__`, not its defaults copied": (
            "TestAsyncio::test_retry_preserves_argument_defaults",
        ),
        "how tenacity's class shows itself": ("TestAsyncio::test_repr",),
        "synchronous functions": (
            "TestIssue478::test_issue",
            "TestSyncFunctionWithAsyncSleep::test_sync_function_with_async_sleep",
        ),
        "a helper for messages": ("test_find_ordinal",),
    }
)
"""Tests of `FILES` that do not apply to the library's retry, and why."""

OTHER_FILES = by_name({"Tornado": ("test_tornado.py::TestTornado::test_retry",)})


class NoEquivalentError(Exception):
    """A parameter of theirs that no policy of ours has."""


def attempts(stop: object) -> int:
    if stop is stop_never:
        return MAX_ATTEMPTS
    if isinstance(stop, stop_after_attempt):
        return stop.max_attempt_number
    raise NoEquivalentError(stop)


def seconds(wait: object) -> float:
    if not wait:
        return 0.0
    if isinstance(wait, wait_fixed):
        return float(wait.wait_fixed)
    raise NoEquivalentError(wait)


def kinds(retry: object) -> Any:
    if retry is None:
        return (Exception,)
    if isinstance(retry, retry_if_exception_type):
        return retry.exception_types if isinstance(retry.exception_types, tuple) else (retry.exception_types,)
    raise NoEquivalentError(retry)


class AsyncRetrying:
    """tenacity's class by its parameters; it is the library that retries."""

    def __init__(
        self,
        *,
        stop: object = stop_never,
        wait: object = None,
        retry: object = None,
        reraise: bool = False,
        enabled: bool = True,
        sleep: object = None,  # of one function only, which no test calls
    ) -> None:
        policy = RetryPolicy(
            max_attempts=attempts(stop),
            base_delay=seconds(wait),
            backoff_factor=1,
            jitter="none",
            retry_on=kinds(retry),
        )
        self._policy = policy if enabled else ONCE
        self._ours = retryscope.retry(PEER, self._policy)
        self._reraise = reraise or self._policy.max_attempts == MAX_ATTEMPTS

    async def __call__(self, fn: AsyncFunction, *args: Any, **kwargs: Any) -> Any:
        with self.its_error():
            return await self._ours.call(fn, *args, **kwargs)

    def wraps(self, fn: AsyncFunction) -> AsyncFunction:
        decorated = self._ours(fn)
        if self._reraise:
            return decorated

        @functools.wraps(decorated)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.its_error():
                return await decorated(*args, **kwargs)

        return wrapper

    def __aiter__(self) -> "TheirBlock":
        return TheirBlock(self, self._ours)

    @contextmanager
    def its_error(self) -> Iterator[None]:
        """Where the library raises the last error itself, tenacity raises its own about it."""
        try:
            yield
        except Exception as error:
            if self._reraise or not self._policy.retries(error):
                raise
            raise RetryError(Future.construct(self._policy.max_attempts, error, True)) from error


class TheirBlock(Block):
    def __init__(self, retrying: AsyncRetrying, ours: retryscope.retry) -> None:
        super().__init__(ours)
        self._retrying = retrying

    async def __anext__(self) -> Attempt:
        with self._retrying.its_error():
            return await super().__anext__()


def retry(*bare: AsyncFunction, **parameters: Any) -> Any:
    """tenacity's decorator, with its parameters or bare."""
    retrying = AsyncRetrying(**parameters)
    return retrying.wraps(*bare) if bare else retrying.wraps


def prepare(folder: Path) -> None:
    """What test_asyncio takes from here is synchronous and stays tenacity's, but for a clock.

    A test asks for less than 1.1 of a clock in milliseconds, where it means seconds: it waits for none.
    """
    sys.path.insert(0, str(folder))
    import_module("tests.test_tenacity").current_time_ms = time.monotonic  # type: ignore[attr-defined]


def by_ours(folder: Path) -> Result:
    """With the library's retry in the place of tenacity's."""
    record()
    prepare(folder)
    with (
        patch.multiple(tenacity, retry=retry, AsyncRetrying=AsyncRetrying),
        patch.object(tenacity.asyncio, "AsyncRetrying", AsyncRetrying),
        patch.object(tenacity._utils, "is_coroutine_callable", is_async),
    ):
        result = run("tenacity by our retry", folder, FILES, not_ours=NOT_OURS)
    leave_out_files(result, folder, FILES, OTHER_FILES)
    return result


def inside_all(folder: Path) -> Result:
    """tenacity itself, inside all primitives: its tests start their coroutines by `asyncio.run`."""
    record()
    prepare(folder)
    asyncio_run = asyncio.run

    def run_inside(main: Coroutine[Any, Any, Any]) -> Any:
        async def test() -> Any:
            return await main

        return asyncio_run(inside(test)())

    with patch.object(asyncio, "run", run_inside):
        return run("tenacity inside all primitives", folder, FILES[:2], not_ours=TRIO)
