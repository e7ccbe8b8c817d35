"""What is looked after again and again, also through an outage. On the virtual clock, with stubs."""

import asyncio
import logging
from typing import Any, cast

import pytest

from service.runs.background import BackgroundRuns
from service.runs.housekeeping import keep_house
from service.runs.metrics import RunMetrics
from service.runs.store import RunStore
from service.runs.worker import RunWorker
from tests.support.recorded import Recorded
from tests.unit.service.runs.helpers import away


class Everything:
    """Stands for whatever housekeeping calls, and notes it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.forgot: dict[str, Any] = {}
        self.away = False

    async def counts(self) -> tuple[int, int]:
        if self.away:
            away()
        self.calls.append("counts")
        return 5, 2

    async def reconcile(self) -> None:
        self.calls.append("reconcile")

    async def carry_out_cancels(self) -> None:
        self.calls.append("carry_out_cancels")

    async def forget(self, **options: Any) -> int:
        self.calls.append("forget")
        self.forgot = options
        return 0


def start(everything: Everything, recorded: Recorded, *, with_worker: bool = True) -> asyncio.Task[None]:
    keeping = keep_house(
        cast(BackgroundRuns, everything),
        cast(RunStore, everything),
        cast(RunWorker, everything) if with_worker else None,
        RunMetrics(recorded.registry),
        retention=60,
        max_finished=7,
    )
    return asyncio.create_task(keeping)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_every_second(recorded: Recorded) -> None:
    """Gauges, hand-overs, cancels, old records."""
    everything = Everything()
    task = start(everything, recorded)
    await asyncio.sleep(2.5)
    assert everything.calls == ["counts", "reconcile", "carry_out_cancels", "forget"] * 3
    assert everything.forgot == {"older_than": 60, "keep": 7}
    samples = {name: value for (name, labels), value in recorded.samples().items() if not labels}
    assert (samples["retryscope_runs_active"], samples["retryscope_run_queue_depth"]) == (5, 3)
    await stop(task)


async def test_without_a_worker_there_are_no_cancels_to_carry_out(recorded: Recorded) -> None:
    everything = Everything()
    task = start(everything, recorded, with_worker=False)
    await asyncio.sleep(0.5)
    assert everything.calls == ["counts", "reconcile", "forget"]
    await stop(task)


async def test_an_outage_is_waited_for_and_told_once(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """And so is its end."""
    everything = Everything()
    task = start(everything, recorded)
    with caplog.at_level(logging.INFO, "service"):
        await asyncio.sleep(0.5)
        everything.away, everything.calls = True, []
        await asyncio.sleep(5)
        assert everything.calls == []
        everything.away = False
        await asyncio.sleep(2)
    assert everything.calls[:4] == ["counts", "reconcile", "carry_out_cancels", "forget"]
    assert caplog.messages == [
        "the engine of background runs can't be reached: connection refused",
        "the engine of background runs is back",
    ]
    await stop(task)
