"""What a worker makes of a delivery that is not the first of its run, or no longer the last."""

import asyncio

import pytest
from opentelemetry.trace import SpanContext

from tests.support.polling import until
from tests.unit.retryscope_service.runs.bench import Bench
from tests.unit.retryscope_service.runs.helpers import states

REAL_LOOP = True

pytestmark = pytest.mark.usefixtures("impatient")


async def test_it_links_to_the_first_try(bench: Bench) -> None:
    """Its span is a child of the same request, and says which delivery it is."""
    text, task = await bench.held()
    await bench.drain(0.01)
    assert task.result() is False
    other = asyncio.create_task(bench.another("w2").handle(text))
    await until(lambda: [s.name for s in bench.recorded.log.started].count("workflow cancellation") == 2)
    other.cancel()
    await other
    first, second = (span for span in bench.recorded.spans() if span.name == "workflow cancellation")
    (link,) = second.links
    assert isinstance(first.context, SpanContext)
    assert link.context.span_id == first.context.span_id
    assert dict(link.attributes or {}) == {"resilience.link.kind": "redelivery_of"}
    assert (second.attributes or {})["retryscope.run.delivery"] == 2
    assert (await bench.record()).worker == "w2"
    assert bench.count("retryscope_run_redeliveries_total", workflow="cancellation") == 1
    assert bench.count("retryscope_run_queue_wait_seconds_count") == 1


async def test_without_a_trace_of_the_first_try_there_is_no_link(bench: Bench) -> None:
    """Its worker died too early."""
    text = await bench.submit("retry", failure_rate=0.0, duration=0.0)
    await bench.store.start("a", "dead", "other call")
    await bench.worker.handle(text)
    assert bench.recorded.spans()[0].links == ()
    assert (await bench.record()).delivery == 2


async def test_a_second_delivery_at_one_worker_joins_the_run(bench: Bench) -> None:
    """Its event loop was starved and the worker got its own run again: it runs once, and is over once."""
    text, first = await bench.held()
    others = [asyncio.create_task(bench.worker.handle(text)) for _ in range(3)]
    await until(lambda: bench.count("retryscope_run_joined_deliveries_total") == 3)
    assert [s.name for s in bench.recorded.log.started].count("workflow cancellation") == 1
    assert (bench.worker.in_flight, (await bench.record()).delivery) == (1, 1)
    others[1].cancel()  # the engine knows only the last one by then
    assert await asyncio.gather(first, *others) == [True] * 4
    record = await bench.record()
    assert (record.state, record.delivery) == ("cancelled", 1)
    assert await states(bench.store, "a") == ["queued", "running", "cancelled"]
    assert bench.count("retryscope_runs_in_flight") == 0


async def test_a_run_that_was_overtaken_and_comes_back_goes_on_as_the_last_delivery(bench: Bench) -> None:
    """Who overtook it has died since: its own end is the end of the run."""
    text, first = await bench.held()
    assert (await bench.store.start("a", "w2", "other call")).delivery == 2
    again = asyncio.create_task(bench.worker.handle(text))
    await until(lambda: bench.count("retryscope_run_joined_deliveries_total") == 1)
    record = await bench.record()
    assert (record.delivery, record.worker) == (3, "w1")
    first.cancel()
    assert all(await asyncio.gather(first, again))
    assert (await bench.record()).state == "cancelled"
    assert bench.count("retryscope_run_late_results_total") == 0


async def test_a_late_end_leaves_the_message_to_its_successor(bench: Bench) -> None:
    """It would be lost otherwise when the successor dies: nothing but the last end is acknowledged."""
    _, task = await bench.held()
    await bench.store.start("a", "w2", "other call")
    task.cancel()
    assert await task is False
    assert bench.count("retryscope_run_late_results_total") == 1
    assert (await bench.record()).state == "running"


async def test_a_try_that_another_worker_has_overtaken_is_given_up(bench: Bench) -> None:
    """Nobody could cancel it once the other one has ended: it went on for as long as it lasts."""
    text, task = await bench.held()
    await bench.store.start("a", "w2", "other call")
    await bench.worker.carry_out_cancels()
    again = asyncio.create_task(bench.worker.handle(text))
    assert [await task, await again] == [False, False]
    record = await bench.record()
    assert (record.state, record.delivery, record.worker) == ("running", 2, "w2")
    assert bench.count("retryscope_run_late_results_total") == 1
    assert (bench.worker.in_flight, bench.count("retryscope_runs_in_flight")) == (0, 0)


async def test_a_delivery_that_is_just_being_taken_over_is_not_given_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store knows of it before who runs it does."""
    text, task = await bench.held()
    await bench.store.start("a", "w2", "other call")
    counted, told = bench.hold_starts(monkeypatch)
    again = asyncio.create_task(bench.worker.handle(text))
    await counted.wait()
    await bench.worker.carry_out_cancels()
    told.set()
    await until(lambda: bench.count("retryscope_run_joined_deliveries_total") == 1)
    assert not task.cancelling()
    again.cancel()
    assert [await task, await again] == [True, True]


async def test_what_has_ended_is_left_alone(bench: Bench) -> None:
    """Nothing is counted."""
    text = await bench.submit("retry", failure_rate=0.0, duration=0.0)
    await bench.worker.handle(text)
    before = await bench.record()
    await bench.worker.handle(text)
    assert await bench.record() == before
    assert len([s for s in bench.recorded.spans() if s.name == "workflow retry"]) == 1


async def test_after_too_many_it_is_lost(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Its record says why."""
    text = await bench.submit("retry", failure_rate=0.0, duration=0.0)
    for delivery in range(5):
        await bench.store.start("a", "dead", f"call {delivery}")
    await bench.worker.handle(text)
    record = await bench.record()
    assert record.state == "lost"
    assert record.error == {
        "type": "lost",
        "message": "it was delivered 5 times and ended its worker each time",
    }
    assert bench.recorded.spans() == []
    assert bench.count("retryscope_runs_total", state="lost") == 1
    assert "run a is lost" in caplog.text


async def test_a_cancel_that_its_worker_did_not_survive(bench: Bench) -> None:
    """The run does not start again; whether it cleaned up nobody knows."""
    text = await bench.submit("retry", failure_rate=0.0, duration=0.0)
    await bench.store.start("a", "dead", "other call")
    await bench.store.request_cancel("a")
    await bench.worker.handle(text)
    record = await bench.record()
    assert record.state == "lost"
    assert record.error is not None
    assert "worker died while the run was being cancelled" in record.error["message"]
