"""Spans of runs become events, and reach the store also after an outage."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


async def stored_parts(
    events: RunEvents, runs: RunStore, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, list[int]]]:
    """What each call to the store appended, by run, as flushing all of it goes."""
    parts: list[dict[str, list[int]]] = []
    add_events = runs.add_events

    async def noted(batch: dict[str, list[dict[str, Any]]]) -> None:
        parts.append({run_id: [event["n"] for event in added] for run_id, added in batch.items()})
        await add_events(batch)

    with monkeypatch.context() as noting:
        noting.setattr(runs, "add_events", noted)
        await events.flush(runs)
    return parts


def happen(events: RunEvents, run_id: str, *numbers: int) -> None:
    for number in numbers:
        events._add(run_id, {"event": "task", "time": 0.0, "n": number})


async def test_one_call_stores_the_events_of_all_runs(
    events: RunEvents, runs: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too much for one call is stored in parts, in order."""
    for run_id in "abc":
        happen(events, run_id, 0, 1, 2)
    assert await stored_parts(events, runs, monkeypatch) == [{"a": [0, 1, 2], "b": [0, 1, 2], "c": [0, 1, 2]}]
    monkeypatch.setattr(events_module, "EVENTS_AT_ONCE", 4)
    for run_id in "abc":
        happen(events, run_id, 3, 4, 5)
    assert await stored_parts(events, runs, monkeypatch) == [
        {"a": [3, 4, 5], "b": [3]},
        {"b": [4, 5], "c": [3, 4]},
        {"c": [5]},
    ]
    assert await stored_parts(events, runs, monkeypatch) == []
    for run_id in "abc":
        assert [event["n"] for event in await runs.events(run_id, 0)] == [0, 1, 2, 3, 4, 5]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["happen", "happen", "flush", "fail", "go on", "end"]), st.sampled_from("abc")
        ),
        max_size=40,
    )
)
async def test_whatever_is_on_its_way_when_a_run_ends_all_is_stored_once_in_order(
    steps: list[tuple[str, str]],
) -> None:
    """Flushed before, or taken by whoever stores the end; other runs go on."""
    events = RunEvents()
    store = HeldStore()
    with patch.object(events_module, "EVENTS_AT_ONCE", 2):
        numbers = dict.fromkeys("abc", 0)
        ending: dict[str, asyncio.Task[None]] = {}
        flushes = []

        async def end(run_id: str) -> None:
            settled = events.can_take(run_id)
            while not settled:
                with suppress(ConnectionError):
                    await events.settle(store.as_store, run_id)
                    settled = True
            assert events.can_take(run_id)
            taken = events.take(run_id)
            await asyncio.sleep(0)
            store.append({run_id: taken})
            events.stored(taken)

        for step, run_id in steps:
            if step == "happen" and run_id not in ending:
                happen(events, run_id, numbers[run_id])
                numbers[run_id] += 1
            elif step == "flush":
                flushes.append(asyncio.create_task(events.flush(store.as_store)))
            elif step in ("go on", "fail"):
                store.answer(ConnectionError() if step == "fail" else None)
            elif step == "end" and run_id not in ending:
                ending[run_id] = asyncio.create_task(end(run_id))
            for _ in range(4):
                await asyncio.sleep(0)
        store.open()
        await asyncio.gather(*flushes, return_exceptions=True)
        await asyncio.gather(*ending.values())
        await events.flush(store.as_store)
    assert {run_id: store.stored[run_id] for run_id in "abc"} == {
        run_id: list(range(number)) for run_id, number in numbers.items()
    }
    assert events._count == 0


class HeldStore:
    """Its calls wait for an answer, or that it is open."""

    def __init__(self) -> None:
        self.stored: defaultdict[str, list[int]] = defaultdict(list)
        self._open = False
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def as_store(self) -> RunStore:
        return cast(RunStore, self)

    async def add_events(self, batch: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        if not self._open:
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]
        self.append(batch)

    def append(self, batch: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        for run_id, added in batch.items():
            self.stored[run_id] += [event["n"] for event in added]

    def answer(self, error: Exception | None) -> None:
        if not self._waiting:
            return
        if error is None:
            self._waiting.pop(0).set_result(None)
        else:
            self._waiting.pop(0).set_exception(error)

    def open(self) -> None:
        self._open = True
        while self._waiting:
            self.answer(None)


async def test_what_was_taken_waits_until_it_is_stored(
    events: RunEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded also while the ends of runs can't be stored."""
    monkeypatch.setattr(events_module, "MAX_WAITING", 2)
    happen(events, "a", 0, 1)
    taken = events.take("a")
    happen(events, "b", 0)
    assert events.dropped == 1
    events.stored(taken)
    happen(events, "b", 0)
    assert events.dropped == 1


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
