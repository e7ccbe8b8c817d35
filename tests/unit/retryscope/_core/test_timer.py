"""The timer behind every limit: whose cancel is it."""

import asyncio
import contextvars
import math
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope import deadline, task_factory, timeout
from retryscope._core.scope import Scope, current_scope, inherited_deadline
from retryscope._core.timer import Timer, running_task
from tests.support.clock import EPOCH_NS, pass_time, run
from tests.support.recorded import Recorded, recording
from tests.unit.retryscope.helpers import PRICE

Body = Callable[[], Awaitable[None]]


async def limited(seconds: float, body: Body) -> None:
    """As ``asyncio.timeout(seconds)`` around the body."""
    task = running_task("test")
    timer = Timer(task, task.get_loop().time() + seconds)
    timer.start()
    try:
        await body()
    except BaseException as error:
        if timer.stop(error):
            raise TimeoutError from error
        raise
    timer.stop(None)


async def failed_group() -> None:
    """A ``TaskGroup`` whose child fails, and whose error somebody handles: before 3.13 the count stays up."""

    async def fail() -> None:
        await asyncio.sleep(0)  # eager: Python 3.12 leaves the cancel on its way if the child fails at once
        raise OSError

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.sleep(60)
    except* OSError:
        pass


async def careless_timeout(seconds: float) -> None:
    """A library's timeout that never calls ``uncancel()``."""
    task = running_task("test")
    handle = task.get_loop().call_later(seconds, task.cancel)
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        pass
    finally:
        handle.cancel()


def outcome(error: BaseException | None) -> str:
    return "returned" if error is None else type(error).__name__


async def ended(coroutine: Awaitable[None], cancel_after: float | None = None) -> str:
    if cancel_after is not None:  # before it starts, which an eager one does here
        asyncio.get_running_loop().call_later(cancel_after, lambda: task.cancel())
    task: asyncio.Future[None] = asyncio.ensure_future(coroutine)
    await asyncio.wait([task])
    return "CancelledError" if task.cancelled() else outcome(task.exception())


@pytest.mark.parametrize("residue", [failed_group, lambda: careless_timeout(1)])
def test_a_raised_count_is_no_cancel(residue: Body) -> None:
    """``asyncio.timeout`` itself lets the ``CancelledError`` out here before Python 3.13."""

    async def body() -> None:
        await residue()
        await asyncio.sleep(60)

    assert run(ended(limited(5, body))) == "TimeoutError"


@given(
    limit=st.integers(1, 3),
    inner=st.integers(1, 3),
    cancel_after=st.none() | st.integers(1, 3),
    residues=st.lists(st.sampled_from([failed_group, lambda: careless_timeout(0)]), max_size=2),
    swallows=st.booleans(),
    busy=st.integers(0, 3),
)
def test_it_ends_as_asyncios_does_where_that_is_right(
    limit: int, inner: int, cancel_after: int | None, residues: list[Body], swallows: bool, busy: int
) -> None:
    """Cancels in any turn, several timers in one; the same where others have left the count raised.

    Groups come first: from Python 3.13 on, one that fails cancels its task anew where the count is raised.
    """

    async def sleep() -> None:
        pass_time(busy)
        try:
            await asyncio.sleep(2)
        except asyncio.CancelledError:
            if not swallows:
                raise

    async def ours() -> None:
        async def body() -> None:
            for residue in sorted(residues, key=lambda each: each is not failed_group):
                await residue()
            await limited(inner, sleep)

        await limited(limit, body)

    async def asyncios() -> None:
        async with asyncio.timeout(limit), asyncio.timeout(inner):
            await sleep()

    assert run(ended(ours(), cancel_after)) == run(ended(asyncios(), cancel_after))


def test_after_it_has_timed_out_the_task_is_as_before() -> None:
    async def main() -> int:
        with pytest.raises(TimeoutError):
            await limited(1, lambda: asyncio.sleep(60))
        return running_task("test").cancelling()

    assert run(main()) == 0


def test_a_body_that_makes_another_error_of_it_keeps_it() -> None:
    async def body() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise OSError("rollback failed")

    assert run(ended(limited(1, body))) == "OSError"


def test_a_signature_is_known_although_a_task_factory_has_signed_as_well() -> None:
    async def main() -> str:
        asyncio.get_running_loop().set_task_factory(task_factory)

        async def body() -> None:
            await failed_group()
            await asyncio.sleep(60)

        return await ended(limited(5, body))

    assert run(main()) == "TimeoutError"


def test_a_deadline_of_another_task_binds_as_long_as_its_block_lasts() -> None:
    """A timer that was armed for it is armed anew."""
    ends: list[float] = []

    async def main() -> None:
        async def keeper() -> None:
            await retried(lambda: asyncio.sleep(10))
            ends.append(asyncio.get_running_loop().time())

        async with deadline(5):
            running = asyncio.create_task(keeper())
            await asyncio.sleep(1)
        await running

    async def retried(body: Body) -> None:
        task = running_task("test")
        timer = Timer(task, task.get_loop().time() + 60, current_scope())
        assert timer.when == 5
        timer.start()
        await body()
        timer.stop(None)

    run(main())
    assert ends == [10]


def test_one_that_has_fired_is_not_armed_anew(recorded: Recorded) -> None:
    """The deadline that it kept ends while the block still cleans up: that is not cut short."""
    ends: list[float] = []

    async def child() -> None:
        async with timeout(PRICE, 20):
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(25)
                ends.append(asyncio.get_running_loop().time())

    async def main() -> None:
        async def parent() -> None:
            async with deadline(5):
                running.append(asyncio.create_task(child()))
                await asyncio.sleep(60)

        running: list[asyncio.Task[None]] = []
        assert await ended(parent()) == "TimeoutError"
        assert await ended(running[0]) == "TimeoutError"

    run(main())
    assert ends == [30]


def test_one_that_was_stopped_never_fires() -> None:
    """Nor does it fail in a callback, where only the event loop's log would tell."""
    problems: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        await limited(5, lambda: asyncio.sleep(1))
        await asyncio.sleep(10)

    run(main())
    assert problems == []


def test_a_deadline_of_another_task_keeps_no_timer_that_was_stopped() -> None:
    """A deadline may outlive thousands of calls in tasks below it."""

    async def main() -> None:
        async with deadline(60):
            around = current_scope()
            assert around is not None

            async def child() -> None:
                timer = Timer(running_task("test"), 90, around)
                timer.start()
                assert around._watchers == {timer}
                timer.stop(None)

            await asyncio.create_task(child())
            assert around._watchers == set()

    run(main())


def test_outside_of_a_task_it_says_who_needs_one() -> None:
    with pytest.raises(RuntimeError, match=r"^timeout should be used inside a task$"):
        _ = running_task("timeout")


def test_a_deadline_of_another_event_loop_is_forgotten_there(recorded: Recorded) -> None:
    """The context was copied to a thread with a loop of its own, on which its timer runs."""
    began, left = threading.Event(), threading.Event()

    async def elsewhere() -> float:
        async with timeout(PRICE, 60):
            began.set()
            await asyncio.get_running_loop().run_in_executor(None, left.wait)
            await asyncio.sleep(0.05)
            return inherited_deadline()

    async def main() -> float:
        async with deadline(30):
            thread = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(elsewhere())))
            await asyncio.to_thread(began.wait)
        left.set()
        return await thread

    loop = asyncio.new_event_loop()
    try:
        remaining = loop.run_until_complete(main()) - loop.time()
    finally:
        loop.close()
    assert 30 < remaining <= 60


def test_a_cancel_that_lost_its_message_is_the_timers_if_nobody_else_asked() -> None:
    """The block has raised one of its own making."""

    async def body() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise asyncio.CancelledError from None

    with pytest.raises(TimeoutError):
        run(limited(1, body))


def test_one_whose_time_has_come_fires_before_all_that_is_due() -> None:
    """And not once it was stopped; one without an end never does."""
    seen: list[int] = []

    async def body(task: asyncio.Task[object], now: float) -> None:
        task.get_loop().call_at(now, lambda: seen.append(task.cancelling()))
        timer = Timer(task, now)
        timer.start()
        with pytest.raises(asyncio.CancelledError) as caught:
            await asyncio.sleep(1)
        assert timer.stop(caught.value)

    async def main() -> None:
        task = running_task("test")
        now = task.get_loop().time()
        stopped = Timer(task, now)
        stopped.start()
        assert not stopped.stop(None)
        await asyncio.sleep(1)
        await body(task, task.get_loop().time())
        endless = Timer(task, math.inf)
        endless.start()
        assert endless._handle is None
        await asyncio.sleep(1)

    run(main())
    assert seen == [1]


def test_its_cancel_says_when_it_asked() -> None:
    async def main() -> None:
        task = running_task("test")
        timer = Timer(task, 1)
        timer.start()
        with pytest.raises(asyncio.CancelledError) as caught:
            await asyncio.sleep(60)
        assert timer.stop(caught.value)
        request = caught.value.args[0]
        assert (request.cause, request.time_ns) == ("deadline", EPOCH_NS + 1_000_000_000)

    with recording():
        run(main())


def test_a_deadline_that_ends_in_the_turn_in_which_it_is_due_binds_nobody() -> None:
    """Another task's block is left just then."""
    ends: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        around = Scope(deadline=5)
        loop.call_at(5, around.leave)

        async def child() -> None:
            timer = Timer(running_task("test"), 9, around)
            timer.start()
            with pytest.raises(asyncio.CancelledError) as caught:
                await asyncio.sleep(60)
            assert timer.stop(caught.value)
            ends.append(loop.time())

        await asyncio.create_task(child())

    run(main())
    assert ends == [9]


def test_a_generators_deadline_binds_its_consumer_no_longer_than_the_generator_runs() -> None:
    """It is entered in the same task and context, and closed in the middle of the consumer's block."""

    async def pages() -> AsyncIterator[int]:
        async with deadline(5):
            yield 1

    async def main() -> None:
        task = running_task("test")
        generator = pages()
        async for _ in generator:
            timer = Timer(task, 9, current_scope())
            assert timer.when == 5
            timer.start()
            await generator.aclose()  # type: ignore[attr-defined]
            await asyncio.sleep(8)
            assert not timer.stop(None)

    run(main())


def test_a_deadline_that_a_thread_ends_is_forgotten_in_the_loops_own_turn() -> None:
    """Also where the timer has been stopped by then; asyncio's debug mode looks at which thread it is."""
    problems: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_debug(True)
        loop.set_exception_handler(lambda _, context: problems.append(context))
        task = running_task("test")
        kept, stopped = Scope(deadline=loop.time() + 0.5), Scope(deadline=loop.time() + 0.5)
        for around in (kept, stopped):
            timer = Timer(task, loop.time() + 3600, around)
            timer.start()
            thread = threading.Thread(target=contextvars.Context().run, args=(around.leave,))
            thread.start()
            thread.join()
            if around is stopped:
                timer.stop(None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert around is stopped or timer.when > loop.time() + 3000
            if around is kept:
                timer.stop(None)

    contextvars.Context().run(asyncio.run, main())
    assert problems == []


def test_where_two_limits_have_passed_the_outer_one_says_so_whatever_became_of_the_cancels() -> None:
    async def careless_before() -> None:
        await careless_timeout(0)
        await limited(3, lambda: asyncio.sleep(60))

    async def lost_its_message() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise asyncio.CancelledError from None

    assert run(ended(limited(3, careless_before))) == "TimeoutError"
    assert run(ended(limited(3, lambda: limited(1, lost_its_message)))) == "TimeoutError"
