"""Background runs as a client sees them: submitting, listing, cancelling; and what a crash leaves behind."""

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from retryscope import workflow
from retryscope_service.runs import background as background_module
from retryscope_service.runs.background import BackgroundRuns, IdempotencyConflictError
from retryscope_service.runs.cursor import Cursor
from retryscope_service.runs.engine import Engine, EngineError
from retryscope_service.runs.filter import Filter
from retryscope_service.runs.inline import TooManyRunsError
from retryscope_service.runs.message import RunMessage
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.store import RunStore
from retryscope_service.workflows.cancellation import CANCELLATION
from retryscope_service.workflows.retry import RETRY, RetryParams
from tests.support.polling import LIMIT
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.runs.helpers import Handler, away, pending, submit

REAL_LOOP = True

pytestmark = pytest.mark.usefixtures("impatient")


class Handed(list[tuple[str, str]]):
    """What the engine was handed, which runs it was to cancel, and which to take back."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []
        self.taken_back: list[str] = []


@pytest.fixture
def handed(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Handed:
    handed = Handed()
    engine.register(Handler())
    add = engine.enqueue

    async def enqueue(run_id: str, message: str) -> None:
        handed.append((run_id, message))
        await add(run_id, message)

    async def cancel(run_id: str) -> None:
        handed.cancelled.append(run_id)

    async def take_back(run_id: str) -> None:
        handed.taken_back.append(run_id)

    monkeypatch.setattr(engine, "enqueue", enqueue)
    monkeypatch.setattr(engine, "take_back", take_back)
    monkeypatch.setattr(engine, "cancel", cancel)
    return handed


@pytest.fixture
def background(engine: Engine, runs: RunStore, metrics: RunMetrics, handed: Handed) -> BackgroundRuns:
    return BackgroundRuns(engine, runs, metrics, limit=3, retention=60)


class TestSubmit:
    async def test_it_is_stored_and_handed_over(
        self, background: BackgroundRuns, handed: Handed, runs: RunStore
    ) -> None:
        """One JSON string, with a seed."""
        before = time.time()
        run_id, new = await background.submit(RETRY, RetryParams(max_retries=2), None)
        ((key, text),) = handed
        message = RunMessage.model_validate_json(text)
        assert before <= message.submitted_at <= time.time()
        assert new
        assert key == message.id == run_id
        assert (message.workflow, message.params["max_retries"]) == ("retry", 2)
        record = await background.get(run_id)
        assert record is not None
        assert (record.state, record.workflow, record.trace_id) == ("queued", "retry", None)
        assert await runs.unheld(0, 0, 10) == ([], None)

    async def test_a_seed_is_drawn_unless_it_is_given(
        self, background: BackgroundRuns, handed: Handed
    ) -> None:
        """Every delivery has the same one, and the record has it among the parameters."""
        recorded = []
        for params in (RetryParams(max_retries=2), RetryParams(max_retries=2), RetryParams(seed=7)):
            run_id, _ = await background.submit(RETRY, params, None)
            record = await background.get(run_id)
            assert record is not None
            recorded.append(record.params)
        one, other, given = (json.loads(text)["seed"] for _, text in handed)
        assert one != other
        assert given == 7
        assert recorded == [
            RetryParams(max_retries=2, seed=one).model_dump(mode="json"),
            RetryParams(max_retries=2, seed=other).model_dump(mode="json"),
            RetryParams(seed=7).model_dump(mode="json"),
        ]

    async def test_it_carries_the_trace_of_the_request(
        self, background: BackgroundRuns, handed: Handed, timed: Recorded
    ) -> None:
        """The run will be a child of it; the calls of the engine are no part of it."""
        async with workflow("request") as request:
            run_id, _ = await background.submit(RETRY, RetryParams(), None)
        trace_id = f"{request.span.trace_id:032x}"
        parent = json.loads(handed[0][1])["traceparent"]["traceparent"]
        assert parent.startswith(f"00-{trace_id}-{request.span.span_id:016x}-")
        record = await background.get(run_id)
        assert record is not None
        assert record.trace_id == trace_id
        assert timed.outline() == "workflow request\n"

    async def test_the_same_key_gives_the_same_run(self, background: BackgroundRuns, handed: Handed) -> None:
        """It is handed over once."""
        first, _ = await background.submit(RETRY, RetryParams(), "key")
        assert await background.submit(RETRY, RetryParams(), "key") == (first, False)
        assert len(handed) == 1

    async def test_the_same_key_with_something_else_is_a_conflict(self, background: BackgroundRuns) -> None:
        """Other parameters, or another workflow."""
        first, _ = await background.submit(RETRY, RetryParams(), "key")
        with pytest.raises(IdempotencyConflictError) as refused:
            await background.submit(RETRY, RetryParams(max_retries=1), "key")
        assert refused.value.run_id == first
        with pytest.raises(IdempotencyConflictError):
            await background.submit(CANCELLATION, CANCELLATION.params(), "key")

    async def test_beyond_the_limit_nothing_starts(
        self, background: BackgroundRuns, handed: Handed, timed: Recorded
    ) -> None:
        """A bound on runs that have not ended."""
        for _ in range(3):
            await background.submit(RETRY, RetryParams(), None)
        with timed.changes() as changes, pytest.raises(TooManyRunsError) as refused:
            await background.submit(RETRY, RetryParams(), None)
        assert refused.value.limit == 3
        assert len(handed) == 3
        assert not any(name.startswith("retryscope_runs") for name in changes)

    async def test_an_engine_that_is_away(
        self, background: BackgroundRuns, runs: RunStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The error tells the client."""
        monkeypatch.setattr(runs, "submit", away)
        with pytest.raises(EngineError):
            await background.submit(RETRY, RetryParams(), None)


class TestReconcile:
    async def test_a_crash_between_storing_and_handing_over(
        self, background: BackgroundRuns, handed: Handed, runs: RunStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Somebody else hands it over, as it was, once."""
        monkeypatch.setattr(background_module, "RECONCILE_AFTER", 0)
        await submit(runs, "a")
        for _ in range(2):
            await background.reconcile()
        assert handed == [("a", "message of a")]

    async def test_a_submission_under_way_is_left_alone(
        self, background: BackgroundRuns, handed: Handed, runs: RunStore
    ) -> None:
        """For five seconds."""
        await submit(runs, "a")
        await submit(runs, "b", at=time.time() - 6)
        await background.reconcile()
        assert [run_id for run_id, _ in handed] == ["b"]

    async def test_an_engine_that_refuses_gets_it_later(
        self,
        background: BackgroundRuns,
        engine: Engine,
        handed: Handed,
        runs: RunStore,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """What was stored is not lost, although the client got an error."""
        monkeypatch.setattr(background_module, "RECONCILE_AFTER", 0)
        with monkeypatch.context() as outage:
            outage.setattr(engine, "enqueue", away)
            with pytest.raises(EngineError):
                await background.submit(RETRY, RetryParams(), None)
        assert len((await runs.unheld(0, 0, 10))[0]) == 1
        await background.reconcile()
        assert len(handed) == 1

    async def test_what_was_forgotten_is_not_looked_for_again(
        self, background: BackgroundRuns, handed: Handed, engine: Engine, runs: RunStore
    ) -> None:
        """There is nothing to hand over."""
        await submit(runs, "a", at=time.time() - 60)
        async with engine.redis() as redis:
            await redis.delete(engine.key("run:a"))
        await background.reconcile()
        assert handed == []
        assert await pending(runs) == []


BASE = 1_700_000_000


async def list_all(
    background: BackgroundRuns, wanted: Filter, limit: int, cursor: Cursor | None = None
) -> list[str]:
    """The ids on all pages."""
    found: list[str] = []
    for _ in range(50):
        page, cursor = await background.list(wanted, cursor, limit)
        assert len(page) <= limit
        found += [record.id for record in page]
        if cursor is None:
            return found
    raise AssertionError("it never ends")


class TestList:
    @pytest.fixture
    async def ten(self, runs: RunStore) -> None:
        """Runs 0 to 9, a second apart; every third was cancelled, 4 runs."""
        for number in range(10):
            await submit(runs, f"{number}", at=BASE + number)
        for number in (0, 3, 6, 9):
            await runs.request_cancel(f"{number}")
        await runs.start("4", "w", "call")

    @pytest.mark.parametrize("limit", [1, 3, 100])
    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            (Filter(), "9876543210"),
            (Filter(workflow={"retry"}), "9876543210"),
            (Filter(workflow={"timeouts"}), ""),
            (Filter(state={"cancelled"}), "9630"),
            (Filter(state={"running"}), "4"),
            (Filter(state=("running", "cancelled")), "96430"),
            (Filter(outcome={"cancelled"}), "9630"),
            (Filter(outcome={"success"}), ""),
            (Filter(since=datetime.fromtimestamp(BASE + 7, UTC)), "987"),
            (Filter(until=datetime.fromtimestamp(BASE + 2, UTC)), "210"),
            (Filter(until=datetime.fromtimestamp(BASE + 2.5, UTC), state={"cancelled"}), "0"),
            (Filter(until=datetime(1, 1, 1, tzinfo=UTC)), ""),
            (Filter(until=datetime(9999, 1, 1, tzinfo=UTC), failures={"none"}), "9630"),
            (Filter(failures={"some"}), ""),
            (Filter(trace_id="0" * 32), ""),
            (Filter(state={"queued"}, since=datetime.fromtimestamp(BASE + 5, UTC)), "875"),
        ],
        ids=str,
    )
    @pytest.mark.usefixtures("ten")
    async def test_what_a_filter_wants_the_newest_first(
        self, background: BackgroundRuns, wanted: Filter, limit: int, expected: str
    ) -> None:
        """On any number of pages."""
        assert await list_all(background, wanted, limit) == list(expected)

    @pytest.mark.usefixtures("ten")
    async def test_a_listing_looks_at_so_many_records_and_no_more(
        self, background: BackgroundRuns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An empty page may still have a next one."""
        monkeypatch.setattr(background_module, "SCAN_LIMIT", 4)
        page, cursor = await background.list(Filter(state={"running"}), None, 2)
        assert page == []
        assert cursor is not None
        assert await list_all(background, Filter(state={"running"}), 2, cursor) == ["4"]

    @pytest.mark.usefixtures("ten")
    async def test_a_run_that_arrives_meanwhile_moves_nothing(
        self, background: BackgroundRuns, runs: RunStore
    ) -> None:
        page, cursor = await background.list(Filter(), None, 5)
        await submit(runs, "new", at=BASE + 99)
        assert [record.id for record in page] == list("98765")
        assert await list_all(background, Filter(), 5, cursor) == list("43210")


class TestCancel:
    async def test_it_reaches_the_engine(
        self, background: BackgroundRuns, handed: Handed, runs: RunStore, timed: Recorded
    ) -> None:
        """Waiting or running; a waiting one counts as cancelled here, since no worker ever sees it."""
        with timed.changes() as changes:
            await submit(runs, "a")
            assert await background.cancel("a") == ("cancelled", "queued")
            await submit(runs, "b")
            await runs.start("b", "w", "call")
            assert await background.cancel("b") == ("cancelling", "running")
        assert (handed.taken_back, handed.cancelled) == (["a"], ["b"])
        counted = {name: value for name, value in changes.items() if name.startswith("retryscope_runs_total")}
        assert counted == {
            'retryscope_runs_total{outcome="cancelled", state="cancelled", workflow="retry"}': 1
        }

    async def test_what_has_ended_or_is_unknown_does_not(
        self, background: BackgroundRuns, handed: Handed, runs: RunStore
    ) -> None:
        await submit(runs, "a")
        await background.cancel("a")
        assert await background.cancel("a") == ("ended", "cancelled")
        assert await background.cancel("unknown") == ("unknown", "")
        assert (handed.taken_back, handed.cancelled) == (["a"], [])


async def test_following(background: BackgroundRuns, runs: RunStore) -> None:
    """From any position to the final state."""
    await submit(runs, "a")
    await runs.request_cancel("a")
    async with asyncio.timeout(LIMIT):
        items: list[Any] = [item async for item in background.follow("a", 1, 10)]
    assert [(position, event["state"]) for position, event in items] == [(1, "cancelled")]
