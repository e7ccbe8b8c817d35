"""A block is entered once: whoever shares the object is told so, before anything has started."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from retryscope import cancel_on_exit, deadline, step, timeout, workflow
from retryscope._core.scope import current_scope
from retryscope.entry import first_entry
from retryscope.metrics import Metrics
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE

BLOCKS: dict[str, Callable[[], Any]] = {
    "timeout": lambda: timeout(PRICE, 5),
    "deadline": lambda: deadline(5),
    "step": lambda: step(PRICE),
    "workflow": lambda: workflow("checkout", deadline=5),
    "cancel_on_exit": lambda: cancel_on_exit([]),
}

ANY = pytest.mark.parametrize("name", BLOCKS)


def test_the_first_use_is_no_second_one() -> None:
    first_entry(None, "timeout")
    with pytest.raises(RuntimeError, match=r"^timeout has already been entered"):
        first_entry(object(), "timeout")


@ANY
def test_concurrent_users_of_one_object_are_refused_and_the_first_is_not_disturbed(
    name: str, recorded: Recorded
) -> None:
    shared = BLOCKS[name]()

    async def use(seconds: float) -> float:
        async with shared:
            await asyncio.sleep(seconds)
        return seconds

    async def main() -> list[float | BaseException]:
        return list(await asyncio.gather(use(3), use(1), use(1), return_exceptions=True))

    first, *others = run(main())
    assert first == 3
    assert [str(each).partition(":")[0] for each in others] == [f"{name} has already been entered"] * 2
    assert len(recorded.spans()) == (0 if name in ("deadline", "cancel_on_exit") else 1)
    assert all(value == 0 for (sample, _), value in recorded.samples().items() if "in_flight" in sample)


@ANY
def test_it_is_not_entered_again_later(name: str, recorded: Recorded) -> None:
    """As ``asyncio.timeout``; and nothing is armed then."""
    used = BLOCKS[name]()

    async def main() -> None:
        async with used:
            pass
        with pytest.raises(RuntimeError, match="has already been entered"):
            async with used:
                pass
        await asyncio.sleep(60)

    run(main())


@pytest.mark.parametrize("name", ["timeout", "step", "workflow"])
def test_a_block_that_could_not_be_entered_leaves_nothing_behind(
    name: str, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No timer that would cancel the task far from the mistake, no gauge up, no span open."""

    def refuse(*_: object) -> None:
        raise ValueError("no more series")

    async def main() -> None:
        with monkeypatch.context() as patch:
            for method in ("of", "of_workflow"):
                patch.setattr(Metrics, method, refuse)
            with pytest.raises(ValueError, match="no more series"):
                async with BLOCKS[name]():
                    pytest.fail("it began")
        assert current_scope() is None
        await asyncio.sleep(60)

    run(main())
    assert recorded.spans() == []
    assert all(value == 0 for (sample, _), value in recorded.samples().items() if "in_flight" in sample)
