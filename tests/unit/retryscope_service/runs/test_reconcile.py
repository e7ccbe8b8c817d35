"""Runs that have not ended and that the engine no longer holds are found, and handed over again."""

import asyncio
import time

import pytest

from retryscope_service.runs import background as background_module
from retryscope_service.runs import store as store_module
from retryscope_service.runs.background import BackgroundRuns
from retryscope_service.runs.engine import Engine
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.store import RunStore
from tests.support.polling import until
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.runs.helpers import Handler, pending, submit

REAL_LOOP = True


@pytest.fixture
def handler(any_engine: Engine) -> Handler:
    """What runs messages."""
    handler = Handler()
    any_engine.register(handler)
    return handler


@pytest.fixture
def store(any_engine: Engine, handler: Handler) -> RunStore:
    """The records on each kind of engine."""
    return RunStore(any_engine)


@pytest.fixture
def background(any_engine: Engine, store: RunStore, metrics: RunMetrics) -> BackgroundRuns:
    """Runs of that engine."""
    return BackgroundRuns(any_engine, store, metrics, limit=100, retention=60)


async def hand_over(engine: Engine, store: RunStore, run_id: str, text: str = "") -> None:
    """A run that the engine holds."""
    await submit(store, run_id)
    await engine.enqueue(run_id, text or f"message of {run_id}")
    await store.unheld(0, 0, 10)


async def lose(engine: Engine) -> None:
    """All messages are gone from the engine."""
    async with engine.redis() as redis:
        await redis.delete(engine.stream)


async def test_what_the_engine_holds_is_left_alone(
    any_engine: Engine, store: RunStore, handler: Handler
) -> None:
    """Waiting, delivered, or on its way between its record and the engine."""
    async with any_engine.working("w", 1):
        await hand_over(any_engine, store, "running", "hold")
        await until(lambda: handler.started)
        await hand_over(any_engine, store, "waiting", "hold too")
        await submit(store, "on its way")
        found = await store.reconcile(0, 10)
        handler.hold.set()
    assert found == (3, [])


@pytest.mark.parametrize("state", ["queued", "running", "cancelling"])
async def test_what_it_lost_is_handed_over_again_once(
    any_engine: Engine,
    store: RunStore,
    background: BackgroundRuns,
    handler: Handler,
    timed: Recorded,
    state: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Though several processes look for it at once."""
    await hand_over(any_engine, store, "a")
    if state != "queued":
        await store.start("a", "dead", "call")
    if state == "cancelling":
        await store.request_cancel("a")
    await lose(any_engine)
    await asyncio.gather(*(background.reconcile() for _ in range(5)))
    assert caplog.text.count("run a has not ended") == 1
    counted = {
        name: value for (name, labels), value in timed.samples().items() if "retry" in dict(labels).values()
    }
    assert counted["retryscope_run_reconciled_total"] == 1
    await background.reconcile()
    async with any_engine.working("w", 10):
        await until(lambda: handler.ended)
        await asyncio.sleep(0.05)
    assert handler.started == ["message of a"]


async def test_a_message_that_got_lost_before_the_run_started_is_looked_for(
    any_engine: Engine,
    store: RunStore,
    background: BackgroundRuns,
    handler: Handler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The engine believes that it was delivered; nobody knows which message it was."""
    await submit(store, "a", at=time.time() - 100)
    await any_engine.enqueue("a", "message of a")
    async with any_engine.redis() as redis:
        await redis.hdel(any_engine.task("a"), "stream_id", "known")
        await redis.hset(any_engine.task("a"), "state", "running")
    monkeypatch.setattr(store_module, "UNSTARTED_SECONDS", 1000)
    await background.reconcile()
    assert await pending(store) == ["a"]  # it may start yet
    monkeypatch.setattr(store_module, "UNSTARTED_SECONDS", 10)
    await background.reconcile()
    assert await pending(store) == []  # the message is there
    assert await store.reconcile(0, 10) == (1, [])
    await lose(any_engine)
    for _ in range(2):
        await background.reconcile()
    async with any_engine.working("w", 10):
        await until(lambda: handler.ended)
    assert handler.started == ["message of a"]


async def test_who_has_no_record_or_has_ended_has_no_place(any_engine: Engine, store: RunStore) -> None:
    """As when Redis removed it: it would count as active for ever."""
    await hand_over(any_engine, store, "gone")
    await hand_over(any_engine, store, "there")
    await store.start("gone", "w", "call")
    async with any_engine.redis() as redis:
        await redis.delete(any_engine.key("run:gone"))
    assert await store.counts() == (2, 1)
    assert await store.reconcile(0, 10) == (2, [])
    assert await store.counts() == (1, 0)
    assert [record.id for record in (await store.page(None, 10))[0]] == ["there"]


async def test_it_looks_at_some_at_a_time_and_goes_on_behind_them(
    any_engine: Engine, store: RunStore, background: BackgroundRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are active, one look costs the same."""
    monkeypatch.setattr(background_module, "RECONCILE_AT_ONCE", 2)
    looked = []
    look = store.reconcile

    async def noted(start: int, number: int) -> tuple[int, list[tuple[str, str]]]:
        found = await look(start, number)
        looked.append((start, found[0]))
        return found

    monkeypatch.setattr(store, "reconcile", noted)
    for number in range(5):
        await hand_over(any_engine, store, f"{number}")
    for _ in range(4):
        await background.reconcile()
    assert looked == [(0, 2), (2, 2), (4, 1), (0, 2)]
