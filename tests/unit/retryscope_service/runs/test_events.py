"""Spans of runs become events, and reach the store also after an outage."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from retryscope import Operation, cancellable, retry, step, timeout, workflow
from retryscope._recording.telemetry import active, install
from retryscope.policy import RetryPolicy
from retryscope_service.runs import events as events_module
from retryscope_service.runs.events import RunEvents, current_run
from retryscope_service.runs.store import RunStore
from tests.support.polling import until
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.runs.helpers import away

REAL_LOOP = True

pytestmark = pytest.mark.usefixtures("timed")


@pytest.fixture
def price() -> Operation:
    return Operation("price", workflow="checkout")


@pytest.fixture(autouse=True)
def _inside_a_run() -> Any:
    """Everything here belongs to the run ``a``."""
    token = current_run.set("a")
    yield
    current_run.reset(token)


async def flushed(events: RunEvents, store: RunStore, run_id: str = "a") -> list[dict[str, Any]]:
    await events.flush(store)
    return await store.events(run_id, 0)


async def test_the_spans_of_a_run(events: RunEvents, runs: RunStore, price: Operation) -> None:
    """Start and end of each, with what is known of it, and the ids of its span."""

    async def fail() -> None:
        raise ConnectionError

    current_run.set("a")
    async with workflow("checkout"):
        with pytest.raises(ConnectionError):
            await retry(price, RetryPolicy(max_attempts=2, base_delay=0.001)).call(fail)
    found = await flushed(events, runs)
    assert [f"{event['event']} {event['phase']}" for event in found] == [
        "workflow started",
        "retry started",
        "attempt started",
        "attempt ended",
        "backoff started",
        "backoff ended",
        "attempt started",
        "attempt ended",
        "retry ended",
        "workflow ended",
    ]
    assert [event["time"] for event in found] == sorted(event["time"] for event in found)
    assert {event["trace_id"] for event in found} == {found[0]["trace_id"]}
    assert found[0]["span_id"] == found[-1]["span_id"]
    assert (found[2]["operation"], found[2]["attempt"]) == ("price", 1)
    assert found[6]["attempt"] == 2
    assert (found[-2]["outcome"], found[3]["error_type"]) == ("exhausted", "ConnectionError")
    assert 0 <= found[4]["delay"] <= 0.001


async def test_what_marks_a_span_is_an_event_of_its_own(
    events: RunEvents, runs: RunStore, price: Operation
) -> None:
    """A limit that was reached, a cancel that was asked for, with its cause."""
    current_run.set("a")
    with pytest.raises(TimeoutError):
        async with timeout(price, 0.001):
            await asyncio.sleep(60)
    running = cancellable(price, asyncio.sleep, 60, on_cancel=lambda: asyncio.sleep(0))
    await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait([running.task])
    found = {event["event"]: event for event in await flushed(events, runs)}
    assert set(found) >= {"timeout", "timed_out", "cancel_requested", "cleanup"}
    assert found["timed_out"]["limit"] == 0.001
    assert found["cancel_requested"]["cause"] == "request"
    assert (found["cleanup"]["phase"], found["cleanup"]["outcome"]) == ("ended", "completed")


async def test_attempts_that_are_no_spans_are_events_all_the_same(
    events: RunEvents, runs: RunStore, price: Operation
) -> None:
    """With ``RETRYSCOPE_ATTEMPTS=events``: each says its own outcome, not that of the retry."""
    install(replace(active(), attempts="events"))
    current_run.set("a")
    answers = iter([ConnectionError(), 499])

    async def call() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    await retry(price, RetryPolicy(base_delay=0.001)).call(call)
    found = [event for event in await flushed(events, runs) if event["event"] == "attempt"]
    assert [(each["attempt"], each["outcome"]) for each in found] == [(1, "error"), (2, "success")]
    assert [each.get("error_type") for each in found] == ["ConnectionError", None]


async def test_spans_of_nobody_and_of_other_kinds_are_left_out(
    events: RunEvents, runs: RunStore, price: Operation, timed: Recorded
) -> None:
    """Those of requests, and of runs that are none of the background."""
    current_run.set(None)
    async with workflow("checkout"), step(price):
        pass
    current_run.set("a")
    recorder = active().recorder
    recorder.end(recorder.start("GET /items", {}), {})
    assert await flushed(events, runs) == []


async def test_each_run_has_its_own(events: RunEvents, runs: RunStore, price: Operation) -> None:
    """Also while they run at the same time."""

    async def run(run_id: str) -> None:
        current_run.set(run_id)
        async with step(price):
            await asyncio.sleep(0.002)

    await asyncio.gather(*(run(run_id) for run_id in "abc"))
    await events.flush(runs, "b")
    assert [len(await runs.events(run_id, 0)) for run_id in "abc"] == [0, 2, 0]
    await events.flush(runs)
    assert [len(await runs.events(run_id, 0)) for run_id in "abc"] == [2, 2, 2]


async def test_what_cannot_be_stored_is_kept(
    events: RunEvents, runs: RunStore, price: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever flushes next stores it, in order, once."""
    current_run.set("a")
    flushing = asyncio.create_task(events.keep_flushing(runs))
    tried = []

    async def refuse(*args: Any) -> None:
        tried.append(args)
        away()

    with monkeypatch.context() as outage:
        outage.setattr(events_module, "FLUSH_SECONDS", 0.005)
        outage.setattr(runs, "add_events", refuse)
        async with step(price):
            await until(lambda: len(tried) > 1, "it is tried again")
        assert await runs.events("a", 0) == []
    found = await until(lambda: runs.events("a", 0), "the next flush stores them")
    assert [event["phase"] for event in found] == ["started", "ended"]
    flushing.cancel()
    await asyncio.wait([flushing])
    assert flushing.cancelled()


async def test_what_happens_during_a_flush_waits_for_the_next(
    events: RunEvents, runs: RunStore, price: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, nothing stored twice."""
    current_run.set("a")
    go_on = asyncio.Event()
    add_events = runs.add_events

    async def slow(*args: Any) -> None:
        await go_on.wait()
        await add_events(*args)

    monkeypatch.setattr(runs, "add_events", slow)
    async with step(price):
        flushing = asyncio.create_task(events.flush(runs))
        await asyncio.sleep(0.001)
    go_on.set()
    await flushing
    assert [event["phase"] for event in await runs.events("a", 0)] == ["started"]
    assert [event["phase"] for event in await flushed(events, runs)] == ["started", "ended"]
    await events.flush(runs)
    assert len(await runs.events("a", 0)) == 2


async def test_memory_is_bounded(
    events: RunEvents, runs: RunStore, price: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too much is dropped and counted; after a flush there is room."""
    monkeypatch.setattr(events_module, "MAX_WAITING", 3)
    current_run.set("a")
    for _ in range(3):
        async with step(price):
            pass
    assert events.dropped == 3
    assert len(await flushed(events, runs)) == 3
    async with step(price):
        pass
    assert events.dropped == 3
    assert len(await flushed(events, runs)) == 5
