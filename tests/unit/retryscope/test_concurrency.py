"""Concurrent tasks whose results and exceptions are all collected."""

import asyncio
import inspect
from contextlib import suppress
from textwrap import dedent
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from retryscope import (
    RetryPolicy,
    cleanup,
    deadline,
    gather,
    request_cancel,
    retry,
    settle,
    step,
    timeout,
    workflow,
)
from retryscope._core.scope import Scope
from retryscope.report import Report
from tests.support.clock import EPOCH_NS, run, virtual_loop
from tests.support.odd_exceptions import SilentError
from tests.support.recorded import Recorded, recording
from tests.unit.retryscope.helpers import PRICE, STOCK, Script, attribute, failer, named, sleeper, value_of


def traced(seconds: float, error: Exception | None = None) -> Any:
    """A child with a span of its own."""

    async def child() -> None:
        async with step(PRICE):
            await asyncio.sleep(seconds)
            if error is not None:
                raise error

    return child


def test_results_and_exceptions_are_all_collected_in_order(recorded: Recorded) -> None:
    """The whole tree: every outcome that a child can have, while the gather itself is a success."""

    async def cancels_itself() -> None:
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        await asyncio.sleep(0)

    async def limited() -> None:
        async with timeout(PRICE, 1):
            await asyncio.sleep(60)

    async def exhausted() -> None:
        await retry(STOCK, RetryPolicy(max_attempts=1)).call(failer(OSError("gone")))

    async def main() -> list[Report[Any]]:
        return await gather(
            PRICE,
            {
                "fine": sleeper(2, "value"),
                "plain": failer(ValueError("no"), after=1),
                "limited": limited,
                "exhausted": exhausted,
                "cancelled": cancels_itself,
            },
        )

    reports = run(main())
    assert [(report.name, report.outcome, report.value) for report in reports] == [
        ("fine", "success", "value"),
        ("plain", "error", None),
        ("limited", "timeout", None),
        ("exhausted", "exhausted", None),
        ("cancelled", "cancelled", None),
    ]
    assert recorded.tree() == dedent("""\
        gather price [0..2]
          . resilience.gather.cancelled = 1
          . resilience.gather.failed = 3
          . resilience.gather.size = 5
          . resilience.gather.succeeded = 1
          . resilience.operation = price
          . resilience.outcome = success
          . resilience.workflow = checkout
          ! exception [2] exception.message=no, exception.type=ValueError
          timeout price [0..1] ERROR 'price timed out after 1 s'
            . error.type = timeout
            . resilience.operation = price
            . resilience.outcome = timeout
            . resilience.timeout.limit = 1
            . resilience.workflow = checkout
            ! resilience.timeout [1] resilience.timeout.limit=1
          retry stock [0..0] ERROR 'gone'
            . error.type = OSError
            . resilience.operation = stock
            . resilience.outcome = exhausted
            . resilience.retry.attempts = 1
            . resilience.retry.backoff = 0
            . resilience.retry.giveup_reason = max_attempts
            . resilience.retry.max_attempts = 1
            . resilience.workflow = checkout
            attempt stock [0..0] ERROR 'gone'
              . error.type = OSError
              . resilience.attempt.number = 1
              . resilience.operation = stock
              . resilience.outcome = error
              . resilience.workflow = checkout
              ! exception [0] exception.message=gone, exception.type=OSError
        """)


def test_a_gather_is_no_operation_and_counts_nothing_itself(recorded: Recorded) -> None:
    """Its children are counted by their own primitives."""
    with recorded.changes() as changes:
        run(gather(PRICE, {"a": sleeper(1)}))
    assert changes == {}


def test_gather_of_nothing_returns_nothing(recorded: Recorded) -> None:
    """A span of size 0, no hang."""
    assert run(gather(PRICE, {})) == []
    assert attribute(recorded, "gather price", "resilience.gather.size") == 0


def test_a_cancelled_child_is_no_success(recorded: Recorded) -> None:
    """asyncio.md 1: ``CancelledError`` is a ``BaseException``: test for cancelled first, then for errors."""

    async def main() -> list[Report[None]]:
        reports: list[Report[None]] = []
        loop = asyncio.get_running_loop()
        loop.call_later(
            1, lambda: [each.cancel() for each in asyncio.all_tasks() if each.get_name() == "victim"]
        )
        return await gather(PRICE, {"victim": traced(60), "fine": traced(2)}, reports=reports)

    victim, fine = run(main())
    assert (victim.outcome, fine.outcome) == ("cancelled", "success")
    assert isinstance(victim.error, asyncio.CancelledError)
    assert attribute(recorded, "gather price", "resilience.gather.succeeded") == 1
    assert attribute(recorded, "gather price", "resilience.gather.cancelled") == 1
    assert attribute(recorded, "gather price", "resilience.gather.failed") == 0


@pytest.mark.parametrize("how", ["error", "fail_fast", "cancel"])
def test_no_sibling_is_left_running(recorded: Recorded, how: str) -> None:
    """asyncio.md 2: on an error they are awaited; on fail_fast or an outer cancel cancelled AND awaited."""
    ended: list[float] = []

    async def sibling() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(1)
            ended.append(asyncio.get_running_loop().time())

    async def main() -> float:
        first: Any = sleeper(60) if how == "cancel" else failer(OSError("gone"), after=2)
        calls: dict[str, Any] = {"first": first, "sibling": sibling}
        running = asyncio.create_task(gather(PRICE, calls, fail_fast=how == "fail_fast"))
        if how == "cancel":
            asyncio.get_running_loop().call_later(2, running.cancel)
        await asyncio.wait([running])
        assert {each.get_name() for each in asyncio.all_tasks()}.isdisjoint(calls)
        assert running.cancelled() == (how == "cancel")
        if how == "fail_fast":
            assert isinstance(running.exception(), ExceptionGroup)
        return asyncio.get_running_loop().time()

    expected = 11 if how == "error" else 3
    assert run(main()) == expected
    assert ended == [expected]


def test_a_gather_that_is_cancelled_links_to_who_asked_for_it(recorded: Recorded) -> None:
    """As its children do."""

    async def main() -> None:
        running = asyncio.create_task(gather(PRICE, {"child": sleeper(60)}))
        await asyncio.sleep(1)
        async with step(STOCK):
            request_cancel(running, "request")
        await asyncio.wait([running])

    run(main())
    (link,) = named(recorded, "gather price").links
    assert link.context == named(recorded, "task stock").context
    assert link.attributes == {"resilience.link.kind": "cancelled_by"}


def test_with_fail_fast_the_first_error_cancels_the_siblings_with_its_cause_and_a_link(
    recorded: Recorded,
) -> None:
    """The whole tree: the sibling's cancel names the failing child's span."""

    async def main() -> None:
        calls: dict[str, Any] = {"broken": traced(1, OSError("gone")), "slow": retry(STOCK)(sleeper(60))}
        await gather(PRICE, calls, fail_fast=True)

    with recorded.changes() as changes, pytest.raises(ExceptionGroup) as raised:
        run(main())
    assert raised.value.message == "1 of 2 price failed"
    assert recorded.tree() == dedent("""\
        gather price [0..1] ERROR '1 of 2 price failed (1 sub-exception)'
          . error.type = OSError
          . resilience.gather.cancelled = 1
          . resilience.gather.failed = 1
          . resilience.gather.size = 2
          . resilience.gather.succeeded = 0
          . resilience.operation = price
          . resilience.outcome = error
          . resilience.workflow = checkout
          task price [0..1] ERROR 'gone'
            . error.type = OSError
            . resilience.operation = price
            . resilience.outcome = error
            . resilience.workflow = checkout
            ! exception [1] exception.message=gone, exception.type=OSError
          retry stock [0..1]
            . resilience.cancel.cause = sibling
            . resilience.operation = stock
            . resilience.outcome = cancelled
            . resilience.retry.attempts = 1
            . resilience.retry.backoff = 0
            . resilience.retry.max_attempts = 3
            . resilience.workflow = checkout
            ! resilience.cancel.requested [1] resilience.cancel.cause=sibling
            -> cancelled_by task price
            attempt stock [0..1]
              . resilience.attempt.number = 1
              . resilience.cancel.cause = sibling
              . resilience.operation = stock
              . resilience.outcome = cancelled
              . resilience.workflow = checkout
        """)
    assert (
        changes['resilience_cancellations_total{cause="sibling", operation="stock", workflow="checkout"}']
        == 1
    )


def test_the_group_holds_errors_only_and_each_names_its_child(recorded: Recorded) -> None:
    """asyncio.md 3: ``ExceptionGroup`` can't hold ``CancelledError``: those are counted apart."""

    async def fails_when_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise RuntimeError("while stopping") from None

    calls: dict[str, Any] = {
        "a": failer(OSError("gone"), after=1),
        "b": fails_when_cancelled,
        "c": sleeper(60),
        "d": sleeper(0.5),
    }
    with pytest.raises(ExceptionGroup) as raised:
        run(gather(PRICE, calls, fail_fast=True))
    assert [(repr(error), error.__notes__) for error in raised.value.exceptions] == [
        ("OSError('gone')", ["raised by a"]),
        ("RuntimeError('while stopping')", ["raised by b"]),
    ]
    span = "gather price"
    assert attribute(recorded, span, "error.type") == "ExceptionGroup"
    counts = [
        attribute(recorded, span, f"resilience.gather.{what}")
        for what in ("succeeded", "failed", "cancelled")
    ]
    assert counts == [1, 2, 1]


def test_siblings_are_asked_once_when_the_first_one_fails(recorded: Recorded) -> None:
    """Also where another fails because of it: what they do then by themselves is not cut off."""
    ended: list[float] = []

    async def releases() -> None:
        async with step(STOCK):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(2)
                ended.append(asyncio.get_running_loop().time())
                raise

    async def fails_when_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise RuntimeError("while stopping") from None

    calls: dict[str, Any] = {"a": failer(OSError("gone"), 1), "b": fails_when_cancelled, "c": releases}
    with pytest.raises(ExceptionGroup):
        run(gather(PRICE, calls, fail_fast=True))
    assert ended == [3]
    (asked,) = named(recorded, "task stock").events
    assert asked.timestamp == EPOCH_NS + 1_000_000_000


def test_fail_fast_without_an_error_is_a_plain_gather(recorded: Recorded) -> None:
    """Nothing is cancelled, nothing raised."""
    reports = run(gather(PRICE, {"a": sleeper(1, 1), "b": sleeper(2, 2)}, fail_fast=True))
    assert [report.result() for report in reports] == [1, 2]


def test_an_outer_cancel_is_not_masked_by_a_childs_error_in_its_cleanup(recorded: Recorded) -> None:
    """asyncio.md 5: TaskGroup would raise a group; here the cancel is raised and names the error."""

    async def fails_when_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise RuntimeError("while stopping") from None

    async def main() -> tuple[asyncio.Task[list[Report[None]]], list[Report[None]]]:
        reports: list[Report[None]] = []
        calls = {"stopping": fails_when_cancelled, "quiet": sleeper(60)}
        running = asyncio.create_task(gather(PRICE, calls, reports=reports))
        await asyncio.sleep(1)
        request_cancel(running, "shutdown")
        await asyncio.wait([running])
        return running, reports

    running, reports = run(main())
    assert running.cancelled()
    with pytest.raises(asyncio.CancelledError) as raised:
        running.result()
    assert raised.value.__notes__ == ["stopping failed meanwhile: RuntimeError('while stopping')"]
    assert [report.outcome for report in reports] == ["error", "cancelled"]
    span = named(recorded, "gather price")
    assert span.status.status_code is StatusCode.UNSET
    assert attribute(recorded, "gather price", "resilience.cancel.cause") == "shutdown"
    assert [event.name for event in span.events] == ["exception", "resilience.cancel.requested"]


def test_an_outer_cancel_is_not_masked_by_a_childs_error_that_cannot_be_shown(recorded: Recorded) -> None:
    async def fails_when_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise SilentError from None

    async def main() -> None:
        running = asyncio.create_task(gather(PRICE, {"silent": fails_when_cancelled}))
        await asyncio.sleep(1)
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError) as raised:
        run(main())
    assert raised.value.__notes__ == ["silent failed meanwhile: <SilentError that can't be shown>"]


def test_children_of_a_cancelled_gather_get_its_cause(recorded: Recorded) -> None:
    """Also a second, different request that arrives while they clean up."""

    async def child() -> None:
        async with step(STOCK):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await cleanup(STOCK, sleeper(4))
                raise

    async def main() -> float:
        running = asyncio.create_task(gather(PRICE, {"a": child, "b": child}))
        await asyncio.sleep(1)
        request_cancel(running, "client_disconnect")
        await asyncio.sleep(1)
        request_cancel(running, "shutdown")
        await asyncio.wait([running])
        assert running.cancelled()
        return asyncio.get_running_loop().time()

    assert run(main()) == 5
    assert (
        value_of(recorded, "resilience_cancellations_total", cause="client_disconnect", operation="stock")
        == 2
    )
    assert value_of(recorded, "resilience_cleanup_duration_seconds_count", outcome="completed") == 2


def test_children_of_a_gather_cancelled_without_a_cause_get_that_of_its_surroundings(
    recorded: Recorded,
) -> None:
    """As a plain cancel below an HTTP request."""

    async def request() -> None:
        scope = Scope(cause="client_disconnect")
        try:
            await gather(PRICE, {"a": traced(60)})
        finally:
            scope.leave()

    async def main() -> None:
        running = asyncio.create_task(request())
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])

    run(main())
    for span in ("gather price", "task price"):
        assert attribute(recorded, span, "resilience.cancel.cause") == "client_disconnect"


@pytest.mark.parametrize("inside", [True, False])
def test_what_is_outside_of_exception_is_recorded_on_the_gather_unless_a_child_has(
    recorded: Recorded, inside: bool
) -> None:
    """What another task has made of the same one does not count."""

    class Stop(BaseException):
        pass

    stop = Stop("enough")

    async def stopped_in_a_step() -> None:
        async with step(STOCK):
            await asyncio.sleep(1)
            raise stop

    async def elsewhere() -> None:
        async with workflow("nightly"):
            with suppress(Stop):
                await stopped_in_a_step()
            await asyncio.sleep(60)

    async def main() -> None:
        other = None if inside else asyncio.create_task(elsewhere())
        try:
            async with workflow("checkout"):
                await gather(PRICE, {"a": stopped_in_a_step if inside else failer(stop, 2)})
        finally:
            if other is not None:
                await other

    with pytest.raises(Stop):
        run(main())
    assert len(named(recorded, "task stock").events) == 1
    assert len(named(recorded, "gather price").events) == (0 if inside else 1)
    assert attribute(recorded, "gather price", "resilience.outcome") == "error"


def test_a_deadline_around_cancels_the_children(recorded: Recorded) -> None:
    """Cause deadline."""

    async def main() -> None:
        async with deadline(2):
            await gather(PRICE, {"a": traced(60), "b": traced(60)})

    with pytest.raises(TimeoutError):
        run(main())
    assert value_of(recorded, "resilience_cancellations_total", cause="deadline", operation="price") == 2


def test_a_child_cancelled_before_its_first_step_is_counted(recorded: Recorded) -> None:
    """asyncio.md 7: it runs no code at all, so it is counted where it is created."""

    def cancel_children() -> None:
        for each in asyncio.all_tasks():
            if each.get_name() in ("a", "b"):
                request_cancel(each, "shutdown")

    async def main() -> list[Report[None]]:
        running = asyncio.create_task(gather(PRICE, {"a": traced(60), "b": traced(60)}))
        asyncio.get_running_loop().call_soon(cancel_children)
        return await running

    assert [report.outcome for report in run(main())] == ["cancelled", "cancelled"]
    assert recorded.outline() == "gather price\n  task price\n  task price\n"
    assert attribute(recorded, "gather price", "resilience.gather.cancelled") == 2
    assert value_of(recorded, "resilience_cancellations_total", cause="shutdown", operation="price") == 2
    assert value_of(recorded, "resilience_operations_in_flight") == 0


def test_calls_are_checked_before_anything_starts(recorded: Recorded) -> None:
    """A coroutine object among them starts nothing."""

    async def main() -> None:
        started, slips = Script("never"), [asyncio.sleep(1), asyncio.sleep(1)]
        calls: dict[str, Any] = {"a": started, "b": slips[0], "c": slips[1]}
        with pytest.raises(TypeError, match="gather takes an async function, not the coroutine object"):
            await gather(PRICE, calls)
        for slip in slips:  # no warning that one was never awaited hides the error
            assert inspect.getcoroutinestate(slip) == inspect.CORO_CLOSED
        await asyncio.sleep(1)
        assert started.calls == 0

    run(main())
    assert recorded.spans() == []


def test_an_interrupt_in_a_child_ends_every_span(recorded: Recorded) -> None:
    """It breaks out of the loop; the runner then cancels what is left."""
    calls = {"a": failer(KeyboardInterrupt(), after=1), "b": traced(60)}
    with pytest.raises(KeyboardInterrupt):
        run(gather(PRICE, calls))
    assert recorded.outline() == "gather price\n  task price\n"
    assert attribute(recorded, "gather price", "resilience.outcome") == "cancelled"
    assert value_of(recorded, "resilience_operations_in_flight") == 0


def test_a_gather_that_is_torn_down_without_a_loop_ends_its_span() -> None:
    """As the garbage collector does after the loop has gone: nothing there may ask for a running loop."""
    with recording(time_ns=lambda: EPOCH_NS) as recorded:
        loop = virtual_loop()
        coroutine = gather(PRICE, {"a": sleeper(60)})
        running = loop.create_task(coroutine)
        loop.run_until_complete(asyncio.sleep(1))
        children = asyncio.all_tasks(loop) - {running}
        loop.close()
        coroutine.close()
        for each in (running, *children):
            each._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio would complain, rightly
        assert attribute(recorded, "gather price", "resilience.outcome") == "cancelled"


def test_reports_carry_attempts_waits_and_values(recorded: Recorded) -> None:
    """Each child has its own."""
    policy = RetryPolicy(max_attempts=3, base_delay=1, jitter="none")
    calls: dict[str, Any] = {
        "a": retry(PRICE, policy)(Script(OSError(), "a")),
        "b": retry(PRICE, policy)(Script(OSError(), OSError(), "b")),
    }
    reports = run(gather(PRICE, calls))
    assert [(each.value, each.attempts, each.backoff_seconds) for each in reports] == [
        ("a", 2, 1),
        ("b", 3, 3),
    ]


def test_settle_inside_a_child_keeps_its_own_report(recorded: Recorded) -> None:
    """The innermost report gets the numbers."""
    policy = RetryPolicy(max_attempts=2, base_delay=1, jitter="none")

    async def child() -> int:
        return (await settle(retry(PRICE, policy)(Script(OSError(), "a")))).attempts

    (report,) = run(gather(PRICE, {"a": child}))
    assert (report.value, report.attempts) == (2, 1)
