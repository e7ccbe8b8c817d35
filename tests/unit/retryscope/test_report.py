"""Reports: what became of a task, instead of an exception."""

import asyncio
import pickle
import traceback
from contextlib import suppress

import pytest

from retryscope import (
    Outcome,
    RetryPolicy,
    cancellable,
    deadline,
    request_cancel,
    retry,
    settle,
    step,
    timeout,
    workflow,
)
from retryscope.report import Report
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK, failer, named, sleeper


async def limited() -> None:
    async with timeout(PRICE, 1):
        await asyncio.sleep(60)


async def exhausted() -> None:
    await retry(PRICE, RetryPolicy(max_attempts=2, base_delay=1, jitter="none")).call(failer(OSError("gone")))


async def plain() -> None:
    raise OSError("gone")


async def handled() -> str:
    try:
        await limited()
    except TimeoutError:
        return "from the cache"
    raise AssertionError


async def other_error() -> None:
    try:
        await limited()
    except TimeoutError as error:
        raise ValueError("no price") from error


@pytest.mark.parametrize(
    ("fn", "outcome", "error", "attempts"),
    [
        (sleeper(1), "success", None, 1),
        (limited, "timeout", TimeoutError, 1),
        (exhausted, "exhausted", OSError, 2),
        (plain, "error", OSError, 1),
        (handled, "success", None, 1),
        (other_error, "error", ValueError, 1),
    ],
    ids=["success", "timeout", "exhausted", "error", "handled timeout", "error after a timeout"],
)
def test_settle_reports_the_outcome_instead_of_raising(
    recorded: Recorded, fn: object, outcome: Outcome, error: type[Exception] | None, attempts: int
) -> None:
    """An own timeout and an exhausted retry are told from a plain error."""
    report = run(settle(fn))  # type: ignore[arg-type,var-annotated]
    assert (report.outcome, type(report.error) if error else report.error) == (outcome, error)
    assert report.attempts == attempts


class Stop(BaseException):
    """As a test's failure or a server's own signal to stop."""


@pytest.mark.parametrize("kind", [OSError, Stop])
def test_what_another_task_has_made_of_the_same_error_says_nothing_of_this_one(
    recorded: Recorded, kind: type[BaseException]
) -> None:
    """There it was recorded, and a retry has given up on it; here nothing of that has happened."""
    shared = kind("down")

    async def elsewhere() -> None:
        async with workflow("nightly"):
            with suppress(kind):
                await retry(STOCK, RetryPolicy(max_attempts=1)).call(failer(shared))
            with suppress(kind):
                async with step(STOCK):
                    raise shared
            await asyncio.sleep(60)

    async def main() -> Report[None]:
        async with workflow("checkout"):
            report: Report[None] = Report("price")
            other = asyncio.create_task(elsewhere())
            with suppress(kind):
                await report.run(failer(shared, 1))
            assert report.error is shared
            await other
            return report

    report = run(main())
    assert (report.outcome, report.recorded) == ("error", False)


def test_settle_passes_arguments_and_names_the_function() -> None:
    """A callable without a name is named by its class."""

    async def add(a: int, *, b: int) -> int:
        return a + b

    class Fetch:
        async def __call__(self) -> None:
            return None

    assert (run(settle(add, 1, b=2)).name, run(settle(add, 1, b=2)).value) == ("add", 3)
    assert run(settle(Fetch())).name == "Fetch"


def test_result_returns_the_value_or_raises_the_error() -> None:
    """For callers that want the exception after all."""
    assert run(settle(sleeper(0, "value"))).result() == "value"
    with pytest.raises(OSError, match="gone"):
        run(settle(plain)).result()


def test_settle_never_swallows_a_cancel_of_its_own_task(recorded: Recorded) -> None:
    """asyncio.md 4: it is reported and raised."""

    async def main() -> bool:
        running = asyncio.create_task(settle(sleeper(60)))
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])
        return running.cancelled()

    assert run(main())


def test_a_cancelled_error_of_something_awaited_is_a_result(recorded: Recorded) -> None:
    """Another task was cancelled, not this one."""

    async def main() -> Report[None]:
        other = asyncio.create_task(asyncio.sleep(60))

        async def wait_for_other() -> None:
            await other

        asyncio.get_running_loop().call_later(1, other.cancel)
        return await settle(wait_for_other)

    report = run(main())
    assert report.outcome == "cancelled"
    assert isinstance(report.error, asyncio.CancelledError)


def test_a_deadline_around_settle_still_fires(recorded: Recorded) -> None:
    """Its cancel passes through the report."""

    async def main() -> None:
        async with deadline(1):
            await settle(sleeper(60))

    with pytest.raises(TimeoutError, match="deadline of 1 s reached"):
        run(main())


def test_a_report_knows_the_first_span_of_its_task(recorded: Recorded) -> None:
    """What a sibling cancelled by this task's failure links to."""

    async def work() -> None:
        async with step(PRICE), timeout(PRICE, 1):
            await asyncio.sleep(0)

    assert run(settle(work)).span == named(recorded, "task price").context


def test_a_report_that_is_torn_down_raises_nothing(recorded: Recorded) -> None:
    """A coroutine closed in another context than its own, as by the garbage collector."""

    async def main() -> None:
        coroutine = settle(sleeper(60))
        running = asyncio.create_task(coroutine)
        request_cancel(asyncio.create_task(asyncio.sleep(60)), "request")
        await asyncio.sleep(1)
        coroutine.close()
        running.cancel()
        await asyncio.wait([running])
        assert isinstance(running.exception(), RuntimeError)  # it awaited what is closed

    run(main())


def test_before_the_end_there_is_no_result(recorded: Recorded) -> None:
    """As asyncio says it; not None."""

    async def main() -> int:
        running = cancellable(PRICE, sleeper(1, 7))
        with pytest.raises(asyncio.InvalidStateError, match="price has not ended"):
            running.report.result()
        await running
        value: int = running.report.result()
        return value

    assert run(main()) == 7


def test_asking_for_the_result_again_adds_nothing_to_the_traceback(recorded: Recorded) -> None:
    """As ``asyncio.Future.result``: else each would keep the frames of whoever asked before."""

    def frames(error: BaseException | None) -> tuple[str, ...]:
        assert error is not None
        return tuple(frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__))

    async def main() -> Report[object]:
        return await settle(failer(OSError("no")))

    report = run(main())
    seen = set()
    for _ in range(3):
        with pytest.raises(OSError, match="no"):
            report.result()
        seen.add(frames(report.error)[1:])
    assert seen == {("result", "run", "fail")}
    assert repr(pickle.loads(pickle.dumps(report)).error) == "OSError('no')"  # noqa: S301
