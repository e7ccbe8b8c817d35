"""Spans on an OpenTelemetry tracer: contexts, links, and failures of the tracing itself."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context, attach
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanContext, SpanKind, StatusCode
from prometheus_client import CollectorRegistry

import retryscope
import retryscope.propagation
from retryscope import (
    RetryPolicy,
    cancellable,
    cleanup,
    gather,
    retry,
    semconv,
    settle,
    step,
    timeout,
    workflow,
)
from retryscope._recording.sdk import TracerRecorder
from retryscope._recording.telemetry import active
from tests.support.clock import run
from tests.support.recorded import Recorded, SpanLog
from tests.unit.retryscope.helpers import PRICE, STOCK, Script, failer, sleeper, spans_named, value_of


def test_a_childs_span_is_under_its_parents_and_stays_in_its_task(recorded: Recorded) -> None:
    """asyncio.md 22: ``create_task`` copies the context; the child opens its span inside itself."""

    async def child(seconds: float) -> None:
        async with step(PRICE):
            await asyncio.sleep(seconds)

    async def main() -> None:
        async with workflow("checkout"):
            async with step(STOCK):
                running = asyncio.create_task(child(2))
                other = asyncio.create_task(child(3))
                await asyncio.sleep(1)
                inside = trace.get_current_span()
            assert trace.get_current_span() is not inside
            await asyncio.wait([running, other])
        assert not trace.get_current_span().get_span_context().is_valid

    run(main())
    assert recorded.outline() == "workflow checkout\n  task stock\n    task price\n    task price\n"


def test_a_span_ends_where_its_block_ends_and_its_parent_is_current_again(recorded: Recorded) -> None:
    """Whatever way the block is left."""

    async def main() -> None:
        async with workflow("checkout"):
            outer = trace.get_current_span()
            with pytest.raises(ConnectionError):
                async with step(PRICE):
                    raise ConnectionError
            assert trace.get_current_span() is outer
            with pytest.raises(TimeoutError):
                async with timeout(PRICE, 1):
                    await asyncio.sleep(60)
            assert trace.get_current_span() is outer
            with pytest.raises(ConnectionError):
                await retry(PRICE, RetryPolicy(max_attempts=2, base_delay=1)).call(failer(ConnectionError()))
            assert trace.get_current_span() is outer
            await gather(PRICE, {"a": sleeper(1)})
            await cleanup(PRICE, sleeper(1))
            await settle(sleeper(1))
            assert trace.get_current_span() is outer

    run(main())


def test_the_attempt_is_current_inside_the_called_function_and_the_retry_while_it_waits(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What other instrumentations (an HTTP client's) start goes under the attempt."""
    seen: list[str] = []

    def current() -> str:
        span = trace.get_current_span()
        assert isinstance(span, ReadableSpan)
        return span.name

    real_sleep = asyncio.sleep

    async def sleep(delay: float) -> None:
        seen.append(current())
        await real_sleep(delay)

    async def fails() -> None:
        seen.append(current())
        raise ConnectionError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(ConnectionError):
        run(retry(PRICE, RetryPolicy(max_attempts=2, base_delay=1)).call(fails))
    assert seen == ["attempt price", "retry price", "attempt price"]


def test_an_abandoned_generator_leaves_no_dead_parent_behind(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """asyncio.md 23: what comes later is not put under a span that has ended."""

    async def prices() -> AsyncIterator[int]:
        async with step(PRICE):
            for price in range(10):
                yield price

    async def main() -> None:
        async with workflow("checkout"):

            async def consume() -> None:
                async for _ in prices():
                    break  # never closed: the event loop does that, in a context of its own

            await asyncio.create_task(consume())
            await asyncio.sleep(1)
            async with step(STOCK):
                pass

    run(main())
    assert recorded.outline() == "workflow checkout\n  task price\n  task stock\n"
    (price,) = spans_named(recorded, "task price")
    assert (price.attributes or {})["resilience.outcome"] == "cancelled"
    assert caplog.records == []  # nothing was restored in a context that it does not belong to


def test_spans_are_internal_and_of_our_scope(recorded: Recorded) -> None:
    """Instrumentation scope and kind."""
    run(retry(PRICE).call(Script(1)))
    for span in recorded.spans():
        assert span.kind is SpanKind.INTERNAL
        assert span.instrumentation_scope is not None
        assert span.instrumentation_scope.name == semconv.SCOPE_NAME


def unexpected(failure: Exception) -> None:
    """Fail the test."""
    raise AssertionError from failure


class Broken(SpanProcessor):
    """Raises where it is told to."""

    def __init__(self, where: str) -> None:
        self.where = where

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if self.where == "start":
            raise RuntimeError("broken processor")

    def on_end(self, span: ReadableSpan) -> None:
        if self.where == "end":
            raise RuntimeError("broken processor")


async def use_everything() -> list[object]:
    """Every primitive, with its results."""
    async with workflow("checkout"):
        value = await retry(PRICE, RetryPolicy(base_delay=1)).call(Script(ConnectionError(), 499))
        reports = await gather(PRICE, {"a": sleeper(1, "a"), "b": failer(ConnectionError())})
        with pytest.raises(TimeoutError):
            async with timeout(STOCK, 1):
                await asyncio.sleep(60)
        running = cancellable(STOCK, sleeper(60), on_cancel=sleeper(1))
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running.task])
        return [value, *(report.outcome for report in reports), running.report.outcome]


@pytest.mark.parametrize("where", ["start", "end"])
def test_a_span_processor_that_raises_never_reaches_the_caller_and_is_counted(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Every failure counts, the first is logged; nine spans are started and ended here."""
    registry = CollectorRegistry()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Broken(where))
    retryscope.setup(registry=registry, tracer_provider=provider)
    try:
        assert run(use_everything()) == [499, "success", "error", "cancelled"]
    finally:
        retryscope.shutdown()
    recorded = Recorded(registry)
    assert value_of(recorded, "resilience_telemetry_failures_total", part="tracing") == 9
    assert value_of(recorded, "resilience_operation_duration_seconds_count") == 3
    assert value_of(recorded, "resilience_operations_in_flight") == 0
    (told,) = (r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR)
    assert told.startswith("tracing failed; further failures are only counted: Traceback (most recent")


class BrokenTracer(trace.NoOpTracer):
    def start_span(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("broken tracer")


class BrokenSpan(trace.NonRecordingSpan):
    """A user's own span class, every method of which fails."""

    def is_recording(self) -> bool:
        return True

    def _fail(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("broken span")

    add_event = add_link = set_attributes = set_status = end = _fail


class TracerOfBrokenSpans(trace.NoOpTracer):
    def __init__(self) -> None:
        self.ids = itertools.count(1)

    def start_span(self, *args: Any, **kwargs: Any) -> Any:
        flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
        return BrokenSpan(SpanContext(1, next(self.ids), is_remote=False, trace_flags=flags))


class Provider(trace.TracerProvider):
    def __init__(self, tracer: trace.Tracer) -> None:
        self.tracer = tracer

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        return self.tracer


@pytest.mark.parametrize("tracer", [BrokenTracer(), TracerOfBrokenSpans()], ids=["tracer", "spans"])
def test_a_tracer_that_raises_never_reaches_the_caller_and_is_counted(tracer: trace.Tracer) -> None:
    """Whatever provider a user brings."""
    registry = CollectorRegistry()
    retryscope.setup(registry=registry, tracer_provider=Provider(tracer))
    try:
        assert run(use_everything()) == [499, "success", "error", "cancelled"]
    finally:
        retryscope.shutdown()
    recorded = Recorded(registry)
    assert value_of(recorded, "resilience_telemetry_failures_total", part="tracing") >= 9
    assert value_of(recorded, "resilience_operation_duration_seconds_count") == 3
    assert not trace.get_current_span().get_span_context().is_valid


def test_an_exception_that_cannot_be_formatted_is_counted_and_the_span_ends(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stack trace is missing, nothing else."""

    def broken(error: BaseException) -> str:
        raise RecursionError

    monkeypatch.setattr("retryscope._recording.stacktrace.format_stacktrace", broken)
    assert (
        run(settle(retry(PRICE, RetryPolicy(max_attempts=1))(failer(ConnectionError())))).outcome
        == "exhausted"
    )
    assert value_of(recorded, "resilience_telemetry_failures_total", part="tracing") == 1
    (attempt,) = spans_named(recorded, "attempt price")
    assert (attempt.events, attempt.status.status_code) == ((), StatusCode.ERROR)


def test_a_broken_clock_is_counted() -> None:
    """An injected ``time_ns`` that fails."""
    failures: list[Exception] = []
    log = SpanLog()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(log)
    clock: list[Callable[[], int]] = [lambda: 1]
    recorder = TracerRecorder(provider.get_tracer("t"), lambda: clock[0](), failures.append)
    span = recorder.start("task price", {}, current=False)
    clock[0] = lambda: 1 // 0
    recorder.event(span, "name", {})
    recorder.end(span, {})
    assert [type(failure) for failure in failures] == [ZeroDivisionError, ZeroDivisionError]


def test_a_span_that_does_not_record_formats_no_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unsampled failure costs next to nothing."""
    recorder = TracerRecorder(trace.NoOpTracer(), lambda: 1, unexpected)
    monkeypatch.setattr("retryscope._recording.stacktrace.format_stacktrace", pytest.fail)
    span = recorder.start("task price", {}, current=False)
    recorder.exception(span, ConnectionError())
    recorder.link(span, SpanContext(1, 2, is_remote=False))
    recorder.end(span, {})
    assert span.exemplar is None


def test_a_cancel_links_to_who_asked_at_the_start_or_later(recorded: Recorded) -> None:
    """The same kind of link; a later one may be of another kind."""

    async def main() -> None:
        recorder = active().recorder
        target = SpanContext(1, 2, is_remote=False)
        early = recorder.start("cleanup price", {}, cancelled_by=target, current=False)
        late = recorder.start("task price", {}, current=False)
        recorder.link(late, target)
        recorder.link(late, target, semconv.LINK_REDELIVERY_OF)
        recorder.end(early, {})
        recorder.end(late, {})

    run(main())
    assert [
        (link.context.span_id, dict(link.attributes or {}))
        for span in recorded.spans()
        for link in span.links
    ] == [
        (2, {"resilience.link.kind": "cancelled_by"}),
        (2, {"resilience.link.kind": "cancelled_by"}),
        (2, {"resilience.link.kind": "redelivery_of"}),
    ]


REMOTE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("carrier", "trace_id"),
    [({"traceparent": REMOTE}, REMOTE[3:35]), ({"traceparent": f"{REMOTE[:-2]}00"}, None), (None, "")],
    ids=["remote", "not sampled", "none"],
)
def test_what_is_attached_after_an_ended_span_is_the_parent(
    carrier: dict[str, str] | None, trace_id: str | None, recorded: Recorded
) -> None:
    """A consumer or a server that was started inside a step: each message brings a context of its own."""

    async def consumer() -> None:
        await asyncio.sleep(1)
        attach(Context() if carrier is None else retryscope.propagation.extract(carrier))
        async with step(PRICE):
            pass

    async def main() -> None:
        async with workflow("checkout"):
            async with step(STOCK):
                consuming = asyncio.create_task(consumer())
            await consuming

    run(main())
    found = spans_named(recorded, "task price")
    if trace_id is None:
        assert found == []
    elif trace_id:
        assert [f"{span.context.trace_id:032x}" for span in found if span.context] == [trace_id]
    else:
        assert [span.parent for span in found] == [None]
