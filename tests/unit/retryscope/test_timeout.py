"""Timeouts and deadlines: whose they are, and what wins a race."""

import ast
import asyncio
import math
import sys
from contextvars import ContextVar
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

import retryscope
from retryscope import RetryPolicy, deadline, request_cancel, retry, step, timeout, workflow
from retryscope.timeout import require_seconds
from tests.support.clock import pass_time, run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK, attribute, named, sleeper, value_of


async def within(limit: float, seconds: float) -> None:
    async with timeout(PRICE, limit):
        await asyncio.sleep(seconds)


def test_a_limit_that_is_reached_is_an_outcome_timeout(recorded: Recorded) -> None:
    """The whole tree and every metric."""
    with recorded.changes() as changes, pytest.raises(TimeoutError, match=r"^price timed out after 2 s$"):
        run(within(2, 60))
    assert recorded.tree() == dedent("""\
        timeout price [0..2] ERROR 'price timed out after 2 s'
          . error.type = timeout
          . resilience.operation = price
          . resilience.outcome = timeout
          . resilience.timeout.limit = 2
          . resilience.workflow = checkout
          ! resilience.timeout [2] resilience.timeout.limit=2
        """)
    labels = 'operation="price", outcome="timeout", workflow="checkout"'
    assert changes == {
        f"resilience_operation_duration_seconds_count{{{labels}}}": 1,
        f"resilience_operation_duration_seconds_sum{{{labels}}}": 2,
        f"resilience_operation_attempts_count{{{labels}}}": 1,
        f"resilience_operation_attempts_sum{{{labels}}}": 1,
        f'resilience_attempts_total{{error_type="timeout", {labels}}}': 1,
        f"resilience_attempt_duration_seconds_count{{{labels}}}": 1,
        f"resilience_attempt_duration_seconds_sum{{{labels}}}": 2,
    }


def test_a_block_may_name_what_it_has_entered(recorded: Recorded) -> None:
    async def main() -> bool:
        entered = timeout(PRICE, 2)
        async with entered as this:
            return this is entered

    assert run(main())


def test_a_body_within_its_limit_is_a_success_and_leaves_no_timer(recorded: Recorded) -> None:
    """Nothing fires later."""

    async def main() -> float:
        await within(2, 1)
        await asyncio.sleep(5)
        return asyncio.get_running_loop().time()

    assert run(main()) == 6
    assert attribute(recorded, "timeout price", "resilience.outcome") == "success"


def test_the_body_runs_in_the_callers_task_and_context(recorded: Recorded) -> None:
    """asyncio.md 11: ``wait_for`` would run it in another task, where variables and span parents are lost."""
    variable: ContextVar[str] = ContextVar("variable", default="unset")

    async def main() -> str:
        caller = asyncio.current_task()
        async with timeout(PRICE, 2):
            assert asyncio.current_task() is caller
            variable.set("set inside")
            async with step(STOCK):
                pass
        return variable.get()

    assert run(main()) == "set inside"
    assert recorded.outline() == "timeout price\n  task stock\n"


def test_wait_for_is_used_nowhere_in_the_library() -> None:
    """asyncio.md 11: on Python 3.11 it can swallow an outer cancel."""
    for path in Path(retryscope.__file__).parent.rglob("*.py"):
        names = {
            getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(ast.parse(path.read_text()))
        }
        assert "wait_for" not in names, path


def test_an_inner_timeout_error_is_an_error_and_not_the_own_timeout(recorded: Recorded) -> None:
    """asyncio.md 12: own timeout = ``TimeoutError`` AND the own timer has expired."""

    async def main() -> None:
        async with timeout(PRICE, 2):
            raise TimeoutError("connect")

    with pytest.raises(TimeoutError, match=r"^connect$"):
        run(main())
    assert attribute(recorded, "timeout price", "resilience.outcome") == "error"
    assert attribute(recorded, "timeout price", "error.type") == "TimeoutError"
    assert [event.name for event in named(recorded, "timeout price").events] == ["exception"]


@pytest.mark.parametrize("first", ["timer", "cancel"])
def test_an_outer_cancel_wins_the_race_with_the_own_timeout(recorded: Recorded, first: str) -> None:
    """asyncio.md 12: both in the same turn of the loop: ``CancelledError`` wins, though the timer expired."""

    async def main() -> bool:
        loop = asyncio.get_running_loop()

        async def body() -> None:
            if first == "timer":
                loop.call_later(2, lambda: request_cancel(running, "shutdown"))
            await within(2, 60)

        running = asyncio.create_task(body())
        if first == "cancel":
            loop.call_later(2, lambda: request_cancel(running, "shutdown"))
        await asyncio.wait([running])
        return running.cancelled()

    assert run(main())
    assert attribute(recorded, "timeout price", "resilience.outcome") == "cancelled"
    assert named(recorded, "timeout price").status.status_code is StatusCode.UNSET
    assert value_of(recorded, "resilience_cancellations_total", operation="price") == 1


@pytest.mark.parametrize("outer", ["timeout", "deadline", "workflow"])
def test_the_inner_of_two_nested_timeouts_sees_a_cancel_when_the_outer_fires(
    recorded: Recorded, outer: str
) -> None:
    """asyncio.md 13: the inner is cancelled (cause deadline), the outer timed out."""

    async def main() -> None:
        around: Any = {
            "timeout": timeout(STOCK, 2),
            "deadline": deadline(2),
            "workflow": workflow("w", deadline=2),
        }
        async with around[outer]:
            await within(5, 60)

    with pytest.raises(TimeoutError, match=r"2 s"):
        run(main())
    inner = named(recorded, "timeout price")
    assert attribute(recorded, "timeout price", "resilience.outcome") == "cancelled"
    assert attribute(recorded, "timeout price", "resilience.cancel.cause") == "deadline"
    if outer == "deadline":  # it has no span to link to
        assert inner.links == ()
    else:
        around = named(recorded, "timeout stock" if outer == "timeout" else "workflow w")
        assert [link.context for link in inner.links] == [around.context]
        assert (around.attributes or {})["resilience.outcome"] == "timeout"


def test_the_outer_of_two_nested_timeouts_sees_the_inners_error(recorded: Recorded) -> None:
    """asyncio.md 13: the inner's ``TimeoutError`` is an error for the outer."""

    async def main() -> None:
        async with timeout(STOCK, 5):
            await within(2, 60)

    with pytest.raises(TimeoutError, match=r"^price timed out after 2 s$"):
        run(main())
    assert attribute(recorded, "timeout price", "resilience.outcome") == "timeout"
    assert attribute(recorded, "timeout stock", "resilience.outcome") == "error"
    assert named(recorded, "timeout stock").events == ()  # the inner's event resilience.timeout is the record


def test_a_body_that_never_awaits_is_not_interrupted_and_its_overrun_is_recorded(recorded: Recorded) -> None:
    """asyncio.md 14: the clock moves on while the loop can't run the timer."""

    async def main() -> str:
        async with timeout(PRICE, 2):
            pass_time(3)  # a computation of three seconds
        return "computed"

    assert run(main()) == "computed"
    assert attribute(recorded, "timeout price", "resilience.outcome") == "success"
    assert attribute(recorded, "timeout price", "resilience.timeout.elapsed") == 3


def test_a_limit_that_is_noticed_late_says_how_late(recorded: Recorded) -> None:
    """asyncio.md 14: the body computes for three seconds, and awaits only then."""

    async def main() -> None:
        await asyncio.sleep(5)
        async with timeout(PRICE, 2):
            pass_time(3)
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError, match=r"^price timed out after 2 s$"):
        run(main())
    assert attribute(recorded, "timeout price", "resilience.timeout.elapsed") == 3


def test_nothing_begins_in_the_moment_in_which_its_deadline_passes(recorded: Recorded) -> None:
    """What began then could not even be awaited."""
    begun = []

    async def main() -> None:
        async with deadline(1):
            pass_time(1)
            async with timeout(PRICE, 60):
                begun.append("the body")

    with pytest.raises(TimeoutError, match=r"^no time is left for price: its deadline has passed$"):
        run(main())
    assert begun == []


def test_a_body_in_time_has_no_overrun(recorded: Recorded) -> None:
    """asyncio.md 14: the attribute is there only where the limit was overrun, whenever it began."""

    async def main() -> None:
        await asyncio.sleep(5)
        await within(2, 1)

    run(main())
    assert attribute(recorded, "timeout price", "resilience.timeout.elapsed") is None


def test_what_is_left_may_be_less_than_a_second(recorded: Recorded) -> None:
    async def main() -> None:
        async with deadline(0.5) as entered, timeout(PRICE, 60):
            assert isinstance(entered, deadline)

    run(main())
    assert attribute(recorded, "timeout price", "resilience.deadline") == 0.5


def test_a_deadline_is_absolute_and_passed_down(recorded: Recorded) -> None:
    """asyncio.md 15: an inner limit is the shorter of its own and what is left of the outer one."""
    seen: dict[str, object] = {}

    async def main() -> None:
        async with deadline(10):
            await asyncio.sleep(3)
            async with timeout(PRICE, 60):
                await asyncio.sleep(1)
            async with deadline(60), timeout(STOCK, 60):
                await asyncio.create_task(asyncio.sleep(60))  # a child task sees it too

    with pytest.raises(TimeoutError, match=r"^deadline of 10 s reached$"):
        run(main())
    seen["price"] = attribute(recorded, "timeout price", "resilience.deadline")
    seen["stock"] = attribute(recorded, "timeout stock", "resilience.deadline")
    assert seen == {"price": 7, "stock": 6}
    assert recorded.tree().splitlines()[-8].startswith("timeout stock [4..10]")


def test_the_shorter_outer_limit_is_the_cause_where_both_end_together(recorded: Recorded) -> None:
    """The inner timer is set to the outer deadline; both fire, and the outer one wins."""

    async def main() -> None:
        async with timeout(STOCK, 2):
            await retry(PRICE, RetryPolicy(max_attempts=1)).call(sleeper(60))

    with pytest.raises(TimeoutError, match=r"^stock timed out after 2 s$"):
        run(main())
    for name in ("attempt price", "retry price"):
        assert attribute(recorded, name, "resilience.outcome") == "cancelled"
        assert attribute(recorded, name, "resilience.cancel.cause") == "deadline"
    assert attribute(recorded, "timeout stock", "resilience.outcome") == "timeout"


def test_a_task_that_outlives_its_creator_keeps_the_creators_deadline(recorded: Recorded) -> None:
    """asyncio.md 15: its own timer ends it there, and the message tells the limit that was effective."""

    started: list[asyncio.Task[None]] = []

    async def creator() -> None:
        async with deadline(3):
            await asyncio.sleep(1)
            started.append(asyncio.create_task(within(60, 100)))
            await asyncio.sleep(60)

    async def main() -> BaseException | None:
        with pytest.raises(TimeoutError, match="deadline of 3 s reached"):
            await creator()
        await asyncio.wait(started)
        assert asyncio.get_running_loop().time() == 3
        return started[0].exception()

    assert str(run(main())) == "price timed out after 2 s"
    assert attribute(recorded, "timeout price", "resilience.outcome") == "timeout"


def test_after_a_deadline_nothing_of_it_is_left(recorded: Recorded) -> None:
    """What follows is not limited any more."""

    async def main() -> float:
        async with deadline(1):
            pass
        await within(60, 30)
        return asyncio.get_running_loop().time()

    assert run(main()) == 30
    assert attribute(recorded, "timeout price", "resilience.deadline") is None


@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("timeout limit", lambda s: timeout(PRICE, s)),
        ("deadline", deadline),
        ("workflow deadline", lambda s: workflow("w", deadline=s)),
    ],
    ids=["timeout", "deadline", "workflow"],
)
@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, pytest.param(10**400, id="huge")])
def test_a_limit_must_be_finite_and_positive(what: str, make: Any, bad: float) -> None:
    """Refused where it is written, not where it would fire."""
    with pytest.raises(ValueError, match=rf"^{what} must be finite and > 0 seconds, got"):
        make(bad)


@pytest.mark.parametrize("bad", ["1", True, None])
def test_a_limit_must_be_a_number(bad: Any) -> None:
    """A string from a configuration file is refused by name."""
    with pytest.raises(TypeError, match="timeout limit must be a number of seconds"):
        timeout(PRICE, bad)


def test_zero_is_a_duration_where_the_caller_says_so() -> None:
    """For waits."""
    assert require_seconds("delay", 0, zero=True) == 0
    assert require_seconds("delay", sys.float_info.max) == sys.float_info.max
    with pytest.raises(ValueError, match="delay must be finite and >= 0 seconds, got -1"):
        require_seconds("delay", -1, zero=True)


@pytest.mark.parametrize(
    "make", [lambda: timeout(PRICE, 1), lambda: deadline(1)], ids=["timeout", "deadline"]
)
def test_outside_a_task_a_limit_is_refused_and_opens_no_span(recorded: Recorded, make: Any) -> None:
    """As ``asyncio.timeout`` does."""
    block = make()

    async def main() -> BaseException | None:
        loop = asyncio.get_running_loop()
        raised: asyncio.Future[BaseException | None] = loop.create_future()

        def callback() -> None:
            try:
                block.__aenter__().send(None)
            except BaseException as error:  # whatever it is: it is waited for
                raised.set_result(error)

        loop.call_soon(callback)
        return await raised

    assert repr(run(main())) == f"RuntimeError('{type(block).__name__} should be used inside a task')"
    assert recorded.spans() == []


def test_a_name_goes_on_the_span(recorded: Recorded) -> None:
    """It may vary, so it is an attribute and no label."""

    async def main() -> None:
        async with timeout(PRICE, 1, name="sku 4711"):
            pass

    run(main())
    assert attribute(recorded, "timeout price", "resilience.task.name") == "sku 4711"


@pytest.mark.parametrize("kind", ["timeout", "deadline"])
def test_a_block_that_is_torn_down_ends_quietly(recorded: Recorded, kind: str) -> None:
    """GeneratorExit, from a coroutine that is closed: nothing of the closer's context is touched."""

    async def body() -> None:
        async with timeout(PRICE, 10) if kind == "timeout" else deadline(10):
            await asyncio.sleep(60)

    async def main() -> None:
        coroutine = body()
        running = asyncio.create_task(coroutine)
        await asyncio.sleep(1)
        async with deadline(5):
            coroutine.close()
            async with timeout(STOCK, 60):
                pass
        running.cancel()
        await asyncio.wait([running])
        assert isinstance(running.exception(), RuntimeError)  # it awaited what is closed

    run(main())
    assert attribute(recorded, "timeout stock", "resilience.deadline") == 5
    if kind == "timeout":
        assert attribute(recorded, "timeout price", "resilience.outcome") == "cancelled"
