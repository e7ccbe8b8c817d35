"""Spans as OTLP protobuf: parsed, the same as what the SDK's encoder writes."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from retryscope._recording import otlp
from retryscope._recording.backlog import Backlog, request_of
from retryscope._recording.otlp import encode
from tests.support.recorded import SpanLog
from tests.unit.retryscope._recording.fast.programs import attributes
from tests.unit.retryscope._recording.fast.spans import fast, live

ids = st.integers(1, 2**64 - 1)
contexts = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    ids,
    is_remote=st.booleans(),
    trace_flags=st.just(TraceFlags(1)),
    trace_state=st.sampled_from([None, TraceState([("a", "1"), ("b", "2")])]),
)
statuses = st.one_of(
    st.sampled_from([Status(StatusCode.OK), Status(StatusCode.UNSET)]),
    st.builds(Status, st.just(StatusCode.ERROR), st.none() | st.text(max_size=300)),
)


def same(*spans: ReadableSpan) -> bool:
    backlog = Backlog(100, 10_000_000)
    for span in spans:
        backlog.add(span.resource, span.instrumentation_scope, encode(span), 0)
    ours = ExportTraceServiceRequest.FromString(request_of(backlog.take(100, 10_000_000)))
    return bool(ours == encode_spans(spans))


@settings(max_examples=200)
@given(
    parent=st.none() | contexts,
    name=st.text(max_size=200),
    kind=st.sampled_from(list(SpanKind)),
    pairs=attributes,
    links=st.lists(st.tuples(contexts, attributes), max_size=2),
    events=st.lists(st.tuples(st.text(max_size=20), attributes, st.integers(0, 2**63)), max_size=3),
    status=statuses,
    most=st.sampled_from([None, 1, 2]),
)
def test_any_span_of_the_sdks(
    parent: SpanContext | None,
    name: str,
    kind: SpanKind,
    pairs: dict[str, Any],
    links: list[Any],
    events: list[Any],
    status: Status,
    most: int | None,
) -> None:
    """Those of other instrumentations leave by the same queue."""
    log = SpanLog()
    limits = SpanLimits(max_span_attributes=most, max_events=most, max_links=most, max_event_attributes=most)
    provider = TracerProvider(
        shutdown_on_exit=False,
        span_limits=limits,
        resource=Resource({"service.name": "shop", "list": [1, 2]}, "https://schema"),
    )
    provider.add_span_processor(log)
    tracer = provider.get_tracer("others", "1.0", "https://scope", {"a": 1})
    context = None if parent is None else set_span_in_context(NonRecordingSpan(parent))
    span = tracer.start_span(name, context, kind, pairs, [Link(*each) for each in links])
    for event in events:
        span.add_event(*event)
    span.set_status(status)
    span.end()
    assert same(*log.ended)


def test_spans_of_ours_and_of_the_sdks_in_one_request() -> None:
    """Each under its scope."""
    with fast() as (recorder, log, provider):
        started = recorder.start("retry price", {"resilience.operation": "price"}, kind=SpanKind.SERVER)
        provider.get_tracer("others").start_span("GET").end()
        recorder.end(started, {"resilience.outcome": "success"})
        assert same(*log.ended[::-1])


def test_what_no_64_bits_can_hold_is_an_error() -> None:
    """Who encodes it counts it."""
    with fast() as (recorder, log, _):
        started = recorder.start("retry price", {})
        live(started).add_event("before time", timestamp=-1)
        recorder.end(started, {})
        with pytest.raises(struct.error):
            encode(log.ended[0])


def test_names_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with an id in it is somebody's mistake, not a leak of ours."""
    monkeypatch.setattr(otlp, "_MAX_NAMES", 10)
    with fast() as (recorder, log, _):
        for number in range(50):
            started = recorder.start(f"name {number}", {})
            live(started).add_event(f"event {number}")
            recorder.end(started, {})
            assert same(log.ended[-1])
    assert len(otlp._internal_names) <= 10
    assert len(otlp._event_names) <= 10
