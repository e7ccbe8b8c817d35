"""Every change of a run's record, on both kinds of engine; each script may be repeated."""

import asyncio
import time

import pytest

from retryscope_service.runs import store as store_module
from retryscope_service.runs.cursor import Cursor
from retryscope_service.runs.engine import Engine
from retryscope_service.runs.store import MAX_DELIVERIES, RunStore
from retryscope_service.runs.verdicts import Started, Submitted
from tests.unit.retryscope_service.runs.helpers import Handler, pending, running, states, submit

REAL_LOOP = True


@pytest.fixture
def store(any_engine: Engine) -> RunStore:
    """The records on each kind of engine."""
    return RunStore(any_engine)


async def state_of(store: RunStore, run_id: str) -> str:
    record = await store.get(run_id)
    assert record is not None
    return record.state


class TestSubmit:
    async def test_a_new_run_is_queued(self, store: RunStore) -> None:
        """It counts as active, and nobody has handed it over yet."""
        assert await submit(store, "a", at=1000.5) == Submitted("new", "a")
        record = await store.get("a")
        assert record is not None
        assert (record.id, record.workflow, record.state, record.delivery) == ("a", "retry", "queued", 0)
        assert record.submitted_at.timestamp() == 1000.5
        assert await store.counts() == (1, 0)
        assert await pending(store) == ["a"]
        (event,) = await store.events("a", 0)
        assert event == {"event": "state", "time": 1000.5, "state": "queued", "delivery": 0}

    @pytest.mark.parametrize("key", [None, "key"])
    async def test_repeating_it_changes_nothing(self, store: RunStore, key: str | None) -> None:
        """The same run, still new: nobody else has submitted it."""
        for _ in range(2):
            assert await submit(store, "a", key=key) == Submitted("new", "a")
        assert await states(store, "a") == ["queued"]
        assert await store.counts() == (1, 0)

    async def test_a_known_key_gives_the_first_run(self, store: RunStore) -> None:
        """Nothing is stored under the second id."""
        await submit(store, "a", key="key")
        assert await submit(store, "b", key="key") == Submitted("known", "a")
        assert await store.get("b") is None
        assert await store.counts() == (1, 0)
        assert await submit(store, "c", key="other") == Submitted("new", "c")

    async def test_a_known_key_with_another_body_is_a_conflict(self, store: RunStore) -> None:
        """It names the run that has the key."""
        await submit(store, "a", key="key", body="one")
        assert await submit(store, "b", key="key", body="two") == Submitted("conflict", "a")
        assert await store.get("b") is None

    async def test_beyond_the_limit_nothing_is_stored(self, store: RunStore) -> None:
        """A known key is answered all the same; when a run has ended there is room."""
        await submit(store, "a", limit=1, key="key")
        assert await submit(store, "b", limit=1) == Submitted("full", "")
        assert await submit(store, "b", limit=1, key="new key") == Submitted("full", "")
        assert await submit(store, "c", limit=1, key="key") == Submitted("known", "a")
        assert await store.get("b") is None
        assert await store.events("b", 0) == []
        assert await pending(store) == ["a"]
        await store.request_cancel("a")
        assert await submit(store, "b", limit=1, key="new key") == Submitted("new", "b")

    async def test_a_key_is_forgotten_after_the_retention(self, store: RunStore) -> None:
        """Then it may be used again."""
        await submit(store, "a", key="key", retention=1)
        await asyncio.sleep(1.05)
        assert await submit(store, "b", key="key") == Submitted("new", "b")


async def test_what_was_handed_over_is_not_handed_over_again(store: RunStore, any_engine: Engine) -> None:
    """Only what is older than a time is looked at, and only what the engine holds was handed over."""
    any_engine.register(Handler())
    await submit(store, "old", at=time.time() - 10)
    await submit(store, "new")
    for _ in range(2):
        assert await store.unheld(5, 0, 10) == ([("old", "message of old")], None)
    await any_engine.enqueue("old", "text")
    for _ in range(2):
        assert await store.unheld(5, 0, 10) == ([], None)
    assert await pending(store) == ["new"]


async def test_those_that_were_not_handed_over_are_looked_at_in_parts(
    store: RunStore, any_engine: Engine
) -> None:
    """However many of them the engine turns out to hold, each is looked at."""
    any_engine.register(Handler())
    for number in range(7):
        await submit(store, f"{number}", at=time.time() - 60 + number)
        if number in (0, 1, 4):
            await any_engine.enqueue(f"{number}", "text")
    found: list[str] = []
    start: int | None = 0
    looks = 0
    while start is not None:
        missing, start = await store.unheld(5, start, 2)
        found += [run_id for run_id, _ in missing]
        looks += 1
    assert (found, looks) == (["2", "3", "5", "6"], 4)
    assert await pending(store) == found


class TestStart:
    async def test_the_first_delivery_runs(self, store: RunStore) -> None:
        """The record has the worker and the times."""
        await submit(store, "a", at=time.time() - 2)
        assert await store.start("a", "w1", "call") == Started("run", 1)
        record = await store.get("a")
        assert record is not None
        assert (record.state, record.worker, record.delivery) == ("running", "w1", 1)
        assert record.started_at == record.delivered_at
        assert (record.queue_wait_seconds or 0) >= 2
        assert await store.counts() == (1, 1)
        assert await states(store, "a") == ["queued", "running"]

    async def test_repeating_it_is_the_same_delivery(self, store: RunStore) -> None:
        """The answer to the first try got lost."""
        await submit(store, "a")
        for _ in range(3):
            assert await store.start("a", "w1", "call") == Started("run", 1)
        assert await states(store, "a") == ["queued", "running"]

    async def test_repeated_after_a_cancel_it_still_runs(self, store: RunStore) -> None:
        """To be cancelled there: it is not the worker that died."""
        await running(store, "a", "call")
        await store.request_cancel("a")
        assert await store.start("a", "w", "call") == Started("run", 1)
        assert await state_of(store, "a") == "cancelling"

    async def test_a_second_delivery_keeps_the_first_start(self, store: RunStore) -> None:
        """The queue wait is that of the first delivery."""
        await running(store, "a")
        first = await store.get("a")
        assert await store.start("a", "w2", "second call") == Started("run", 2)
        second = await store.get("a")
        assert first is not None
        assert second is not None
        assert second.started_at == first.started_at
        assert second.delivered_at != first.delivered_at
        assert (second.worker, second.delivery) == ("w2", 2)
        assert await store.counts() == (1, 1)

    async def test_what_has_ended_or_is_unknown_does_not_start(self, store: RunStore) -> None:
        """Nor is the delivery counted."""
        await running(store, "a")
        await store.finish("a", 1, {"state": "succeeded"})
        for run_id in ("a", "unknown"):
            assert await store.start(run_id, "w2", "second call") == Started("ended", 0)
        assert await store.get("unknown") is None
        record = await store.get("a")
        assert record is not None
        assert record.delivery == 1

    async def test_a_cancel_whose_worker_died_abandons_it(self, store: RunStore) -> None:
        """Also when the question is repeated."""
        await running(store, "a")
        await store.request_cancel("a")
        for _ in range(2):
            assert await store.start("a", "w2", "second call") == Started("abandoned", 2)
        assert await store.finish("a", 2, {"state": "lost"})
        assert await state_of(store, "a") == "lost"

    async def test_after_five_deliveries_it_is_lost(self, store: RunStore) -> None:
        """Each of them has ended its worker."""
        await submit(store, "a")
        for delivery in range(1, MAX_DELIVERIES + 1):
            assert await store.start("a", "w", f"call {delivery}") == Started("run", delivery)
        for _ in range(2):
            assert await store.start("a", "w", "last call") == Started("lost", MAX_DELIVERIES + 1)


class TestFinish:
    async def test_it_writes_the_final_state(self, store: RunStore) -> None:
        """The run is no longer active."""
        await running(store, "a")
        assert await store.finish("a", 1, {"state": "failed", "outcome": "error", "result": '{"a": 1}'})
        record = await store.get("a")
        assert record is not None
        assert (record.state, record.outcome, record.result) == ("failed", "error", {"a": 1})
        assert record.ended
        assert record.ended_at is not None
        assert await store.counts() == (0, 0)
        assert await states(store, "a") == ["queued", "running", "failed"]

    async def test_repeating_it_changes_nothing_and_is_in_time(self, store: RunStore) -> None:
        """The answer to the first try got lost."""
        await running(store, "a")
        for state in ("succeeded", "failed"):
            assert await store.finish("a", 1, {"state": state})
        assert await states(store, "a") == ["queued", "running", "succeeded"]

    async def test_only_the_last_delivery_can_write_it(self, store: RunStore) -> None:
        """A worker that was frozen comes too late, before and after the other one has ended."""
        await running(store, "a")
        await store.start("a", "w2", "second call")
        assert not await store.finish("a", 1, {"state": "failed"})
        assert await state_of(store, "a") == "running"
        assert await store.finish("a", 2, {"state": "succeeded"})
        assert not await store.finish("a", 1, {"state": "failed"})
        assert await state_of(store, "a") == "succeeded"
        assert await states(store, "a") == ["queued", "running", "running", "succeeded"]

    async def test_what_was_cancelled_while_it_waited_stays_so(self, store: RunStore) -> None:
        """No delivery has ended it."""
        await running(store, "a")
        await store.hand_back("a", 1)
        await store.request_cancel("a")
        assert not await store.finish("a", 1, {"state": "succeeded"})
        assert await state_of(store, "a") == "cancelled"

    async def test_an_unknown_run_is_late(self, store: RunStore) -> None:
        """And nothing appears that nobody would ever remove."""
        assert not await store.finish("unknown", 1, {"state": "succeeded"}, [{"event": "task"}])
        assert await store.get("unknown") is None
        assert await store.event_count("unknown") == 0

    async def test_its_last_events_come_before_it_once(self, store: RunStore) -> None:
        """Though the answer to the first try got lost."""
        await running(store, "a")
        for _ in range(2):
            assert await store.finish("a", 1, {"state": "succeeded"}, [{"event": "task"}, {"event": "é"}])
        events = await store.events("a", 0)
        assert [event.get("state", event["event"]) for event in events] == [
            "queued",
            "running",
            "task",
            "é",
            "succeeded",
        ]

    async def test_the_last_events_of_a_late_one_are_events_all_the_same(self, store: RunStore) -> None:
        """They happened, in a try that does not count."""
        await running(store, "a")
        await store.start("a", "w2", "second call")
        assert not await store.finish("a", 1, {"state": "succeeded"}, [{"event": "task"}])
        assert [event["event"] for event in await store.events("a", 0)] == ["state", "state", "state", "task"]
        assert await states(store, "a") == ["queued", "running", "running"]


class TestHandBack:
    async def test_the_run_waits_again(self, store: RunStore) -> None:
        """Repeated it counts once; the next delivery is number 2."""
        await running(store, "a")
        for _ in range(2):
            assert await store.hand_back("a", 1) == "done"
        record = await store.get("a")
        assert record is not None
        assert (record.state, record.handed_back, record.delivery) == ("queued", 1, 1)
        assert await store.counts() == (1, 0)
        assert await store.start("a", "w2", "second call") == Started("run", 2)
        assert await states(store, "a") == ["queued", "running", "queued", "running"]

    async def test_another_delivery_has_overtaken_it(self, store: RunStore) -> None:
        """While it runs there, and after."""
        await running(store, "a")
        await store.start("a", "w2", "second call")
        assert await store.hand_back("a", 1) == "late"
        await store.finish("a", 2, {"state": "succeeded"})
        assert await store.hand_back("a", 2) == "late"
        assert await store.hand_back("unknown", 1) == "late"
        assert await state_of(store, "a") == "succeeded"

    async def test_a_cancel_is_not_forgotten(self, store: RunStore) -> None:
        """Nobody wants it to run again."""
        await running(store, "a")
        await store.request_cancel("a")
        assert await store.hand_back("a", 1) == "cancelling"
        assert await state_of(store, "a") == "cancelling"


class TestCancel:
    async def test_an_unknown_run(self, store: RunStore) -> None:
        assert await store.request_cancel("unknown") == ("unknown", "")

    async def test_a_waiting_run_is_cancelled_at_once(self, store: RunStore) -> None:
        """It never starts; its record says when that was asked for."""
        await submit(store, "a")
        assert await store.request_cancel("a") == ("cancelled", "queued")
        record = await store.get("a")
        assert record is not None
        assert (record.state, record.outcome) == ("cancelled", "cancelled")
        assert record.cancel_requested_at == record.ended_at is not None
        assert await store.counts() == (0, 0)
        assert await pending(store) == []
        assert (await store.start("a", "w", "call")).verdict == "ended"
        assert await states(store, "a") == ["queued", "cancelled"]

    async def test_a_running_run_is_being_cancelled(self, store: RunStore) -> None:
        """Until its cleanup has ended; asking again changes nothing, not even the time."""
        await running(store, "a")
        assert await store.request_cancel("a") == ("cancelling", "running")
        first = await store.get("a")
        assert await store.request_cancel("a") == ("cancelling", "cancelling")
        assert await store.get("a") == first
        assert await states(store, "a") == ["queued", "running", "cancelling"]
        assert await store.counts() == (1, 1)
        assert await store.finish("a", 1, {"state": "cancelled", "outcome": "cancelled"})
        assert await states(store, "a") == ["queued", "running", "cancelling", "cancelled"]

    @pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled", "lost"])
    async def test_what_has_ended_stays_as_it_is(self, store: RunStore, state: str) -> None:
        """The answer has the state."""
        await running(store, "a")
        await store.finish("a", 1, {"state": state})
        before = await store.get("a")
        assert await store.request_cancel("a") == ("ended", state)
        assert await store.get("a") == before

    async def test_what_nobody_wants_to_go_on(self, store: RunStore) -> None:
        """Its cancel has not been carried out, another delivery has it, or it is long forgotten."""
        for run_id in "abcd":
            await running(store, run_id)
        for run_id in "ab":
            await store.request_cancel(run_id)
        await store.finish("a", 1, {"state": "cancelled"})
        await store.start("d", "w2", "other call")
        tries = {"a": 1, "b": 1, "c": 1, "d": 1, "unknown": 1}
        assert await store.unwanted(tries) == {"b": "cancelled", "d": "overtaken", "unknown": "overtaken"}
        assert await store.unwanted({"d": 2}) == {}
        assert await store.unwanted({}) == {}


class TestEvents:
    async def test_they_are_appended_in_order(self, store: RunStore) -> None:
        """And read from any position on."""
        await submit(store, "a", at=1)
        await submit(store, "b", at=1)
        events = [{"event": "task", "n": 1}, {"event": "task", "n": 2, "é": '"'}]
        await store.add_events({"b": [{"event": "task", "n": 3}], "unchanged": [], "a": events})
        assert [event.get("n") for event in await store.events("b", 0)] == [None, 3]
        assert await store.event_count("unchanged") == 0
        assert [event.get("n") for event in await store.events("a", 0)] == [None, 1, 2]
        assert await store.events("a", 2) == [{"event": "task", "n": 2, "é": '"'}]
        assert await store.events("a", 3) == []

    async def test_they_are_bounded_but_states_are_always_kept(
        self, store: RunStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In the order in which they happened."""
        monkeypatch.setattr(store_module, "MAX_EVENTS", 5)
        await running(store, "a")
        await store.add_events({"a": [{"event": "task", "n": n} for n in range(10)]})
        await store.request_cancel("a")
        await store.add_events({"a": [{"event": "task", "n": 10}]})
        await store.finish("a", 1, {"state": "cancelled"}, [{"event": "task", "n": 11}])
        events = await store.events("a", 0)
        assert [event.get("state", event.get("n")) for event in events] == [
            "queued",
            "running",
            0,
            1,
            2,
            "cancelling",
            "cancelled",
        ]


async def all_pages(store: RunStore, size: int) -> list[str]:
    """The ids of all records, page by page."""
    found: list[str] = []
    cursor: Cursor | None = None
    for _ in range(100):
        page, cursor = await store.page(cursor, size)
        assert len(page) <= size
        found += [record.id for record in page]
        if cursor is None:
            return found
    raise AssertionError("it never ends")


class TestPage:
    @pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
    async def test_every_run_is_on_one_page_the_newest_first(self, store: RunStore, size: int) -> None:
        """Also at the border of the last page."""
        for number in range(7):
            await submit(store, f"run-{number}", at=1_700_000_000 + number / 1e6)
        assert await all_pages(store, size) == [f"run-{number}" for number in range(6, -1, -1)]

    @pytest.mark.parametrize("size", [1, 2, 3])
    async def test_runs_of_the_same_microsecond(self, store: RunStore, size: int) -> None:
        """More than a page has."""
        for number in range(8):
            at = 1_700_000_000.123456 + (number == 0) - (number == 7)
            await submit(store, f"run-{number}", at=at)
        assert await all_pages(store, size) == [f"run-{number}" for number in range(8)]

    async def test_runs_that_arrive_meanwhile_move_nothing(self, store: RunStore) -> None:
        """They are before the first page; one of the same microsecond finds its place."""
        for number in range(4):
            await submit(store, f"run-{number}", at=1_700_000_000 + number)
        page, cursor = await store.page(None, 2)
        assert [record.id for record in page] == ["run-3", "run-2"]
        await submit(store, "new", at=1_700_000_009)
        await submit(store, "run-2b", at=1_700_000_002)
        page, cursor = await store.page(cursor, 2)
        assert [record.id for record in page] == ["run-2b", "run-1"]
        page, cursor = await store.page(cursor, 2)
        assert [record.id for record in page] == ["run-0"]
        assert cursor is None

    async def test_a_cursor_outlives_its_run(self, store: RunStore) -> None:
        """It is a place, not a run."""
        for number in range(3):
            await submit(store, f"run-{number}", at=1_700_000_000 + number)
        _, cursor = await store.page(None, 2)
        await store.request_cancel("run-1")
        await store.forget(older_than=60, keep=0)
        page, _ = await store.page(cursor, 2)
        assert [record.id for record in page] == ["run-0"]

    async def test_no_runs(self, store: RunStore) -> None:
        assert await store.page(None, 10) == ([], None)


class TestForget:
    async def test_by_number_the_oldest_end_first(self, store: RunStore) -> None:
        """Whatever has not ended stays."""
        for run_id in "abcd":
            await running(store, run_id)
        for run_id in "bac":
            await store.finish(run_id, 1, {"state": "succeeded"})
            await asyncio.sleep(0.001)
        assert await store.forget(older_than=60, keep=1) == 2
        assert [await store.get(run_id) is None for run_id in "abcd"] == [True, True, False, False]
        assert await store.events("a", 0) == []
        assert sorted(await all_pages(store, 10)) == ["c", "d"]
        assert await store.forget(older_than=60, keep=1) == 0

    async def test_by_time(self, store: RunStore) -> None:
        """Since its end, not since its submission."""
        await submit(store, "old", at=time.time() - 100)
        await running(store, "active")
        await store.request_cancel("old")
        assert await store.forget(older_than=50, keep=10) == 0
        await asyncio.sleep(0.02)
        assert await store.forget(older_than=0.01, keep=10) == 1
        assert await store.get("old") is None
        assert await store.counts() == (1, 1)

    async def test_its_key_goes_with_it(self, store: RunStore) -> None:
        """A key that leads to nothing would be of no use."""
        await submit(store, "a", key="key")
        await store.request_cancel("a")
        await store.forget(older_than=60, keep=0)
        assert await submit(store, "b", key="key", body="other") == Submitted("new", "b")

    async def test_a_key_that_was_used_again_stays(self, store: RunStore) -> None:
        """It belongs to another run now."""
        await submit(store, "a", key="key", retention=1)
        await store.request_cancel("a")
        await asyncio.sleep(1.05)
        await submit(store, "b", key="key")
        await store.forget(older_than=60, keep=0)
        assert await submit(store, "c", key="key") == Submitted("known", "b")


async def test_a_field_of_a_record(store: RunStore) -> None:
    """Also one that nobody is shown."""
    await submit(store, "a")
    assert await store.get_field("a", "message") == "message of a"
    assert await store.get_field("a", "nothing") is None
