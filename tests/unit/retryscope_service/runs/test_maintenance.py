"""What is looked after again and again, also through an outage. On the virtual clock, with stubs."""

import asyncio
import logging
from typing import Any, cast

import pytest

from retryscope_service.runs.background import BackgroundRuns
from retryscope_service.runs.engine import Engine, EngineRefusedError
from retryscope_service.runs.maintenance import maintain
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.store import RunStore
from retryscope_service.runs.worker import RunWorker
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.runs.helpers import away


class Everything:
    """Stands for whatever maintenance calls, and notes it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.forgot: dict[str, Any] = {}
        self.away = False
        self.refused = ""

    async def check(self) -> None:
        if self.away:
            away()
        self.calls.append("check")
        if self.refused:
            raise EngineRefusedError(self.refused)

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


def start(
    everything: Everything, recorded: Recorded, *, with_worker: bool = True, reachable: bool = True
) -> asyncio.Task[None]:
    keeping = maintain(
        cast(Engine, everything),
        cast(BackgroundRuns, everything),
        cast(RunStore, everything),
        cast(RunWorker, everything) if with_worker else None,
        RunMetrics(recorded.registry),
        reachable=reachable,
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
    with caplog.at_level(logging.INFO, "retryscope_service"):
        await asyncio.sleep(0.5)
        everything.away, everything.calls = True, []
        await asyncio.sleep(5)
        assert everything.calls == []
        everything.away = False
        await asyncio.sleep(2)
    assert everything.calls[:5] == ["check", "counts", "reconcile", "carry_out_cancels", "forget"]
    assert everything.calls.count("check") == 1
    assert caplog.messages == [
        "the engine of background runs can't be reached: connection refused",
        "the engine of background runs is back",
    ]
    await stop(task)


async def test_an_engine_that_was_away_at_the_start_and_can_not_be_used_is_told_once(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes on when it can be."""
    everything = Everything()
    everything.refused = "no such database"
    task = start(everything, recorded, reachable=False)
    await asyncio.sleep(3.5)
    assert everything.calls == ["check"] * 4
    (told,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert "RETRYSCOPE_ENGINE_URL: no such database" in told.getMessage()
    everything.refused, everything.calls = "", []
    await asyncio.sleep(1)
    assert everything.calls == ["check", "counts", "reconcile", "carry_out_cancels", "forget"]
    await stop(task)
