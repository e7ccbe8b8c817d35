"""Whose cancel is it: what is swallowed, what is invented, and what a raised count proves."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from retryscope import RetryPolicy, deadline, request_cancel, retry, step, timeout, workflow
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK, attribute, named, value_of

QUICK = RetryPolicy(max_attempts=3, base_delay=1, jitter="none")


async def _fail() -> None:
    await asyncio.sleep(0)  # eager: Python 3.12 leaves a group's cancel on its way if its child fails at once
    raise OSError("down")


async def child_fails_while_the_group_waits() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_fail())


async def child_fails_while_the_body_awaits() -> None:
    """Then the body's own ``CancelledError`` is the context of the group's error."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_fail())
        await asyncio.sleep(60)


async def groups_in_groups() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(child_fails_while_the_body_awaits())
        await asyncio.sleep(60)


async def careless_timeout() -> None:
    """As libraries have it: cancels the task by a timer of its own, and never calls ``uncancel()``."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_later(1, task.cancel)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError as cancel:
        raise TimeoutError from cancel


async def careless_timeout_seen_as_something_else() -> None:
    try:
        await careless_timeout()
    except TimeoutError as error:
        raise ConnectionError("no answer") from error


async def careless_timeout_that_raises_something_else() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_later(1, task.cancel)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        raise ConnectionError("no answer") from TimeoutError()


async def retried_and_cancelled(fn: Callable[[], Awaitable[None]], *, at: float) -> tuple[bool, float]:
    """Whether a retry of it ended by the cancel, and when."""
    running = asyncio.create_task(retry(PRICE, QUICK).call(fn))
    await asyncio.sleep(at)
    running.cancel()
    await asyncio.wait([running])
    return running.cancelled(), asyncio.get_running_loop().time()


LEAVE_THE_COUNT_RAISED: list[Callable[[], Awaitable[None]]] = [
    child_fails_while_the_group_waits,
    child_fails_while_the_body_awaits,
    groups_in_groups,
    careless_timeout,
    careless_timeout_seen_as_something_else,
    careless_timeout_that_raises_something_else,
]
RESIDUE = pytest.mark.parametrize("fails", LEAVE_THE_COUNT_RAISED, ids=lambda fn: fn.__name__)


@RESIDUE
def test_what_leaves_the_count_raised_is_tried_again(
    fails: Callable[[], Awaitable[None]], recorded: Recorded
) -> None:
    calls = 0

    async def call() -> int:
        nonlocal calls
        calls += 1
        if calls < 3:
            await fails()
        return calls

    assert run(retry(PRICE, QUICK).call(call)) == 3
    assert attribute(recorded, "retry price", "resilience.outcome") == "success"


@RESIDUE
def test_its_own_error_comes_out_when_the_retry_gives_up(
    fails: Callable[[], Awaitable[None]], recorded: Recorded
) -> None:
    with pytest.raises((ExceptionGroup, TimeoutError, ConnectionError)):
        run(retry(PRICE, QUICK).call(fails))
    assert value_of(recorded, "resilience_cancellations_total", operation="price") == 0


@RESIDUE
def test_a_limit_that_is_reached_later_is_a_timeout(
    fails: Callable[[], Awaitable[None]], recorded: Recorded
) -> None:
    """``asyncio.timeout`` lets the ``CancelledError`` out here, before Python 3.13."""

    async def body() -> None:
        try:
            await fails()
        except* (OSError, TimeoutError):
            pass
        await asyncio.sleep(60)

    async def limited(block: Any) -> None:
        async with block:
            await body()

    for block in (timeout(PRICE, 5), deadline(5), workflow("checkout", deadline=5)):
        with pytest.raises(TimeoutError):
            run(limited(block))


@pytest.mark.parametrize("shown", [True, False])
def test_a_cancel_that_was_made_an_error_of_is_a_cancel(shown: bool, recorded: Recorded) -> None:
    """It is in the error's causes or contexts, also where it is not shown."""

    async def swallows() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as cancel:
            raise ConnectionError("closed") from (cancel if shown else None)

    assert run(retried_and_cancelled(swallows, at=5)) == (True, 5)


def test_a_cancel_after_a_timeout_is_a_cancel_also_where_the_timeout_is_told(recorded: Recorded) -> None:
    """The ``TimeoutError`` was raised before, and is not what became of the cancel."""

    async def swallows() -> None:
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(60)
        except TimeoutError as first:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise ConnectionError("no replica answers either") from first

    assert run(retried_and_cancelled(swallows, at=5)) == (True, 5)


def test_after_a_residue_a_cancel_during_the_wait_still_ends_the_retry(recorded: Recorded) -> None:
    assert run(retried_and_cancelled(child_fails_while_the_body_awaits, at=0.5)) == (True, 0.5)


def test_what_is_given_up(recorded: Recorded) -> None:
    """A cancel swallowed without a trace, followed by an unrelated error, can't be told from a residue."""
    calls = 0

    async def swallows() -> int:
        nonlocal calls
        calls += 1
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(1)
        if calls == 1:
            raise OSError("unrelated")
        return calls

    async def main() -> int:
        running = asyncio.create_task(retry(PRICE, QUICK).call(swallows))
        await asyncio.sleep(0.5)
        running.cancel()
        return await running

    assert run(main()) == 2


async def cleaned_up_late() -> None:
    """Its cleanup takes longer than any limit around it."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(60)
        raise


def test_it_says_what_the_swallowed_one_said(recorded: Recorded) -> None:
    """Whoever looks at the causes of cancels sees the one that was asked for."""

    async def call() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as cancel:
            raise ConnectionError("closed") from cancel

    async def main() -> None:
        trying = asyncio.create_task(retry(PRICE, QUICK).call(call))
        await asyncio.sleep(0)
        request_cancel(trying, "shutdown", reason="a new version")
        with pytest.raises(asyncio.CancelledError, match=r"shutdown \(a new version\)"):
            await trying

    run(main())
    assert value_of(recorded, "resilience_cancellations_total", operation="price", cause="shutdown") == 1


def test_a_deadlines_cancel_that_was_swallowed_after_a_residue_is_the_deadlines(recorded: Recorded) -> None:
    async def call() -> None:
        with suppress(ExceptionGroup):
            await child_fails_while_the_group_waits()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as cancel:
            raise ConnectionError("closed") from cancel

    async def main() -> None:
        async with deadline(5):
            await retry(PRICE, QUICK).call(call)

    with pytest.raises(TimeoutError):
        run(main())


LIMITS: dict[str, Callable[[], Any]] = {
    "timeout": lambda: timeout(PRICE, 5),
    "deadline": lambda: deadline(5),
    "workflow": lambda: workflow("checkout", deadline=5),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_that_is_reached_in_the_cleanup_after_a_cancel_is_no_timeout(
    limit: str, recorded: Recorded
) -> None:
    """The cancel came first, and goes on, as with ``asyncio.timeout``."""

    async def work() -> None:
        async with LIMITS[limit]():
            await cleaned_up_late()

    async def main() -> bool:
        working = asyncio.create_task(work())
        await asyncio.sleep(1)
        working.cancel()
        await asyncio.wait([working])
        return working.cancelled()

    assert run(main())


def test_an_attempt_whose_limit_is_reached_in_the_cleanup_after_a_cancel_is_the_last(
    recorded: Recorded,
) -> None:
    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        await cleaned_up_late()

    async def main() -> bool:
        trying = asyncio.create_task(retry(PRICE, RetryPolicy(attempt_timeout=5)).call(call))
        await asyncio.sleep(1)
        trying.cancel()
        await asyncio.wait([trying])
        return trying.cancelled()

    assert (run(main()), calls) == (True, 1)


@pytest.mark.parametrize(
    ("limited", "name"),
    [
        (lambda: timeout(PRICE, 2), ["timeout price"]),
        (lambda: workflow("checkout", deadline=2), ["workflow checkout"]),
        (lambda: deadline(2), []),
    ],
    ids=["timeout", "workflow", "deadline"],
)
def test_a_cancel_that_says_nothing_below_a_limit_that_has_passed_is_by_it(
    recorded: Recorded, limited: Callable[[], Any], name: list[str]
) -> None:
    """A ``TaskGroup`` that is cancelled cancels its children without a word. A deadline has no span."""

    async def reserve() -> None:
        async with step(STOCK):
            await asyncio.sleep(3600)

    async def main() -> None:
        async with limited(), asyncio.TaskGroup() as group:
            group.create_task(reserve())

    with pytest.raises(TimeoutError):
        run(main())
    assert attribute(recorded, "task stock", "resilience.cancel.cause") == "deadline"
    links = [link.context for link in named(recorded, "task stock").links]
    assert links == [named(recorded, each).context for each in name]
