"""Cancellable tasks: who asked, what was cleaned up, and how long that took."""

import asyncio
import gc
import weakref
from textwrap import dedent
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from retryscope import (
    CancellableTask,
    Outcome,
    cancel_on_exit,
    cancellable,
    cleanup,
    deadline,
    gather,
    request_cancel,
    step,
    workflow,
)
from retryscope._core.scope import Scope
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import (
    PRICE,
    STOCK,
    attribute,
    failer,
    named,
    sleeper,
    spans_named,
    value_of,
)


async def ended(*tasks: CancellableTask[Any]) -> list[Outcome | None]:
    """Wait for tasks; their outcomes."""
    await asyncio.wait([each.task for each in tasks])
    return [each.report.outcome for each in tasks]


def test_a_cancelled_task_cleans_up_and_says_who_asked(recorded: Recorded) -> None:
    """The whole tree: cancelled at 1 s by the workflow, cleanup of half a second."""

    async def main() -> CancellableTask[None]:
        async with workflow("checkout"):
            running = cancellable(PRICE, sleeper(60), name="sku 1", on_cancel=sleeper(0.5), cleanup_timeout=2)
            await asyncio.sleep(1)
            assert running.cancel("shutdown")
            assert not running.done()
            await asyncio.wait([running.task])
            assert running.done()
            assert not running.cancel()
        return running

    running = run(main())
    assert running.task.cancelled()
    report = running.report
    assert (report.name, report.outcome, report.cleanup_seconds) == ("sku 1", "cancelled", 0.5)
    assert recorded.tree() == dedent("""\
        workflow checkout [0..1.5]
          . resilience.outcome = success
          . resilience.workflow = checkout
          task price [0..1.5]
            . resilience.cancel.cause = shutdown
            . resilience.operation = price
            . resilience.outcome = cancelled
            . resilience.task.name = sku 1
            . resilience.workflow = checkout
            ! resilience.cancel.requested [1] resilience.cancel.cause=shutdown
            -> cancelled_by workflow checkout
            cleanup price [1..1.5]
              . resilience.cleanup.deadline = 2
              . resilience.cleanup.outcome = completed
              . resilience.operation = price
              . resilience.workflow = checkout
              -> cancelled_by workflow checkout
        """)
    assert named(recorded, "task price").status.status_code is StatusCode.UNSET


def test_a_task_can_be_awaited_for_its_value_or_its_error(recorded: Recorded) -> None:
    """As an asyncio task."""

    async def add(a: int, b: int) -> int:
        return a + b

    async def main() -> None:
        assert await cancellable(PRICE, add, 1, 2) == 3
        with pytest.raises(ConnectionError, match="gone"):
            await cancellable(PRICE, failer(ConnectionError("gone")))
        assert cancellable(PRICE, sleeper(0), name="sku 1").task.get_name() == "sku 1"

    run(main())


def test_without_cleanup_a_cancel_ends_it_at_once(recorded: Recorded) -> None:
    """``on_cancel`` is optional, and not called when the work ends by itself."""
    called = []

    async def release() -> None:
        called.append(True)

    async def main() -> None:
        await cancellable(PRICE, sleeper(1), on_cancel=release)
        with pytest.raises(ConnectionError):
            await cancellable(PRICE, failer(ConnectionError()), on_cancel=release)
        running = cancellable(PRICE, sleeper(60))
        asyncio.get_running_loop().call_later(1, running.cancel)
        assert await ended(running) == ["cancelled"]

    run(main())
    assert not called


def test_a_task_cancelled_before_its_first_step_is_counted(recorded: Recorded) -> None:
    """asyncio.md 7: it runs no code at all: no cleanup, but a span, a count and a report."""
    called = []

    async def release() -> None:
        called.append(True)

    async def main() -> list[Outcome | None]:
        async with workflow("checkout"):
            running = cancellable(PRICE, sleeper(60), name="sku 1", on_cancel=release)
            running.cancel("shutdown")
            return await ended(running)

    with recorded.changes() as changes:
        assert run(main()) == ["cancelled"]
    assert recorded.tree().startswith(
        dedent("""\
        workflow checkout [0..0]
          . resilience.outcome = success
          . resilience.workflow = checkout
          task price [0..0]
            . resilience.cancel.cause = shutdown
            . resilience.operation = price
            . resilience.outcome = cancelled
            . resilience.task.name = sku 1
            . resilience.workflow = checkout
            ! resilience.cancel.requested [0] resilience.cancel.cause=shutdown
            -> cancelled_by workflow checkout
        """)
    )
    assert (
        changes['resilience_cancellations_total{cause="shutdown", operation="price", workflow="checkout"}']
        == 1
    )
    assert value_of(recorded, "resilience_operations_in_flight") == 0
    if not called:  # an eager task has taken its first step, and cleans up
        assert recorded.outline() == "workflow checkout\n  task price\n"


def test_an_interrupt_in_a_task_breaks_out_of_the_loop_only_once(recorded: Recorded) -> None:
    """The runner must still be able to cancel the other tasks and let them clean up."""
    cleaned = []

    async def release() -> None:
        await asyncio.sleep(1)
        cleaned.append(True)

    async def main() -> None:
        tasks = [
            cancellable(STOCK, sleeper(60), on_cancel=release),
            cancellable(PRICE, failer(KeyboardInterrupt(), 1)),
        ]
        await asyncio.wait([each.task for each in tasks])

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert cleaned == [True]
    assert value_of(recorded, "resilience_operations_in_flight") == 0
    assert value_of(recorded, "resilience_operation_duration_seconds_count", operation="price") == 1


@pytest.mark.parametrize("cause", ["request", "client_disconnect", "shutdown"])
def test_any_asyncio_task_can_be_cancelled_with_a_cause(recorded: Recorded, cause: Any) -> None:
    """The operations inside know it, and link to the span that was current where it was requested."""

    async def work() -> None:
        async with step(PRICE):
            await asyncio.sleep(60)

    async def main() -> None:
        running = asyncio.create_task(work())
        await asyncio.sleep(1)
        async with step(STOCK):
            assert request_cancel(running, cause)
        await asyncio.wait([running])
        assert not request_cancel(running)

    run(main())
    assert attribute(recorded, "task price", "resilience.cancel.cause") == cause
    (link,) = named(recorded, "task price").links
    assert link.context == named(recorded, "task stock").context
    assert link.attributes == {"resilience.link.kind": "cancelled_by"}


def test_a_cancel_may_name_another_span_than_the_current_one(recorded: Recorded) -> None:
    """And outside of any span it names none."""

    async def main() -> None:
        async with step(STOCK):
            pass
        by = named(recorded, "task stock").context
        first, second = cancellable(PRICE, sleeper(60)), cancellable(PRICE, sleeper(60))
        await asyncio.sleep(1)
        request_cancel(first.task, by=by)
        request_cancel(second.task)
        await ended(first, second)

    run(main())
    spans = spans_named(recorded, "task price")
    assert [len(each.links) for each in spans] == [1, 0]
    assert [(each.attributes or {})["resilience.cancel.cause"] for each in spans] == ["request", "request"]


def test_a_plain_cancel_is_a_request(recorded: Recorded) -> None:
    """A library that knows nothing of causes calls ``Task.cancel()``, with or without a message."""

    async def main() -> None:
        first, second = cancellable(PRICE, sleeper(60)), cancellable(PRICE, sleeper(60))
        await asyncio.sleep(1)
        first.task.cancel("stop it")
        second.cancel(reason="stop it")
        await ended(first, second)

    run(main())
    for span in spans_named(recorded, "task price"):
        attributes = span.attributes or {}
        assert attributes["resilience.cancel.cause"] == "request"
        assert attributes["resilience.cancel.reason"] == "stop it"


def test_arguments_are_checked_before_anything_starts(recorded: Recorded) -> None:
    """Coroutine objects, sync functions, limits."""

    async def main() -> None:
        coroutine: Any = asyncio.sleep(1)
        number: Any = 3
        with pytest.raises(TypeError, match="cancellable takes an async function, not the coroutine object"):
            await cancellable(PRICE, coroutine)
        with pytest.raises(TypeError, match=r"cancellable\(on_cancel=...\) takes an async function, got 3"):
            await cancellable(PRICE, sleeper(1), on_cancel=number)
        with pytest.raises(ValueError, match="cleanup_timeout must be finite and > 0"):
            await cancellable(PRICE, sleeper(1), cleanup_timeout=-1)
        assert len(asyncio.all_tasks()) == 1
        with pytest.raises(TypeError, match=r"an async function is needed, but .*<lambda> .* returned 1"):
            await cancellable(PRICE, lambda: 1)  # type: ignore[arg-type,return-value]

    run(main())


# cancel_on_exit


def test_no_task_outlives_the_block(recorded: Recorded) -> None:
    """What still runs at its end is cancelled and awaited, cleanup included."""

    async def main() -> list[Outcome | None]:
        tasks = [cancellable(PRICE, sleeper(1)), cancellable(PRICE, sleeper(60), on_cancel=sleeper(3))]
        async with step(STOCK), cancel_on_exit(tasks):
            await asyncio.sleep(2)
        assert asyncio.get_running_loop().time() == 5
        return [each.report.outcome for each in tasks]

    assert run(main()) == ["success", "cancelled"]
    assert value_of(recorded, "resilience_cancellations_total", cause="request", operation="price") == 1
    (link,) = spans_named(recorded, "task price")[1].links
    assert link.context == named(recorded, "task stock").context


def test_an_error_of_the_block_cancels_the_tasks_and_is_raised(recorded: Recorded) -> None:
    """After they have ended."""

    async def main() -> None:
        async with cancel_on_exit([cancellable(PRICE, sleeper(60), on_cancel=sleeper(3))]):
            await asyncio.sleep(1)
            raise ValueError("no")

    async def timed() -> float:
        with pytest.raises(ValueError, match="no"):
            await main()
        return asyncio.get_running_loop().time()

    assert run(timed()) == 4


def test_a_cancel_of_the_block_is_passed_on_with_its_cause(recorded: Recorded) -> None:
    """A second, different one too; then it is raised."""

    async def block() -> None:
        async with cancel_on_exit([cancellable(PRICE, sleeper(60), on_cancel=sleeper(3))]):
            await asyncio.sleep(60)

    async def main() -> float:
        running = asyncio.create_task(block())
        await asyncio.sleep(1)
        request_cancel(running, "client_disconnect")
        await asyncio.sleep(1)
        request_cancel(running, "shutdown")
        await asyncio.wait([running])
        assert running.cancelled()
        return asyncio.get_running_loop().time()

    assert run(main()) == 4
    assert attribute(recorded, "task price", "resilience.cancel.cause") == "client_disconnect"
    assert attribute(recorded, "cleanup price", "resilience.cleanup.outcome") == "completed"


@pytest.mark.parametrize("cancels", [1, 2])
def test_a_cancel_without_a_cause_has_that_of_the_block_also_a_second_one(
    recorded: Recorded, cancels: int
) -> None:
    """Not that of where the tasks were made. The second ends what they still do after the first."""

    async def waits_once_more() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if cancels == 2:
                await asyncio.sleep(60)
            raise

    async def block(tasks: list[CancellableTask[None]]) -> None:
        scope = Scope(cause="client_disconnect")
        try:
            async with cancel_on_exit(tasks):
                await asyncio.sleep(60)
        finally:
            scope.leave()

    async def main() -> float:
        running = asyncio.create_task(block([cancellable(PRICE, waits_once_more)]))
        await asyncio.sleep(1)
        if cancels == 2:
            request_cancel(running, "shutdown")
            await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])
        return asyncio.get_running_loop().time()

    assert run(main()) == cancels
    assert attribute(recorded, "task price", "resilience.cancel.cause") == "client_disconnect"


@pytest.mark.parametrize("ending", ["returns", "raises"])
def test_a_cancel_that_arrives_while_tasks_end_is_never_swallowed(recorded: Recorded, ending: str) -> None:
    """asyncio.md 4: not even where the block ended by an error: the cancel is raised from it."""

    async def block() -> None:
        async with cancel_on_exit([cancellable(PRICE, sleeper(60), on_cancel=sleeper(3))]):
            await asyncio.sleep(1)
            if ending == "raises":
                raise ValueError("no")

    async def main() -> None:
        running = asyncio.create_task(block())
        await asyncio.sleep(2)
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        with pytest.raises(asyncio.CancelledError) as raised:
            running.result()
        assert isinstance(raised.value.__cause__, ValueError) == (ending == "raises")
        assert asyncio.get_running_loop().time() == 4

    run(main())


def test_a_deadline_that_ends_the_block_is_the_cause(recorded: Recorded) -> None:
    """Cause deadline, not request."""

    async def main() -> None:
        async with deadline(2), cancel_on_exit([cancellable(PRICE, sleeper(60))]):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        run(main())
    assert attribute(recorded, "task price", "resilience.cancel.cause") == "deadline"


def test_an_error_of_a_task_is_in_its_report_and_warned_about_by_nobody(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """Asyncio would log "Task exception was never retrieved"."""

    async def fails_when_cancelled() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ConnectionError("while stopping") from None

    async def main() -> list[str]:
        tasks = [
            cancellable(PRICE, failer(ConnectionError("gone"), after=1)),
            cancellable(PRICE, fails_when_cancelled),
        ]
        async with cancel_on_exit(tasks):
            await asyncio.sleep(2)
        return [repr(each.report.error) for each in tasks]

    assert run(main()) == ["ConnectionError('gone')", "ConnectionError('while stopping')"]
    gc.collect()
    assert caplog.records == []


def test_a_block_that_is_torn_down_awaits_nothing(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """A coroutine closed from outside can't await: it must not raise RuntimeError either."""

    async def block(tasks: list[CancellableTask[Any]]) -> None:
        async with cancel_on_exit(tasks):
            await asyncio.sleep(60)

    async def main() -> None:
        tasks = [cancellable(PRICE, sleeper(5)), cancellable(PRICE, failer(ConnectionError("gone")))]
        coroutine = block(tasks)
        running = asyncio.create_task(coroutine)
        await asyncio.sleep(1)
        coroutine.close()
        running.cancel()
        await asyncio.wait([running])
        assert isinstance(running.exception(), RuntimeError)  # it awaited what is closed
        assert await ended(*tasks) == ["success", "error"]

    run(main())
    gc.collect()
    assert caplog.records == []


def test_a_task_that_nobody_holds_runs_to_its_end(recorded: Recorded) -> None:
    """The event loop keeps only weak references, and so does who answers it here."""

    async def main() -> list[str]:
        ended: list[str] = []
        awaited: list[weakref.ref[asyncio.Future[None]]] = []

        async def work() -> None:
            never = asyncio.get_running_loop().create_future()
            awaited.append(weakref.ref(never))
            await never
            ended.append("done")

        _ = cancellable(PRICE, work)
        del _, work
        await asyncio.sleep(1)
        gc.collect()
        future = awaited[0]()
        assert future is not None
        future.set_result(None)
        await asyncio.sleep(1)
        return ended

    assert run(main()) == ["done"]


def test_what_the_block_adds_is_cancelled_as_well(recorded: Recorded) -> None:
    """Also what a task adds while it is being cancelled."""
    tasks: list[CancellableTask[Any]] = []

    async def adds() -> None:
        tasks.append(cancellable(STOCK, sleeper(60)))
        await asyncio.sleep(0)

    async def main() -> list[str | None]:
        async with cancel_on_exit(tasks):
            tasks.append(cancellable(PRICE, sleeper(60), on_cancel=adds))
            await asyncio.sleep(1)
        return [task.report.outcome for task in tasks]

    assert run(main()) == ["cancelled", "cancelled"]


@pytest.mark.parametrize("stopping", ["a block", "a block that has ended", "a gather"])
def test_a_cancel_that_was_absorbed_meanwhile_is_kept_by_nothing(recorded: Recorded, stopping: str) -> None:
    """No cycle: what the cancelled work had goes as soon as it has ended, on each version of Python."""

    class Large:
        """Stands for a response, a connection, a file."""

    kept: list[weakref.ref[Large]] = []

    async def cleans_up() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await cleanup(PRICE, sleeper(3), timeout=5)

    async def work() -> None:
        large = Large()
        kept.append(weakref.ref(large))
        if stopping == "a gather":
            await gather(STOCK, {"child": cleans_up})
        async with cancel_on_exit([cancellable(STOCK, cleans_up)]):
            await asyncio.sleep(60 if stopping == "a block" else 0.5)

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
