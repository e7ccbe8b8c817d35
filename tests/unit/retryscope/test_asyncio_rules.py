"""The whole library on other kinds of event loop, and its tests beside its source."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from retryscope import RetryPolicy, cancellable, gather, retry, step, timeout, workflow
from tests.support import clock
from tests.support.clock import VirtualLoop, run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK, Script, failer, sleeper


def test_every_source_file_has_a_test_file_of_its_name() -> None:
    """The tests mirror the source; two source files are parts of others, some tests are about all of them."""
    here = Path(__file__).parent
    source = here.parents[2] / "instrumentation" / "retryscope"
    tested = {
        str(path.relative_to(here).with_name(path.name.removeprefix("test_")))
        for path in here.rglob("test_*.py")
    }
    parts = {"_core/attempt.py", "_core/execution.py"}  # of retry, and of every primitive
    sources = {str(path.relative_to(source)) for path in source.rglob("*.py") if path.name != "__init__.py"}
    assert sources - parts <= tested
    kinds = {f"whose_{each}.py" for each in ("cancel", "exception", "scope")} | {
        "contrib.py",
        "memory.py",
        "misuse.py",
        "processes.py",
        "_recording/fast/differential.py",
    }
    assert tested - sources == {"asyncio_rules.py", "properties.py", "real_code.py", *kinds}


async def scenario() -> None:
    """Every primitive, with an error, a timeout and a cancel."""
    async with workflow("checkout", deadline=60):
        policy = RetryPolicy(base_delay=1, jitter="none", attempt_timeout=5)
        calls: dict[str, Any] = {
            "a": retry(PRICE, policy)(Script(OSError(), 1, takes=1)),
            "b": failer(KeyError(), 1),
        }
        await gather(PRICE, calls)
        with pytest.raises(TimeoutError):
            async with timeout(STOCK, 1):
                await asyncio.sleep(60)
        running = cancellable(STOCK, sleeper(60), on_cancel=sleeper(1))
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running.task])
        async with step(STOCK):
            await asyncio.sleep(1)


def eager_loop() -> VirtualLoop:
    loop = VirtualLoop(start=0.0, idle_timeout=None)
    loop.set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009 - typed for Python 3.11
    return loop


def debug_loop() -> VirtualLoop:
    loop = VirtualLoop(start=0.0, idle_timeout=None)
    loop.set_debug(True)
    return loop


LOOPS = {"debug": debug_loop}
if sys.version_info >= (3, 12):  # before, no task can start eagerly
    LOOPS["eager"] = eager_loop


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_eager_tasks_and_debug_mode_change_nothing(
    recorded: Recorded, make_loop: Callable[[], VirtualLoop]
) -> None:
    """asyncio.md 24: the same tree on every kind of loop; `make test` runs the whole suite on both."""
    run(scenario(), lambda: VirtualLoop(start=0.0, idle_timeout=None))
    expected = recorded.tree()
    recorded.log.clear()
    run(scenario(), make_loop)
    assert recorded.tree() == expected


def test_the_option_eager_tasks_reaches_the_virtual_loop(pytestconfig: pytest.Config) -> None:
    """asyncio.md 24: so that the suite really runs on such loops."""

    async def main() -> list[str]:
        steps: list[str] = []

        async def child() -> None:
            steps.append("child")

        running = asyncio.create_task(child())
        steps.append("parent")
        await running
        return steps

    eager = bool(pytestconfig.getoption("--eager-tasks"))
    assert clock.eager_tasks == eager
    assert run(main()) == (["child", "parent"] if eager else ["parent", "child"])


def test_the_option_uvloop_reaches_the_virtual_loop(pytestconfig: pytest.Config) -> None:
    """asyncio.md 24."""

    async def main() -> bool:
        return isinstance(asyncio.get_running_loop(), uvloop.Loop)

    assert run(main()) == bool(pytestconfig.getoption("--uvloop"))
