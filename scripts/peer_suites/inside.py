"""All the primitives around a test, or around each task of it too, which they must not change."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

from retryscope import Operation, RetryPolicy, deadline, retry, setup, step, timeout, workflow

PEER = Operation("peer", workflow="peers")
ONCE = RetryPolicy(max_attempts=1, retry_on=())


def record() -> None:
    """Record as in production, where more can go wrong: without it spans are none."""
    setup(tracer_provider=TracerProvider(), registry=CollectorRegistry())


def inside(
    test: Callable[..., Awaitable[Any]], *, tasks: bool = False
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """The test, within every primitive that can be around it.

    Args:
        test: Raises nothing, where it passes.
        tasks: Also each task that it starts: what these raise, and their cancels, pass through.
    """

    @functools.wraps(test)
    async def run(*args: Any, **kwargs: Any) -> Any:
        if tasks:
            asyncio.get_running_loop().set_task_factory(_task_inside)  # type: ignore[arg-type]
        return await _within(functools.partial(test, *args, **kwargs))

    return run


def _task_inside(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **kwargs: Any
) -> "asyncio.Task[Any]":
    async def run() -> Any:
        return await coro

    task = asyncio.Task(_within(run), loop=loop, **kwargs)
    task.add_done_callback(lambda _: coro.close())  # where it is cancelled before its first step
    return task


async def _within(run: Callable[[], Awaitable[Any]]) -> Any:
    async with workflow("peers", deadline=600), deadline(600), timeout(PEER, 600), step(PEER):
        return await retry(PEER, ONCE).call(run)
