"""Whose exception is it: the caller's comes out as it went in, and nothing keeps what it knows."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from retryscope import (
    RetryPolicy,
    cancel_on_exit,
    cancellable,
    cleanup,
    deadline,
    gather,
    retry,
    settle,
    step,
    timeout,
    without_spans,
    workflow,
)
from retryscope.foreign import ATTRIBUTES
from tests.support.clock import run
from tests.support.odd_exceptions import ODD, FrozenError
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK, attribute, failer, named

ANY = pytest.mark.parametrize("kind", ODD, ids=lambda kind: kind.__name__)
Fn = Callable[[], Awaitable[Any]]


async def in_block(block: Any, fn: Fn) -> Any:
    async with block:
        return await fn()


async def without_any_spans(fn: Fn) -> Any:
    with without_spans():
        return await fn()


async def as_task(fn: Fn) -> Any:
    return await cancellable(PRICE, fn)


async def from_report(fn: Fn) -> Any:
    return (await settle(fn)).result()


async def from_gather(fn: Fn) -> Any:
    return (await gather(PRICE, {"a": fn}))[0].result()


async def from_failed_gather(fn: Fn) -> Any:
    try:
        return (await gather(PRICE, {"a": fn}, fail_fast=True))[0].result()
    except ExceptionGroup as group:
        error = group.exceptions[0]
    try:
        raise error
    finally:
        del error


async def from_cleanup(fn: Fn) -> Any:
    result = await cleanup(PRICE, fn)
    try:
        if result.error is not None:
            raise result.error
    finally:
        del result


THROUGH: dict[str, Callable[[Fn], Awaitable[Any]]] = {
    "retry": retry(PRICE, RetryPolicy(max_attempts=2, base_delay=0)).call,
    "retry of nothing": retry(PRICE, RetryPolicy(retry_on=())).call,
    "timeout": lambda fn: in_block(timeout(PRICE, 60), fn),
    "deadline": lambda fn: in_block(deadline(60), fn),
    "step": lambda fn: in_block(step(PRICE), fn),
    "workflow": lambda fn: in_block(workflow("checkout", deadline=60), fn),
    "cancel_on_exit": lambda fn: in_block(cancel_on_exit([]), fn),
    "without_spans": without_any_spans,
    "cancellable": as_task,
    "settle": from_report,
    "gather": from_gather,
    "gather, fail_fast": from_failed_gather,
    "cleanup": from_cleanup,
}
PRIMITIVE = pytest.mark.parametrize("name", THROUGH)


@ANY
@PRIMITIVE
def test_it_comes_out_as_it_went_in(name: str, kind: type[Exception], recorded: Recorded) -> None:
    """The very instance, with what it had and nothing else but notes; two in one another as well."""
    error = kind()
    args, attributes = error.args, dict(ATTRIBUTES(error))

    async def main() -> BaseException | None:
        async def twice() -> Any:
            return await THROUGH[name](failer(error))

        try:
            await THROUGH[name](twice)
        except BaseException as caught:
            return caught
        return None

    assert run(main()) is error
    assert error.args is args
    left = dict(ATTRIBUTES(error))
    left.pop("__notes__", None)
    assert left == attributes
    assert recorded.registry.get_sample_value("resilience_telemetry_failures_total", {"part": "tracing"}) == 0


@ANY
def test_it_is_recorded_once(kind: type[Exception], recorded: Recorded) -> None:
    """On the innermost span that it leaves."""

    async def main() -> None:
        async with workflow("checkout"), timeout(PRICE, 60):
            await retry(PRICE, RetryPolicy(retry_on=())).call(failer(kind()))

    with suppress(Exception):
        run(main())
    with_it = [span.name for span in recorded.spans() for event in span.events if event.name == "exception"]
    assert with_it == ["attempt price"]


def test_one_that_is_raised_in_two_tasks_is_told_of_in_each(recorded: Recorded) -> None:
    """As a connection pool tells all who wait; a retry that gives up on it does so for its own task only."""
    shared = OSError("down")

    async def stock(gone: asyncio.Event) -> None:
        async with step(STOCK):
            await gone.wait()
            raise shared

    async def main() -> None:
        gone = asyncio.Event()
        async with workflow("checkout"):
            other = asyncio.create_task(stock(gone))
            with pytest.raises(OSError, match="down"):
                await retry(PRICE, RetryPolicy(max_attempts=2, base_delay=0)).call(failer(shared))
            gone.set()
            with pytest.raises(OSError, match="down"):
                await other

    run(main())
    assert attribute(recorded, "task stock", "resilience.outcome") == "error"
    assert [event.name for event in named(recorded, "task stock").events] == ["exception"]


@pytest.mark.parametrize("in_task", [False, True])
@PRIMITIVE
def test_nothing_keeps_the_locals_of_a_failed_call(name: str, in_task: bool, recorded: Recorded) -> None:
    """No cycle, so that they go when the exception is handled and not when the collector comes by."""

    class Large:
        """Stands for a response, a connection, a file."""

    kept: list[weakref.ref[Large]] = []

    async def fail() -> None:
        large = Large()
        kept.append(weakref.ref(large))
        await asyncio.sleep(0)  # what an eager task raises at once asyncio itself keeps
        raise OSError("busy")

    async def main() -> list[object]:
        with suppress(OSError):
            if in_task:
                await asyncio.ensure_future(THROUGH[name](fail))
            else:
                await THROUGH[name](fail)
        await asyncio.sleep(1)
        return [each() for each in kept]

    gc.collect()
    gc.disable()
    try:
        assert run(main()) == [None] * len(kept)
    finally:
        gc.enable()


def test_what_ran_out_of_time_is_not_kept_either(recorded: Recorded) -> None:
    class Large:
        pass

    kept: list[weakref.ref[Large]] = []

    async def hang() -> None:
        large = Large()
        kept.append(weakref.ref(large))
        await asyncio.sleep(3600)

    async def main() -> list[object]:
        for block in (timeout(PRICE, 1), deadline(1), workflow("checkout", deadline=1)):
            with suppress(TimeoutError):
                await in_block(block, hang)
        with suppress(TimeoutError):
            await retry(PRICE, RetryPolicy(max_attempts=1, attempt_timeout=1)).call(hang)
        await asyncio.sleep(1)
        return [each() for each in kept]

    gc.collect()
    gc.disable()
    try:
        assert run(main()) == [None] * 4
    finally:
        gc.enable()


def test_a_timeout_error_of_the_body_keeps_its_arguments_though_time_is_up(recorded: Recorded) -> None:
    """A limit speaks through an exception of its own only."""
    error = TimeoutError("the socket's", 110)

    async def body() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise error from None

    with pytest.raises(TimeoutError):
        run(retry(PRICE, RetryPolicy(max_attempts=1, attempt_timeout=1)).call(body))
    assert error.args == ("the socket's", 110)


class Stop(BaseException):
    """As a test's failure or a server's own signal to stop."""


@pytest.mark.parametrize("fail_fast", [True, False])
def test_what_is_outside_of_exception_is_in_a_report_and_raised(fail_fast: bool, recorded: Recorded) -> None:
    """The other children are cancelled, and awaited."""
    reports: list[Any] = []

    async def main() -> None:
        calls: dict[str, Fn] = {"stops": failer(Stop(), 1), "sleeps": lambda: asyncio.sleep(60)}
        await gather(PRICE, calls, fail_fast=fail_fast, reports=reports)

    with pytest.raises(Stop):
        run(main())
    assert isinstance(reports[0].error, Stop)
    assert [report.outcome for report in reports] == ["error", "cancelled"]


def test_a_name_is_in_a_note_of_the_error_or_else_of_the_group(recorded: Recorded) -> None:
    calls = {"frozen": failer(FrozenError(1)), "plain": failer(OSError())}
    with pytest.raises(ExceptionGroup) as caught:
        run(gather(PRICE, calls, fail_fast=True))
    assert caught.value.__notes__ == ["frozen raised FrozenError"]
    assert [getattr(each, "__notes__", None) for each in caught.value.exceptions[1:2]] == [
        ["raised by plain"]
    ]
