"""What a process says about itself: its event loop, its pools, its version."""

import asyncio
import platform
from collections.abc import Callable
from importlib.metadata import version

import pytest
from prometheus_client import CollectorRegistry

from retryscope_service import semconv
from retryscope_service.monitor.process import ProcessMetrics
from tests.support.clock import VirtualLoop, run

LAG = semconv.EVENT_LOOP_LAG.name


class StallingLoop(VirtualLoop):
    """A virtual loop that can stand still, as one does while a callback computes."""

    stalled = 0.0

    def __init__(self) -> None:
        super().__init__(start=0.0, idle_timeout=None)

    def time(self) -> float:
        return super().time() + self.stalled


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def watch(
    registry: CollectorRegistry, before: float, then: Callable[[StallingLoop], None], after: float
) -> None:
    """Watch a loop for so long, do something in it, and watch on for so long."""

    async def main() -> None:
        watching = asyncio.create_task(ProcessMetrics(registry).watch_loop())
        await asyncio.sleep(before)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, StallingLoop)
        then(loop)
        await asyncio.sleep(after)
        watching.cancel()
        await asyncio.wait([watching])
        assert watching.cancelled()

    run(main(), StallingLoop)


def at_most(registry: CollectorRegistry, seconds: str) -> float | None:
    """The looks that were late by so much or less."""
    return registry.get_sample_value(f"{LAG}_bucket", {"le": seconds})


def test_a_loop_that_keeps_up_is_never_late(registry: CollectorRegistry) -> None:
    """Ten looks a second."""
    watch(registry, 1.05, lambda loop: None, 1)
    assert registry.get_sample_value(f"{LAG}_count") == 20
    assert at_most(registry, "0.001") == 20


def test_a_loop_that_stood_still_is_late_for_all_that_fell_due_meanwhile(registry: CollectorRegistry) -> None:
    """50 looks in 5 s: late by 4.95 s, 4.85 s ... 0.05 s."""

    def stall(loop: StallingLoop) -> None:
        loop.stalled += 5

    watch(registry, 1.05, stall, 0.02)
    assert registry.get_sample_value(f"{LAG}_count") == 10 + 50
    assert registry.get_sample_value(f"{LAG}_sum") == pytest.approx(sum(0.05 + 0.1 * n for n in range(50)))
    assert at_most(registry, "0.001") == 10
    assert at_most(registry, "0.1") == 10 + 1
    assert at_most(registry, "2.5") == 10 + 25
    assert at_most(registry, "5.0") == 10 + 50


def test_a_stall_does_not_shift_the_looks_after_it(registry: CollectorRegistry) -> None:
    """They stay a tenth of a second apart, and on time."""

    def stall(loop: StallingLoop) -> None:
        loop.stalled += 0.03

    watch(registry, 0.09, stall, 0.4)
    assert registry.get_sample_value(f"{LAG}_sum") == pytest.approx(0.02)
    assert registry.get_sample_value(f"{LAG}_count") == 5


def test_a_loop_that_stalls_again_and_again_is_late_by_a_few_stalls_and_calm_afterwards(
    registry: CollectorRegistry,
) -> None:
    """Whatever fell due is looked at at once: otherwise the looks would fall ever further behind."""

    async def main() -> None:
        watching = asyncio.create_task(ProcessMetrics(registry).watch_loop())
        loop = asyncio.get_running_loop()
        assert isinstance(loop, StallingLoop)
        for _ in range(20):  # each turn of the loop takes half a second
            await asyncio.sleep(0)
            loop.stalled += 0.5
        await asyncio.sleep(1)
        watching.cancel()
        await asyncio.wait([watching])

    run(main(), StallingLoop)
    assert registry.get_sample_value(f"{LAG}_count") == pytest.approx(110, abs=1)
    assert at_most(registry, "2.5") == registry.get_sample_value(f"{LAG}_count")
    assert (at_most(registry, "0.001") or 0) >= 10, "the calm second"


def test_the_pools_are_read_by_each_scrape(registry: CollectorRegistry) -> None:
    """Only those that the process has are there."""
    process_metrics = ProcessMetrics(registry)
    held: list[str] = []
    process_metrics.add_pool("inline", lambda: len(held), 7)

    def pool(name: str) -> tuple[float | None, float | None]:
        labels = {"pool": name}
        return (
            registry.get_sample_value(semconv.CONCURRENCY_IN_FLIGHT.name, labels),
            registry.get_sample_value(semconv.CONCURRENCY_LIMIT.name, labels),
        )

    assert pool("inline") == (0, 7)
    held += "ab"
    assert pool("inline") == (2, 7)
    held.pop()
    assert pool("inline") == (1, 7)
    assert pool("worker") == pool("engine") == (None, None)


def test_the_build_names_what_runs(registry: CollectorRegistry) -> None:
    """The versions of the package and of Python."""
    ProcessMetrics(registry)
    labels = {"version": version("retryscope"), "python_version": platform.python_version()}
    assert registry.get_sample_value(semconv.BUILD_INFO.name, labels) == 1
