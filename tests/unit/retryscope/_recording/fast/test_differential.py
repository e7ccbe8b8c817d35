"""Generated programs through the SDK's spans and through ours: nobody who reads the spans can tell which."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from retryscope._recording.backlog import Backlog, request_of
from retryscope._recording.fast.span import LiveSpan
from retryscope._recording.otlp import encode
from tests.unit.retryscope._recording.fast.programs import (
    SAMPLERS,
    Kept,
    Node,
    is_ours,
    kept_of,
    limits,
    programs,
)


def parsed(kept: Kept) -> list[ExportTraceServiceRequest]:
    """Each span of ours as the SDK's encoder writes it."""
    return [encode_spans([span]) for span in kept.ends if is_ours(span)]


def ours(kept: Kept) -> ExportTraceServiceRequest:
    """All of them in one request, as ours does."""
    backlog = Backlog(100_000, 1 << 30)
    for span in kept.ends:
        assert backlog.add(span.resource, span.instrumentation_scope, encode(span), 0)
    return ExportTraceServiceRequest.FromString(request_of(backlog.take(100_000, 1 << 30)))


def check(program: tuple[Node, ...], **options: Any) -> None:
    fast, sdk = kept_of(program, "fast", **options), kept_of(program, "sdk", **options)
    for _ in range(5):
        if (fast.starts, fast.texts) != (sdk.starts, sdk.texts):
            # asyncio cancels what is left in no certain order, and ids are counted: soon it is the same one.
            fast, sdk = kept_of(program, "fast", **options), kept_of(program, "sdk", **options)
    assert fast.starts == sdk.starts
    assert fast.texts == sdk.texts
    assert parsed(fast) == parsed(sdk)
    assert ours(fast) == encode_spans(fast.ends)
    assert not any(isinstance(span, LiveSpan) for span in sdk.ends)


@settings(max_examples=60)
@given(programs, st.sampled_from(["spans", "events"]))
def test_the_same_spans(program: tuple[Node, ...], attempts: str) -> None:
    """Names, ids, parents, times, status, attributes, events, links; in the same order."""
    check(program, attempts=attempts)


@settings(max_examples=40)
@given(programs, st.sampled_from(sorted(SAMPLERS)), st.booleans())
def test_the_same_spans_are_sampled(program: tuple[Node, ...], sampler: str, random_ids: bool) -> None:
    """With flags, states, and what a sampler adds."""
    check(program, sampler=sampler, random_ids=random_ids)


@settings(max_examples=40)
@given(programs, limits, st.sampled_from(["spans", "events"]))
def test_the_same_is_dropped(program: tuple[Node, ...], span_limits: dict[str, Any], attempts: str) -> None:
    """By limits of any size."""
    check(program, span_limits=span_limits, attempts=attempts)


def test_our_spans_are_in_it() -> None:
    """It would say nothing else."""
    kept = kept_of(
        (Node("step", (), (Node("other span", ({},), (Node("step", (), (Node("sleep"),)),)),)),), "fast"
    )
    assert [type(span) is LiveSpan for span in kept.ends] == [True, False, True]
