"""Cleanup that must finish: bounded, visible, and not to be killed by a second cancel."""

import asyncio
import gc
import logging
import math
import weakref
from functools import partial
from textwrap import dedent
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from retryscope import CleanupResult, RetryPolicy, cleanup, deadline, request_cancel, retry, settle, step
from retryscope._core.scope import Scope, inherited_deadline
from retryscope._recording.telemetry import active
from retryscope.cleanup import ABANDON_AFTER
from retryscope.cleanup import _running as strong_references
from tests.support.clock import pass_time, run
from tests.support.odd_exceptions import SilentError
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import (
    PRICE,
    STOCK,
    Script,
    attribute,
    failer,
    named,
    sleeper,
    spans_named,
    value_of,
)


async def working(fn: Any, results: list[CleanupResult] | None = None, limit: float = 5) -> None:
    """A task that cleans up when it is cancelled."""
    async with step(PRICE):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            result = await cleanup(PRICE, fn, timeout=limit)
            if results is not None:
                results.append(result)
            raise


async def cancelled_at(fn: Any, *times: float, limit: float = 5) -> tuple[asyncio.Task[None], float]:
    """Start :func:`working`, cancel it at these times, wait for its end."""
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(working(fn, limit=limit))
    for time in times:
        loop.call_at(time, request_cancel, running, "shutdown")
    await asyncio.wait([running])
    return running, loop.time()


def test_a_cleanup_that_completes_is_a_span_of_its_own(recorded: Recorded) -> None:
    """The whole tree and its metrics: cancel at 1 s, cleanup of 2 s, linked to who asked."""

    async def main() -> None:
        async with step(STOCK):
            running, ended = await cancelled_at(sleeper(2), 1)
            assert (running.cancelled(), ended) == (True, 3)
            with pytest.raises(asyncio.CancelledError) as raised:
                running.result()
            assert not hasattr(raised.value, "__notes__")

    with recorded.changes() as changes:
        run(main())
    assert recorded.tree() == dedent("""\
        task stock [0..3]
          . resilience.operation = stock
          . resilience.outcome = success
          . resilience.workflow = checkout
          task price [0..3]
            . resilience.cancel.cause = shutdown
            . resilience.operation = price
            . resilience.outcome = cancelled
            . resilience.workflow = checkout
            ! resilience.cancel.requested [1] resilience.cancel.cause=shutdown
            -> cancelled_by task stock
            cleanup price [1..3]
              . resilience.cleanup.deadline = 5
              . resilience.cleanup.outcome = completed
              . resilience.operation = price
              . resilience.workflow = checkout
              -> cancelled_by task stock
        """)
    completed = 'operation="price", outcome="completed", workflow="checkout"'
    assert {
        name: change for name, change in changes.items() if "cleanup" in name or "cancellations" in name
    } == {
        f"resilience_cleanup_duration_seconds_count{{{completed}}}": 1,
        f"resilience_cleanup_duration_seconds_sum{{{completed}}}": 2,
        'resilience_cancellations_total{cause="shutdown", operation="price", workflow="checkout"}': 1,
    }


def test_further_cancels_neither_kill_nor_orphan_the_cleanup(recorded: Recorded) -> None:
    """asyncio.md 6: it runs in a task of its own; cancels are absorbed while it runs, then raised."""
    finished = []

    async def release() -> None:
        await asyncio.sleep(3)
        finished.append(asyncio.get_running_loop().time())

    async def main() -> None:
        running, ended = await cancelled_at(release, 1, 2, 3)
        assert (running.cancelled(), ended) == (True, 4)

    run(main())
    assert finished == [4]
    assert attribute(recorded, "cleanup price", "resilience.cleanup.outcome") == "completed"


def test_a_cleanup_is_strongly_referenced_while_it_runs(recorded: Recorded) -> None:
    """asyncio.md 6: the event loop itself keeps only weak references to tasks."""

    async def main() -> None:
        running = asyncio.create_task(working(sleeper(2)))
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.sleep(1)
        gc.collect()
        assert len(strong_references) == 1
        await asyncio.wait([running])
        await asyncio.sleep(0)
        assert not strong_references

    run(main())


def test_at_its_deadline_a_cleanup_is_cancelled(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """asyncio.md 6: bounded; timed_out, status ERROR, logged at ERROR; the cancel goes on with a note."""

    async def main() -> None:
        running, ended = await cancelled_at(sleeper(60), 1, limit=2)
        assert (running.cancelled(), ended) == (True, 3)
        with pytest.raises(asyncio.CancelledError) as raised:
            running.result()
        assert raised.value.__notes__ == ["cleanup of price timed_out"]

    run(main())
    span = named(recorded, "cleanup price")
    assert attribute(recorded, "cleanup price", "resilience.cleanup.outcome") == "timed_out"
    assert attribute(recorded, "cleanup price", "error.type") == "timeout"
    assert (span.status.status_code, span.status.description) == (
        StatusCode.ERROR,
        "cleanup of price timed out after 2 s",
    )
    (event,) = span.events
    assert (event.name, event.attributes) == ("resilience.timeout", {"resilience.timeout.limit": 2})
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "cleanup of price timed out after 2 s")
    ]


def test_a_loop_that_stood_still_is_no_cleanup_that_ignores_its_cancellation(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """When it goes on, the cleanup has to hear of its deadline first; then it has its second to end."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(2, pass_time, 60)
        running, _ = await cancelled_at(sleeper(90), 1, limit=5)
        assert running.cancelled()

    run(main())
    assert attribute(recorded, "cleanup price", "resilience.cleanup.outcome") == "timed_out"
    # In debug mode asyncio itself tells of the callback that stood still.
    told = [record.message for record in caplog.records if record.name == "retryscope"]
    assert told == ["cleanup of price timed out after 5 s"]


def test_a_cleanup_that_ignores_its_cancellation_is_left_behind(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """A second after its deadline nobody waits for it any more; its span has ended, and ends once."""
    ended = []

    async def stubborn() -> None:
        for _ in range(4):
            try:
                await asyncio.sleep(2)
            except asyncio.CancelledError:
                continue
        ended.append(asyncio.get_running_loop().time())
        raise OSError("too late")  # asyncio need not warn that nobody looked at it

    async def main() -> None:
        running, done = await cancelled_at(stubborn, 1, limit=1)
        assert (running.cancelled(), done) == (True, 2 + ABANDON_AFTER)
        await asyncio.sleep(60)

    run(main())
    assert ended == [8]
    assert attribute(recorded, "cleanup price", "resilience.cleanup.outcome") == "timed_out"
    gc.collect()
    left_behind = caplog.records[-1]
    assert left_behind.message == "cleanup of price ignores its cancellation and is left behind"
    assert vars(left_behind)["resilience.operation"] == "price"
    assert value_of(recorded, "resilience_cleanup_duration_seconds_count") == 1
    assert value_of(recorded, "resilience_cleanup_duration_seconds_sum", outcome="timed_out") == 2


@pytest.mark.parametrize(
    "error", [OSError("no connection"), TimeoutError("connect")], ids=["error", "timeout"]
)
def test_an_error_of_the_cleanup_is_reported_and_never_masks_the_cancel(
    recorded: Recorded, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """A socket's ``TimeoutError`` is a failure too, not the cleanup's own deadline."""

    async def main() -> None:
        running, _ = await cancelled_at(failer(error), 1)
        assert running.cancelled()
        with pytest.raises(asyncio.CancelledError) as raised:
            running.result()
        assert raised.value.__notes__ == [f"cleanup of price failed: {error!r}"]

    run(main())
    assert attribute(recorded, "cleanup price", "resilience.cleanup.outcome") == "failed"
    assert attribute(recorded, "cleanup price", "error.type") == type(error).__name__
    assert [event.name for event in named(recorded, "cleanup price").events] == ["exception"]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", f"cleanup of price failed: {error}")
    ]


def test_an_error_of_the_cleanup_that_cannot_be_shown_does_not_mask_it_either(recorded: Recorded) -> None:
    async def main() -> None:
        running, _ = await cancelled_at(failer(SilentError()), 1)
        await running

    with pytest.raises(asyncio.CancelledError) as raised:
        run(main())
    assert raised.value.__notes__ == ["cleanup of price failed: <SilentError that can't be shown>"]


def test_a_cleanup_outside_of_a_cancel_returns_its_result(recorded: Recorded) -> None:
    """There is no cancel to raise again and none to link to."""

    async def main() -> CleanupResult:
        return await cleanup(PRICE, sleeper(2))

    assert run(main()) == CleanupResult("completed", 2)
    assert named(recorded, "cleanup price").links == ()


def test_a_cancel_that_arrives_during_a_cleanup_outside_of_one_is_raised_after_it(recorded: Recorded) -> None:
    """asyncio.md 4: absorbed only until the cleanup has ended."""

    async def main() -> tuple[bool, float]:
        running = asyncio.create_task(cleanup(PRICE, sleeper(3)))
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])
        return running.cancelled(), asyncio.get_running_loop().time()

    assert run(main()) == (True, 3)


def test_a_cleanup_for_an_error_is_outside_of_a_cancel_as_well(recorded: Recorded) -> None:
    """A cancel that arrives is raised as itself; what the cleanup failed by is no note of the error."""
    error = ValueError("no")

    async def handle() -> None:
        try:
            raise error
        except ValueError:
            await cleanup(PRICE, failer(OSError("gone"), 3))

    async def main() -> bool:
        running = asyncio.create_task(handle())
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])
        return running.cancelled()

    assert run(main())
    assert not hasattr(error, "__notes__")


def test_a_cleanup_after_a_cancel_without_a_cause_links_to_what_it_ran_in(recorded: Recorded) -> None:
    """As a plain cancel below an HTTP request: it is the server's."""

    async def request() -> None:
        async with step(STOCK):
            scope = Scope(cause="client_disconnect", span=active().recorder.current())
            try:
                await working(sleeper(1))
            finally:
                scope.leave()

    async def main() -> None:
        running = asyncio.create_task(request())
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])

    run(main())
    (link,) = named(recorded, "cleanup price").links
    assert link.context == named(recorded, "task stock").context


def test_what_a_cleanup_is_cancelled_with_at_its_deadline_is_known_inside_of_it(recorded: Recorded) -> None:
    """Also where the code there raises one of its own making."""

    async def release(raises_its_own: bool) -> None:
        async with step(STOCK):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if raises_its_own:
                    raise asyncio.CancelledError from None
                raise

    for raises_its_own in (False, True):
        run(cleanup(PRICE, partial(release, raises_its_own), timeout=1))
    cleanups = spans_named(recorded, "cleanup price")
    for inner, around in zip(spans_named(recorded, "task stock"), cleanups, strict=True):
        assert (inner.attributes or {})["resilience.cancel.cause"] == "deadline"
        (link,) = inner.links
        assert link.context == around.context


def test_a_retry_in_a_cleanup_does_not_wait_past_the_cleanups_deadline(recorded: Recorded) -> None:
    """It gives up at once, and says why."""
    policy = RetryPolicy(base_delay=10, jitter="none")
    result = run(cleanup(PRICE, lambda: retry(STOCK, policy).call(failer(OSError("gone")))))
    assert (result.outcome, result.seconds) == ("failed", 0)
    assert value_of(recorded, "resilience_retry_giveups_total", reason="deadline") == 1


@pytest.mark.parametrize("ending", [sleeper(1), failer(OSError("gone"), 1)], ids=["completes", "fails"])
def test_the_deadline_of_a_cleanup_binds_nobody_once_it_has_ended(recorded: Recorded, ending: Any) -> None:
    """As a task that it has started and left to itself."""
    seen: list[float] = []

    async def left_to_itself() -> None:
        seen.append(inherited_deadline())
        await asyncio.sleep(2)
        seen.append(inherited_deadline())

    async def main() -> None:
        started: list[asyncio.Task[None]] = []

        async def release() -> None:
            started.append(asyncio.create_task(left_to_itself()))
            await ending()

        await cleanup(PRICE, release)
        await started[0]

    run(main())
    assert seen == [5, math.inf]


def test_a_cleanup_cancelled_before_its_first_step_is_counted_and_reported(recorded: Recorded) -> None:
    """asyncio.md 7: as when somebody cancels all tasks: no code of it has run, and nothing else breaks."""
    started = []

    async def release() -> None:
        started.append(True)
        await asyncio.sleep(1)

    async def main() -> CleanupResult:
        asyncio.get_running_loop().call_soon(lambda: [each.cancel() for each in strong_references])
        return await cleanup(PRICE, release)

    result = run(main())
    if not started:  # eager tasks run up to their first await at once
        assert result.outcome == "failed"
    assert isinstance(result.error, asyncio.CancelledError)
    assert attribute(recorded, "cleanup price", "resilience.cleanup.outcome") == "failed"
    assert value_of(recorded, "resilience_cleanup_duration_seconds_count", outcome="failed") == 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_during_a_cleanup_ends_its_span(recorded: Recorded, kind: type[BaseException]) -> None:
    """It passes through the loop; the span is closed as failed."""
    with pytest.raises(kind):
        run(cleanup(PRICE, failer(kind())))
    assert attribute(recorded, "cleanup price", "resilience.cleanup.outcome") == "failed"
    assert attribute(recorded, "cleanup price", "error.type") == kind.__name__


def test_what_is_outside_of_exception_is_in_the_result_and_asyncio_need_not_warn(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    class Stop(BaseException):
        pass

    result = run(cleanup(PRICE, failer(Stop())))
    assert (result.outcome, type(result.error)) == ("failed", Stop)
    gc.collect()
    assert [record.name for record in caplog.records] == ["retryscope"]


def test_a_passed_deadline_does_not_stop_the_cleanup(recorded: Recorded) -> None:
    """The cleanup after a timeout has its own limit, not the one that has just passed."""

    async def main() -> None:
        async with deadline(1):
            await working(
                retry(STOCK, RetryPolicy(base_delay=1))(Script(ConnectionError(), "released", takes=1))
            )

    with pytest.raises(TimeoutError):
        run(main())
    assert attribute(recorded, "retry stock", "resilience.outcome") == "success"
    assert attribute(recorded, "cleanup price", "resilience.cleanup.outcome") == "completed"


def test_a_report_gets_the_time_spent_cleaning_up(recorded: Recorded) -> None:
    """What the answer of a workflow shows."""

    async def main() -> float:
        async def both() -> None:
            await cleanup(PRICE, failer(OSError("gone"), 1))
            await cleanup(PRICE, sleeper(2))

        report = await settle(both)
        assert report.cleanup_outcome == "completed"
        return report.cleanup_seconds

    assert run(main()) == 3


def test_arguments_are_checked_before_anything_runs(recorded: Recorded) -> None:
    """A coroutine object, a limit of zero."""

    async def main() -> None:
        with pytest.raises(TypeError, match="cleanup takes an async function, not the coroutine object"):
            await cleanup(PRICE, asyncio.sleep(1))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="cleanup timeout must be finite and > 0 seconds, got 0"):
            await cleanup(PRICE, sleeper(1), timeout=0)

    run(main())
    assert recorded.spans() == []


def test_a_sync_cleanup_fails_visibly(recorded: Recorded) -> None:
    """It has run, but could not be awaited."""
    result = run(cleanup(PRICE, lambda: None))  # type: ignore[arg-type,return-value]
    assert result.outcome == "failed"
    assert isinstance(result.error, TypeError)
    assert "<lambda>" in str(result.error)


def test_a_completed_cleanup_logs_nothing(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """The normal case is silent."""
    caplog.set_level(logging.INFO)
    run(cleanup(PRICE, sleeper(1)))
    assert caplog.records == []


def test_what_is_cancelled_again_while_it_cleans_up_is_kept_by_nothing(recorded: Recorded) -> None:
    """No cycle: what the cancelled work had goes as soon as it has ended."""

    class Large:
        """Stands for a response, a connection, a file."""

    kept: list[weakref.ref[Large]] = []

    async def work() -> None:
        large = Large()
        kept.append(weakref.ref(large))
        await working(sleeper(3))

    async def main() -> object:
        running = asyncio.create_task(work())
        for _ in range(2):
            await asyncio.sleep(1)
            running.cancel()
        await asyncio.wait([running])
        del running
        await asyncio.sleep(0)
        return kept[0]()

    gc.collect()
    gc.disable()
    try:
        assert run(main()) is None
    finally:
        gc.enable()


def test_a_cleanup_that_has_ended_is_not_kept_until_its_deadline(recorded: Recorded) -> None:
    async def main() -> object:
        running = asyncio.create_task(cleanup(PRICE, sleeper(1), timeout=3600))
        await asyncio.sleep(0.5)
        (inner,) = map(weakref.ref, strong_references)
        await running
        await asyncio.sleep(0)
        gc.collect()
        return inner()

    assert run(main()) is None


def test_a_cleanup_torn_down_with_its_loop_ends_its_span(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """GeneratorExit: the coroutine is closed while it waits."""

    async def main() -> None:
        running = asyncio.create_task(working(sleeper(4)))
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.sleep(1)
        (inner,) = strong_references
        coroutine = inner.get_coro()
        assert coroutine is not None
        coroutine.close()
        inner.cancel()
        await asyncio.wait([running])
        assert isinstance(inner.exception(), RuntimeError)  # it awaited what is closed

    run(main())
    assert "cleanup of price ignores its cancellation and is left behind" in caplog.messages
    assert attribute(recorded, "cleanup price", "resilience.cleanup.outcome") == "failed"
