"""Starts and ends spans of our own as the SDK's tracer would; test_differential.py compares them."""

import contextvars
import gc
import inspect
import weakref
from collections.abc import Callable

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import NoOpTracer, SpanContext, get_current_span

from retryscope._recording.fast import probe
from retryscope._recording.fast.recorder import FastRecorder
from retryscope._recording.fast.span import LiveSpan
from retryscope._recording.recorder import Recorder
from retryscope._recording.suppression import without_spans
from tests.unit.retryscope._recording.fast.spans import fast, live


def test_it_has_the_signatures_of_the_interface() -> None:
    """What works with another works with this."""
    for name, method in inspect.getmembers(Recorder, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(FastRecorder, name)) == inspect.signature(method)


def test_it_refuses_a_tracer_whose_spans_it_cannot_make() -> None:
    """Whoever asks for it has to ask first whether it can be."""
    with pytest.raises(ValueError, match="NoOpTracer"):
        FastRecorder(NoOpTracer(), lambda: 1, lambda _: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ParentBased(ALWAYS_ON), ParentBased(TraceIdRatioBased(1.0))])
def test_a_sampler_whose_answer_is_known_is_not_asked(
    sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for roots that are always sampled, and not below one that is, unless its answers are counted."""
    monkeypatch.setattr(probe, "counted_by", lambda tracer: None)
    asked: list[str] = []
    original = type(sampler).should_sample

    def should_sample(self: Sampler, parent: object, trace_id: int, name: str, *others: object) -> object:
        asked.append(name)
        return original(self, parent, trace_id, name, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(type(sampler), "should_sample", should_sample)
    with fast(sampler=sampler) as (recorder, log, _):
        outer = recorder.start("outer", {})
        recorder.end(recorder.start("inner", {}), {})
        recorder.end(outer, {})
        assert len(log.ended) == 2
    assert asked == (["outer"] if sampler.get_description().count("Ratio") else [])


def test_where_spans_are_suppressed_there_is_none() -> None:
    """By whoever's block."""
    with fast() as (recorder, log, _), without_spans():
        span = recorder.start("task price", {})
        recorder.event(span, "e", {})
        recorder.link(span, SpanContext(1, 2, is_remote=False))
        recorder.end(span, {})
        assert not span.context.is_valid
        assert log.started == []


def test_a_tracer_that_was_switched_off_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a configurator, at any time; what is below goes under the span around."""
    with fast() as (recorder, log, _):
        outer = recorder.start("outer", {})
        monkeypatch.setattr(recorder, "_enabled", lambda: False)
        inner = recorder.start("inner", {})
        assert inner.context == outer.context
        recorder.end(inner, {})
        recorder.end(outer, {})
        assert [span.name for span in log.ended] == ["outer"]


def test_spans_are_counted_for_the_sdks_own_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where these are wanted."""
    counts: list[str] = []

    def count(parent: SpanContext | None, decision: Decision) -> Callable[[], None]:
        counts.append(decision.name)
        return lambda: counts.append("end")

    with fast() as (recorder, _, _):
        monkeypatch.setattr(recorder, "_roots_sampled", False)
        monkeypatch.setattr(recorder, "_count", count)
        recorder.end(recorder.start("task price", {}), {})
    assert counts == ["RECORD_AND_SAMPLE", "end"]


def test_what_the_limits_leave_no_room_for_at_the_end_is_dropped_as_by_the_sdk() -> None:
    """Though each part alone would have had room."""
    with fast(span_limits=SpanLimits(max_span_attributes=3)) as (recorder, log, _):
        recorder.end(recorder.start("task price", {"a": 1, "b": 2}), {"c": 3, "d": 4})
        (span,) = log.ended
        assert (dict(span.attributes or {}), span.dropped_attributes) == ({"b": 2, "c": 3, "d": 4}, 1)


def test_a_key_given_twice_is_there_once() -> None:
    """The last value counts; a list is copied, an empty key dropped."""
    values = [1]
    with fast() as (recorder, log, _):
        started = recorder.start("task price", {"a": 1, "": 2, "list": values})  # type: ignore[dict-item]
        values.append(2)
        recorder.end(started, {"a": 3})
        (span,) = log.ended
        assert dict(span.attributes or {}) == {"a": 3, "list": (1,)}


def test_an_end_in_another_context_leaves_no_dead_parent_behind() -> None:
    """As the garbage collector's of a generator, or a fixture's."""
    with fast() as (recorder, _, _):

        def body() -> None:
            started = recorder.start("task price", {})
            elsewhere = contextvars.copy_context()
            elsewhere.run(recorder.end, started, {})
            assert not elsewhere.run(get_current_span).get_span_context().is_valid
            inner = recorder.start("task stock", {})
            assert live(inner).parent is None
            recorder.end(inner, {})
            assert not get_current_span().get_span_context().is_valid

        contextvars.Context().run(body)


def test_nothing_of_an_ended_span_is_kept() -> None:
    """Nor needs the garbage collector to come for it."""
    with fast() as (recorder, log, _):
        gc.collect()
        gc.disable()
        try:
            outer = recorder.start("outer", {})
            ended = recorder.start("inner", {})
            span = weakref.ref(live(ended))
            recorder.end(ended, {})
            log.clear()
            del ended
            assert span() is None
            recorder.end(outer, {})
        finally:
            gc.enable()


def test_a_failure_of_the_tracing_never_reaches_the_caller() -> None:
    """A clock that fails, at the start, in between, at the end."""
    failures: list[Exception] = []
    clock: list[Callable[[], int]] = [lambda: 1]
    with fast(lambda: clock[0](), failures.append) as (recorder, _, _):
        started = recorder.start("task price", {})
        clock[0] = lambda: 1 // 0
        recorder.event(started, "name", {})
        recorder.end(started, {})
        recorder.end(recorder.start("task price", {}), {})
        assert [type(failure) for failure in failures] == [ZeroDivisionError] * 3
        assert not trace.get_current_span().get_span_context().is_valid


def test_a_span_of_another_provider_is_a_parent_like_any_other() -> None:
    """And one of ours its."""
    with fast() as (recorder, log, _):
        other = TracerProvider(shutdown_on_exit=False).get_tracer("other")
        outer = recorder.start("outer", {})
        with other.start_as_current_span("between") as between:
            inner = recorder.start("inner", {})
            assert live(inner).parent == between.get_span_context()
            assert isinstance(between, ReadableSpan)
            assert between.parent == outer.context
            recorder.end(inner, {})
            assert get_current_span() is between
        recorder.end(outer, {})
        assert all(type(span) is LiveSpan for span in log.ended)
