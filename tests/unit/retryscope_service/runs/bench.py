"""A worker to which deliveries are made by hand."""

import asyncio
import time
from typing import Any, cast

import pytest

from retryscope_service.runs.engine import Delivery, Engine, Intake
from retryscope_service.runs.events import RunEvents
from retryscope_service.runs.message import RunMessage
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.record import RunRecord
from retryscope_service.runs.store import RunStore
from retryscope_service.runs.worker import RunWorker
from tests.support.polling import until
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.runs.helpers import submit

PARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
HELD = {"durations": [60.0], "cancel_after": 60.0, "cleanup": 0.02}
"""Runs until it is cancelled."""


class OfEngine:
    """What a worker wants to know of its engine."""

    def __init__(self, *, shared: bool) -> None:
        self.shared = shared


class OfIntake:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pause(self) -> None:
        self.told.append("pause")

    def stop(self) -> None:
        self.told.append("stop")


class Bench:
    """A worker, and deliveries to it without an engine."""

    def __init__(self, store: RunStore, events: RunEvents, metrics: RunMetrics, recorded: Recorded) -> None:
        self.store = store
        self.events = events
        self.metrics = metrics
        self.recorded = recorded
        self.engine = OfEngine(shared=True)
        self.intake = OfIntake()
        self.worker = self.another("w1")

    def another(self, name: str) -> RunWorker:
        engine = cast(Engine, self.engine)
        return RunWorker(name, engine, self.store, self.events, self.metrics)

    async def submit(self, workflow: str, **params: Any) -> Delivery:
        """Store a run with the id ``a``; its delivery."""
        message = RunMessage(
            id="a", workflow=workflow, params=params, seed=1, submitted_at=time.time(), traceparent=PARENT
        )
        await submit(self.store, "a")
        return Delivery("a", message.model_dump_json())

    async def held(self) -> tuple[Delivery, asyncio.Task[bool]]:
        """A run that goes on until it is cancelled, and its delivery."""
        text = await self.submit("cancellation", **HELD)
        task = asyncio.create_task(self.worker.handle(text))
        await until(lambda: any(span.name == "task long_running_task" for span in self.recorded.log.started))
        return text, task

    async def drain(self, limit: float) -> None:
        await self.worker.drain(limit, cast(Intake, self.intake))

    def hold_starts(self, monkeypatch: pytest.MonkeyPatch) -> tuple[asyncio.Event, asyncio.Event]:
        """The store answers a start and is not heard yet: events for "it has answered" and "go on"."""
        answered, go_on = asyncio.Event(), asyncio.Event()
        start = self.store.start

        async def slow(*args: Any) -> Any:
            started = await start(*args)
            answered.set()
            await go_on.wait()
            return started

        monkeypatch.setattr(self.store, "start", slow)
        return answered, go_on

    async def record(self) -> RunRecord:
        record = await self.store.get("a")
        assert record is not None
        return record

    def count(self, name: str, **labels: str) -> float:
        return sum(
            value
            for (sample, found), value in self.recorded.samples().items()
            if sample == name and labels.items() <= dict(found).items()
        )
