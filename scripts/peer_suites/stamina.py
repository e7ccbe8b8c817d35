"""stamina's tests of coroutines: by the library's retry, and inside all primitives."""

import inspect
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import stamina

import retryscope
from retryscope import RetryPolicy
from retryscope.policy import MAX_ATTEMPTS

from .block import Block
from .inside import PEER, inside, record
from .result import Result, by_name
from .suite import leave_out_files, run

FILES = ("test_async.py",)
_REFUSED = [
    f"test_ok[asyncio-{duration}-{timeout}-{attempts}]"
    for duration in ("1", "duration1")
    for timeout in ("None", "-1", "1", "timeout3")
    for attempts in ("None", "-1", "0", "1")
    if timeout == "-1" or attempts in ("-1", "0")
]
NOT_OURS = by_name(
    {
        "a policy of fewer attempts than one, or with a limit below zero, is refused": tuple(_REFUSED),
        "what is outside of Exception is never retried: a policy of BaseException is refused": (
            "TestAsyncRetryingCaller::test_ok",
        ),
        "no switch turns off the retries of a process": (
            "test_retry_blocks_can_be_disabled",
            "test_retry_inactive",
            "test_retry_inactive_block",
            "test_retry_inactive_block_ok",
            "test_retry_inactive_ok",
        ),
        "no mode for tests changes the policies of a process": (
            "test_testing_mode",
            "test_testing_mode_context",
        ),
        "the next wait is not told in advance": ("test_next_wait",),
        "`retry_on` says whether, not when: only a server's Retry-After changes a wait": (
            "TestBackoffHookAsync::test_backoff_hook_returns_float_async",
            "TestBackoffHookAsync::test_backoff_hook_with_async_retry_context",
        ),
        "how stamina's class shows itself": ("TestAsyncRetryingCaller::test_repr",),
        "generators are refused: what was yielded can't be tried again": tuple(
            f"TestAsyncGeneratorFunctionDecoration::test_{name}"
            for name in (
                "athrow_that_gets_suppressed",
                "forwards_asend",
                "forwards_athrow",
                "ok",
                "retries",
                "retries_also_after_yields",
                "retries_method",
                "retry_inactive",
                "retry_inactive_ok",
                "stops_when_wrapped_generator_is_empty",
                "wrong_exception",
            )
        ),
    }
)
"""Tests of `FILES` that do not apply to the library's retry, and why."""

OTHER_FILES = by_name(
    {
        "stamina's hooks and log lines: the library has spans and metrics": (
            "test_instrumentation.py::TestLogging::test_async",
            "test_instrumentation.py::TestLogging::test_async_generator_function",
            "test_instrumentation.py::TestSetOnRetryHooks::test_context_manager_hooks_async",
            "test_instrumentation.py::TestSetOnRetryHooks::test_context_manager_hooks_with_async_generator_function",
            "test_structlog.py::test_context_async",
            "test_structlog.py::test_decorator_async",
        ),
    }
)


def policy(
    on: Any,
    attempts: int | None = 10,
    timeout: float | timedelta | None = 45.0,
    wait_initial: float | timedelta = 0.1,
    wait_max: float | timedelta = 5.0,
    wait_jitter: float | timedelta = 1.0,
    wait_exp_base: float = 2.0,
) -> RetryPolicy:
    """Ours for its parameters; its timeout stops further attempts, ours also the one that runs."""
    return RetryPolicy(
        max_attempts=MAX_ATTEMPTS if attempts is None else attempts,
        base_delay=seconds(wait_initial),
        backoff_factor=wait_exp_base,
        max_delay=seconds(wait_max),
        jitter="full" if seconds(wait_jitter) else "none",
        deadline=None if timeout is None else seconds(timeout),
        retry_on=(on,) if isinstance(on, type) else on,
    )


def seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value


def retry(**parameters: Any) -> Callable[..., Any]:
    """stamina's decorator by its parameters; it is the library that retries."""
    return retryscope.retry(PEER, policy(**parameters))


def retry_context(on: Any, **parameters: Any) -> Block:
    """stamina's block by its parameters; it is the library that retries."""
    return Block(retryscope.retry(PEER, policy(on, **parameters)))


async def call(self: stamina.AsyncRetryingCaller, on: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
    """stamina's caller by its parameters; it is the library that retries."""
    return await retryscope.retry(PEER, policy(on, **self._context_kws)).call(fn, *args, **kwargs)


class _AllInside:
    """A plugin that runs the coroutines of tests inside all primitives."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> None:
        if inspect.iscoroutinefunction(pyfuncitem.obj):
            pyfuncitem.obj = inside(pyfuncitem.obj)


def by_ours(folder: Path) -> Result:
    """With the library's retry in the place of stamina's."""
    record()
    with (
        patch.multiple(stamina, retry=retry, retry_context=retry_context),
        patch.object(stamina.AsyncRetryingCaller, "__call__", call),
    ):
        result = run("stamina by our retry", folder, FILES, not_ours=NOT_OURS)
    leave_out_files(result, folder, FILES, OTHER_FILES)
    return result


def inside_all(folder: Path) -> Result:
    """stamina itself, inside all primitives."""
    record()
    return run("stamina inside all primitives", folder, FILES, not_ours={}, plugins=[_AllInside()])
