"""The interface that the primitives record through, and telemetry that is off."""

import asyncio
import inspect
from typing import Any

import pytest
from opentelemetry.trace import INVALID_SPAN_CONTEXT
from prometheus_client import CollectorRegistry

import retryscope
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
from retryscope._recording.recorder import NullRecorder, Recorder
from retryscope._recording.sdk import TracerRecorder
from retryscope._recording.telemetry import active
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK, Script, failer, sleeper, value_of


@pytest.fixture
def disabled(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("OTEL_SDK_DISABLED", " True ")
    registry = CollectorRegistry()
    retryscope.setup(registry=registry)
    yield Recorded(registry)
    retryscope.shutdown()


def test_with_otel_sdk_disabled_nothing_is_recorded_and_everything_counted(disabled: Recorded) -> None:
    """Spans are off; metrics, reports and behaviour stay."""
    assert isinstance(active().recorder, NullRecorder)

    async def main() -> None:
        async with workflow("checkout", deadline=60):
            await retry(PRICE, RetryPolicy(base_delay=0.5)).call(Script(OSError(), 1))
            calls = {"a": retry(PRICE, RetryPolicy(max_attempts=1))(failer(OSError())), "b": sleeper(60)}
            with pytest.raises(ExceptionGroup):
                await gather(PRICE, calls, fail_fast=True)
            with pytest.raises(TimeoutError):
                async with timeout(STOCK, 1):
                    await asyncio.sleep(60)
            running = cancellable(STOCK, sleeper(60), on_cancel=failer(OSError()))
            await asyncio.sleep(1)
            running.cancel()
            await asyncio.wait([running.task])
            assert running.report.span == INVALID_SPAN_CONTEXT
            await cleanup(STOCK, sleeper(1))

    run(main())
    assert value_of(disabled, "resilience_operation_duration_seconds_count") == 4
    assert value_of(disabled, "resilience_attempts_total") == 5
    assert value_of(disabled, "resilience_cancellations_total", cause="request") == 1
    assert value_of(disabled, "resilience_operations_in_flight") == 0
    assert value_of(disabled, "resilience_telemetry_failures_total") == 0


def test_a_null_span_has_no_ids() -> None:
    """So no exemplar, no header, no link."""
    recorder = NullRecorder()
    span = recorder.start("task price", {})
    assert (span.context, span.exemplar) == (INVALID_SPAN_CONTEXT, None)
    assert recorder.current() == INVALID_SPAN_CONTEXT
    recorder.event(span, "name", {})
    recorder.exception(span, ValueError())
    recorder.link(span, INVALID_SPAN_CONTEXT)
    recorder.link(span, INVALID_SPAN_CONTEXT, semconv.LINK_REDELIVERY_OF)
    recorder.end(span, {})


@pytest.mark.parametrize("implementation", [NullRecorder, TracerRecorder])
def test_every_recorder_has_the_signatures_of_the_interface(implementation: type) -> None:
    """What works with one works with the other."""
    for name, method in inspect.getmembers(Recorder, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(implementation, name)) == inspect.signature(method)


def test_reports_work_without_spans(disabled: Recorded) -> None:
    """They don't depend on the tracing."""

    async def body() -> None:
        async with step(PRICE):
            raise OSError

    assert run(settle(body)).outcome == "error"
