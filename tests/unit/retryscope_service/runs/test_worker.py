"""What a worker makes of a delivery: what it writes, and what it does when a cancel or a shutdown comes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from retryscope import RetryPolicy, request_cancel, retry
from retryscope import semconv as library
from retryscope_service import semconv
from retryscope_service.runs import engine_retry
from retryscope_service.runs import worker as worker_module
from retryscope_service.runs.engine import Delivery, EngineError
from retryscope_service.workflows.definition import RunContext, WorkflowDefinition, WorkflowParams
from tests.support.names import check_type
from tests.support.polling import until
from tests.unit.retryscope_service.runs.bench import HELD, PARENT, Bench
from tests.unit.retryscope_service.runs.helpers import away, states

REAL_LOOP = True

pytestmark = pytest.mark.usefixtures("impatient")


async def test_a_success_is_written_with_all_that_is_known(bench: Bench) -> None:
    """Result, times, worker; the metrics count it."""
    await bench.worker.handle(await bench.submit("retry", failure_rate=0.0, duration=0.0))
    record = await bench.record()
    assert (record.state, record.outcome, record.worker, record.delivery) == (
        "succeeded",
        "success",
        "w1",
        1,
    )
    assert record.result is not None
    assert record.result["counts"]["succeeded"] == 1
    assert record.result["trace_id"] == PARENT["traceparent"].split("-")[1]
    assert record.error is None
    assert bench.worker.in_flight == 0
    assert bench.count("retryscope_runs_total", state="succeeded", outcome="success") == 1
    assert bench.count("retryscope_runs_in_flight") == 0
    assert bench.count("retryscope_run_duration_seconds_count", state="succeeded") == 1
    assert bench.count("retryscope_run_queue_wait_seconds_count") == 1


@pytest.mark.parametrize("params", [{}, {"seed": None}, {"seed": 7}])
async def test_a_run_has_the_seed_of_its_message(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any]
) -> None:
    """Its parameters are as they were sent, perhaps without one."""
    used: list[int | None] = []

    async def run(params: WorkflowParams, context: RunContext) -> None:
        used.append(context.params.seed)

    monkeypatch.setattr(worker_module, "WORKFLOWS", workflow(run))
    message = json.loads((await bench.submit("retry", **params)).text)
    await bench.worker.handle(Delivery("a", json.dumps({**message, "seed": 2**53 - 1})))
    assert used == [2**53 - 1]


async def test_its_span_is_a_child_of_the_request(bench: Bench) -> None:
    """With the run's id, its delivery and how long it waited."""
    await bench.worker.handle(await bench.submit("retry", failure_rate=0.0, duration=0.0))
    span = bench.recorded.spans()[0]
    assert span.name == "workflow retry"
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT["traceparent"].split("-")[2]
    attributes = span.attributes or {}
    assert attributes["retryscope.run.id"] == "a"
    assert attributes["retryscope.run.delivery"] == 1
    assert 0 <= cast(float, attributes["retryscope.run.queue_wait"]) < 5
    assert span.links == ()


async def test_its_spans_have_every_attribute_of_a_run(bench: Bench) -> None:
    """And no other that the library's table has not; each of the type that the service's says."""
    await bench.worker.handle(await bench.submit("retry", failure_rate=0.0, duration=0.0))
    attributes = {
        name: value for span in bench.recorded.spans() for name, value in (span.attributes or {}).items()
    }
    own = {name: value for name, value in attributes.items() if name not in library.ATTRIBUTES}
    assert own.keys() == {name for name in semconv.ATTRIBUTES if name.startswith("retryscope.run.")}
    for name, value in own.items():
        check_type(name, value)


async def test_its_events_are_there_before_its_final_state(bench: Bench) -> None:
    """In the order in which they happened."""
    await bench.worker.handle(
        await bench.submit("retry", failure_rate=1.0, max_retries=1, duration=0.0, base_delay=0.0)
    )
    shown = [
        event["state"] if event["event"] == "state" else f"{event['event']} {event['phase']}"
        for event in await bench.store.events("a", 0)
    ]
    assert shown[:4] == ["queued", "running", "workflow started", "retry started"]
    assert shown[-3:] == ["retry ended", "workflow ended", "failed"]
    assert shown.count("attempt started") == shown.count("attempt ended") == 2


@pytest.mark.parametrize(
    ("params", "outcome", "error"),
    [
        ({"failure_rate": 1.0, "max_retries": 0, "duration": 0.0}, "exhausted", "ApiUnavailableError"),
        ({"failure_rate": 0.0, "duration": 60.0, "deadline": 0.02}, "timeout", "timeout"),
    ],
)
async def test_a_failure_is_written_with_its_error(
    bench: Bench, params: dict[str, Any], outcome: str, error: str
) -> None:
    """The delivery itself ends well: it is not to be repeated."""
    await bench.worker.handle(await bench.submit("retry", **params))
    record = await bench.record()
    assert (record.state, record.outcome) == ("failed", outcome)
    assert record.error is not None
    assert record.error["type"] == error
    assert bench.count("retryscope_runs_total", state="failed", outcome=outcome) == 1


@pytest.mark.parametrize(
    ("workflow", "params", "why"),
    [("gone", {}, "gone"), ("retry", {"max_retries": "many"}, "max_retries")],
)
async def test_what_another_version_has_submitted_fails(
    bench: Bench, workflow: str, params: dict[str, Any], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A workflow or a parameter that this one does not know; nobody waits for ever."""
    await bench.worker.handle(await bench.submit(workflow, **params))
    record = await bench.record()
    assert (record.state, record.outcome) == ("failed", "error")
    assert record.error is not None
    assert why in record.error["message"]
    assert bench.count("retryscope_runs_in_flight") == 0
    assert "can't run it" in caplog.text


class Strange(BaseException):
    """Nobody expects it, and what it says can't be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def workflow(run: Callable[..., Awaitable[None]]) -> dict[str, WorkflowDefinition[Any]]:
    """A registry with one workflow, which does this."""
    return {"retry": WorkflowDefinition("retry", "", WorkflowParams, run)}


@pytest.mark.parametrize(
    "error",
    [RuntimeError("broken"), Strange(), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), MemoryError()],
    ids=lambda error: type(error).__name__,
)
async def test_a_run_ends_whatever_it_raises(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """As failed, with the error; its place is given back, and the worker goes on."""

    async def run(params: WorkflowParams, context: RunContext) -> None:
        raise error

    monkeypatch.setattr(worker_module, "WORKFLOWS", workflow(run))
    assert await bench.worker.handle(await bench.submit("retry"))
    record = await bench.record()
    assert (record.state, record.outcome) == ("failed", "error")
    assert record.error is not None
    assert record.error["type"] == type(error).__name__
    assert await bench.store.counts() == (0, 0)
    assert bench.count("retryscope_runs_in_flight") == 0
    assert bench.count("retryscope_runs_total", state="failed", outcome="error") == 1


@pytest.mark.parametrize(
    "value",
    [object(), {1, object()}, b"\xff", float("nan"), {"a": [float("inf")]}, "\ud800"],
    ids=["object", "set", "bytes", "nan", "inf", "surrogate"],
)
async def test_a_result_that_can_not_be_written_ends_the_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    """Nothing that a task returns keeps its run from ending, or its record from being read."""

    async def run(params: WorkflowParams, context: RunContext) -> None:
        async def task() -> object:
            return value

        await context.call("task", task)

    monkeypatch.setattr(worker_module, "WORKFLOWS", workflow(run))
    assert await bench.worker.handle(await bench.submit("retry"))
    record = await bench.record()
    assert record.state in {"failed", "succeeded"}
    assert (record.error is None) == (record.state == "succeeded")
    json.dumps(record.model_dump(mode="json"), allow_nan=False)
    assert await bench.store.counts() == (0, 0)


async def test_telemetry_that_breaks_does_not_keep_a_run_from_ending(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with OTEL_PROPAGATORS=none, where there was nothing to extract with; and beyond what is guarded."""

    def broken(carrier: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'extract'")

    monkeypatch.setattr("opentelemetry.propagate.extract", broken)
    monkeypatch.setattr("retryscope_service.runs.worker.extract", broken)
    assert await bench.worker.handle(await bench.submit("retry"))
    assert (await bench.record()).state == "failed"
    assert await bench.store.counts() == (0, 0)


async def test_a_message_that_can_not_be_read_ends_its_run(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Another version of the service wrote it."""
    await bench.submit("retry")
    assert await bench.worker.handle(Delivery("a", '{"id": 7}'))
    record = await bench.record()
    assert record.state == "failed"
    assert record.error is not None
    assert "can't read its message" in record.error["message"]
    assert await bench.store.counts() == (0, 0)


class TestCancel:
    async def test_the_run_is_cancelled_when_its_cleanup_has_ended(self, bench: Bench) -> None:
        """The record says how the cleanup went."""
        _, task = await bench.held()
        await bench.store.request_cancel("a")
        request_cancel(task, "request")
        await asyncio.sleep(0.005)
        assert (await bench.record()).state == "cancelling"
        assert await task
        record = await bench.record()
        assert (record.state, record.outcome, record.cleanups) == ("cancelled", "cancelled", {"completed": 1})
        assert record.error is None
        assert await states(bench.store, "a") == ["queued", "running", "cancelling", "cancelled"]
        assert bench.worker.in_flight == 0

    async def test_a_second_cancel_does_not_stop_the_writing(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What became of it must be kept."""
        writing, go_on = asyncio.Event(), asyncio.Event()
        finish = bench.store.finish

        async def slow(*args: Any) -> bool:
            writing.set()
            await go_on.wait()
            return await finish(*args)

        monkeypatch.setattr(bench.store, "finish", slow)
        _, task = await bench.held()
        task.cancel()
        await writing.wait()
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        assert await task
        assert (await bench.record()).state == "cancelled"

    async def test_a_cancel_while_a_success_is_written_comes_too_late(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The success stays; the cancel goes on to who asked."""
        writing = asyncio.Event()
        finish = bench.store.finish

        async def slow(*args: Any) -> bool:
            writing.set()
            await asyncio.sleep(0.01)
            return await finish(*args)

        monkeypatch.setattr(bench.store, "finish", slow)
        text = await bench.submit("retry", failure_rate=0.0, duration=0.0)
        task = asyncio.create_task(bench.worker.handle(text))
        await writing.wait()
        task.cancel()
        assert await task
        assert (await bench.record()).state == "succeeded"

    async def test_a_cancel_while_it_is_being_started(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is carried out as soon as there is something to cancel."""
        starting, go_on = bench.hold_starts(monkeypatch)
        text = await bench.submit("cancellation", **HELD)
        task = asyncio.create_task(bench.worker.handle(text))
        await starting.wait()
        await bench.store.request_cancel("a")
        request_cancel(task, "request")
        await asyncio.sleep(0)
        go_on.set()
        assert await task
        assert (await bench.record()).state == "cancelled"
        assert bench.count("retryscope_runs_in_flight") == 0

    async def test_a_cancel_of_what_has_ended_goes_on(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There is nothing to be written."""
        starting = asyncio.Event()
        start = bench.store.start

        async def slow(*args: Any) -> Any:
            starting.set()
            await asyncio.sleep(0.01)
            return await start(*args)

        monkeypatch.setattr(bench.store, "start", slow)
        text = await bench.submit("cancellation", **HELD)
        await bench.store.request_cancel("a")
        task = asyncio.create_task(bench.worker.handle(text))
        await starting.wait()
        task.cancel()
        assert await task
        assert await states(bench.store, "a") == ["queued", "cancelled"]

    async def test_a_cancel_whose_message_was_lost_is_carried_out(self, bench: Bench) -> None:
        """Once; what nobody wants cancelled goes on."""
        _, task = await bench.held()
        await bench.worker.carry_out_cancels()
        await asyncio.sleep(0)
        assert not task.cancelling()
        await bench.store.request_cancel("a")
        await bench.worker.carry_out_cancels()
        await bench.worker.carry_out_cancels()
        assert task.cancelling() == 1
        assert await task
        assert (await bench.record()).state == "cancelled"


class TestShutdown:
    async def test_what_ends_in_time_is_not_disturbed(self, bench: Bench) -> None:
        """Nothing new is taken meanwhile."""
        text = await bench.submit("retry", failure_rate=0.0, duration=0.03)
        task = asyncio.create_task(bench.worker.handle(text))
        await until(lambda: bench.worker.in_flight == 1)
        await bench.drain(5)
        await task
        assert (await bench.record()).state == "succeeded"
        assert bench.intake.told == ["pause", "stop"]

    async def test_a_shared_engine_gets_the_rest_back(self, bench: Bench) -> None:
        """It waits again, with its cleanup done; the record tells."""
        _, task = await bench.held()
        await bench.drain(0.01)
        assert task.result() is False
        record = await bench.record()
        assert (record.state, record.handed_back, record.outcome) == ("queued", 1, None)
        assert await states(bench.store, "a") == ["queued", "running", "queued"]
        assert bench.count("retryscope_runs_total", state="queued") == 1

    @pytest.mark.parametrize("workflow", ["cancellation", "retry"])
    async def test_an_engine_that_is_away_finds_out_by_itself(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, workflow: str
    ) -> None:
        """The delivery is given up like that of a worker that died: no success and no failure is claimed.

        Whether the run was cancelled by the shutdown, or has ended and could not be written.
        """
        monkeypatch.setattr(engine_retry, "LAST_SECONDS", 0.02)
        policy = RetryPolicy(max_attempts=10_000, base_delay=0.002, max_delay=0.002, retry_on=(EngineError,))

        def lose_the_engine() -> None:
            for name in ("finish", "hand_back", "add_events"):
                monkeypatch.setattr(bench.store, name, _async_away)
            monkeypatch.setattr(engine_retry, "_for_run", retry(engine_retry.ENGINE_CALL, policy))

        if workflow == "cancellation":
            _, task = await bench.held()
            lose_the_engine()
        else:
            text = await bench.submit("retry", failure_rate=0.0, duration=0.0)
            lose_the_engine()
            task = asyncio.create_task(bench.worker.handle(text))
            await until(lambda: bench.worker.in_flight == 1)
        await asyncio.wait_for(bench.drain(0.1), 5)
        assert task.result() is False
        record = await bench.record()
        assert (record.state, record.delivery, record.handed_back) == ("running", 1, 0)
        assert bench.worker.in_flight == 0
        assert "run a is left to another worker" in caplog.text

    async def test_while_nobody_shuts_down_an_engine_that_stays_away_is_an_error(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is not taken for a cancel."""
        text = await bench.submit("retry", failure_rate=0.0, duration=0.0)
        monkeypatch.setattr(bench.store, "finish", _async_away)
        with pytest.raises(EngineError):
            await bench.worker.handle(text)

    async def test_on_an_embedded_engine_the_rest_is_cancelled(self, bench: Bench) -> None:
        """There is nobody to hand it to."""
        bench.engine.shared = False
        _, task = await bench.held()
        await bench.drain(0.01)
        assert task.result()
        record = await bench.record()
        assert (record.state, record.handed_back) == ("cancelled", 0)
        assert record.cleanups == {"completed": 1}

    async def test_a_run_that_is_being_cancelled_is_not_handed_back(self, bench: Bench) -> None:
        """Somebody has been told that it will be."""
        _, task = await bench.held()
        await bench.store.request_cancel("a")
        await bench.drain(0.01)
        assert task.result()
        assert (await bench.record()).state == "cancelled"

    async def test_a_delivery_that_another_one_has_overtaken_writes_nothing(self, bench: Bench) -> None:
        """It was frozen; the run is the other worker's now."""
        await bench.held()
        await bench.store.start("a", "w2", "other call")
        await bench.drain(0.01)
        record = await bench.record()
        assert (record.state, record.worker, record.handed_back) == ("running", "w2", 0)

    async def test_a_delivery_that_comes_after_it_is_not_started(self, bench: Bench) -> None:
        """The engine gives it to another worker."""
        await bench.drain(0.01)
        text = await bench.submit("retry", failure_rate=0.0, duration=0.0)
        task = asyncio.create_task(bench.worker.handle(text))
        assert await task is False
        assert (await bench.record()).delivery == 0


async def _async_away(*args: Any) -> None:
    away()


def flaky(fn: Callable[..., Awaitable[Any]], failures: int) -> Callable[..., Awaitable[Any]]:
    """Fails that often, first without an effect, then after it: the answer got lost."""
    left = [failures]

    async def call(*args: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            if left[0] % 2:
                await fn(*args)
            away()
        return await fn(*args)

    return call


async def test_an_engine_that_is_away_for_a_moment_changes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when answers get lost: one delivery, one end."""
    for name in ("start", "finish", "add_events"):
        monkeypatch.setattr(bench.store, name, flaky(getattr(bench.store, name), 4))
    await bench.worker.handle(await bench.submit("retry", failure_rate=0.0, duration=0.0))
    record = await bench.record()
    assert (record.state, record.delivery) == ("succeeded", 1)
    assert await states(bench.store, "a") == ["queued", "running", "succeeded"]
    assert bench.count("retryscope_runs_total", state="succeeded") == 1


async def test_the_result_is_that_of_an_inline_run(bench: Bench) -> None:
    """Null members included."""
    await bench.worker.handle(await bench.submit("retry", failure_rate=0.0, duration=0.0))
    text = await bench.store.get_field("a", "result")
    assert text is not None
    assert set(json.loads(text)) == {
        "workflow",
        "outcome",
        "trace_id",
        "duration_seconds",
        "counts",
        "tasks",
    }
