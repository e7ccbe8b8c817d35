"""What an execution hands down: a deadline first of all."""

import asyncio
import math
from contextvars import Context, copy_context

from retryscope import deadline, step, workflow
from retryscope._core import scope
from retryscope._core.scope import Scope, attempt_here, deadline_in_force, inherited_deadline
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK


def test_without_a_deadline_time_is_unlimited() -> None:
    """Infinity, so that ``min`` needs no special case."""
    assert inherited_deadline() == math.inf


def test_an_inner_deadline_can_only_be_nearer() -> None:
    """A longer one inside changes nothing."""

    async def main() -> list[float]:
        async with deadline(5):
            outer = inherited_deadline()
            async with deadline(60):
                longer = inherited_deadline()
            async with deadline(2):
                shorter = inherited_deadline()
        return [outer, longer, shorter, inherited_deadline()]

    assert run(main()) == [5, 5, 2, math.inf]


def test_a_child_task_inherits_and_its_own_deadline_stays_its_own(recorded: Recorded) -> None:
    """``create_task`` copies the context."""

    async def child() -> float:
        before = inherited_deadline()
        async with deadline(1):
            await asyncio.sleep(0.5)
        return before

    async def main() -> tuple[float, float]:
        async with deadline(5):
            running = asyncio.create_task(child())
            await asyncio.sleep(0.2)
            return inherited_deadline(), await running

    assert run(main()) == (5, 5)


def test_a_scope_that_ended_in_another_context_is_in_force_nowhere() -> None:
    """An async generator's block may end where it did not begin; telemetry never raises into user code."""

    async def main() -> None:
        scope = Scope(deadline=5)
        assert inherited_deadline() == 5
        copy_context().run(scope.leave)
        assert inherited_deadline() == math.inf

    run(main())


def test_blocks_of_an_async_generator_finished_in_another_task_do_not_raise(recorded: Recorded) -> None:
    """asyncio.md 23: as a test fixture's or a framework's generator is."""

    async def resource() -> object:
        async with workflow("checkout"), deadline(60), step(PRICE):
            yield
        return

    async def main() -> None:
        generator = resource()

        async def once() -> None:
            await anext(generator, None)  # type: ignore[call-overload]

        await asyncio.create_task(once())
        await asyncio.create_task(once())
        async with step(STOCK):
            pass

    run(main())
    assert recorded.outline() == "workflow checkout\n  task price\ntask stock\n"


def test_of_equal_deadlines_the_inner_one_is_in_force() -> None:
    """It ends before the outer one does, and nobody need wait for that."""

    def main() -> None:
        outer = Scope(deadline=5)
        inner = Scope(deadline=5)
        assert deadline_in_force(inner) == (5, inner)
        assert deadline_in_force(Scope(deadline=6)) == (5, inner)
        inner.leave()
        assert deadline_in_force(inner) == (5, outer)

    Context().run(main)


def test_what_has_ended_is_kept_by_nobody() -> None:
    """Or tasks that start each other would keep all that came before them."""

    def main() -> None:
        outer = Scope(attempt=2)
        inner = Scope()
        assert attempt_here() == 2
        inner.leave()
        assert scope._current.get() is outer
        outer.leave()
        assert scope._current.get() is None
        assert attempt_here() == 0

    Context().run(main)
