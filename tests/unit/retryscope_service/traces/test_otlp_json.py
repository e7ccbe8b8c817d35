"""OTLP JSON: what it loses of the spans (nothing), and where it differs from protobuf's JSON."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan

from retryscope_service.traces.otlp_json import to_otlp_json
from retryscope_service.traces.span_store import SpanStore
from tests.unit.retryscope_service.helpers import Api
from tests.unit.retryscope_service.traces.spans import start, trace_of, tracer_into


def parsed(document: dict[str, Any]) -> ExportTraceServiceRequest:
    """The document as protobuf reads it: ids in base64 again."""
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for message in (span, *span.get("links", ())):
                    for key in ("traceId", "spanId", "parentSpanId"):
                        if key in message:
                            message[key] = base64.b64encode(bytes.fromhex(message[key])).decode()
    return ParseDict(document, ExportTraceServiceRequest())


def assert_lossless(spans: Sequence[ReadableSpan]) -> None:
    document = json.loads(json.dumps(to_otlp_json(spans), allow_nan=False))
    encoded = ExportTraceServiceRequest.FromString(encode_spans(spans).SerializeToString())
    assert parsed(document) == encoded


async def test_a_trace_with_events_links_and_errors_loses_nothing(api: Api) -> None:
    """Read back it equals what the exporter sends; both of a cancelled and of a failed run."""
    await api.run("cancellation", cleanup=9)
    await api.run("retry", seed=10)
    spans = api.recorded.spans()
    assert any(span.links for span in spans)
    assert any(span.events for span in spans)
    assert_lossless(spans)


def test_a_running_span_has_no_end() -> None:
    """Nor a trace that has not ended."""
    store = SpanStore(10, 10)
    span = start(tracer_into(store.feed), "work")
    running = store.get(trace_of(span))
    assert running is not None
    (shown,) = to_otlp_json(running)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert shown["name"] == "work"
    assert "endTimeUnixNano" not in shown
    assert_lossless(running)


def test_ids_are_hexadecimal_enums_are_numbers_times_are_texts() -> None:
    """As the OTLP specification says of its JSON encoding, and members are in camelCase."""
    store = SpanStore(10, 10)
    tracer = tracer_into(store.feed)
    root = start(tracer, "root")
    child = start(tracer, "child", root)
    child.add_link(root.get_span_context(), {"kind": "test"})
    child.end()
    root.end()
    spans = store.get(trace_of(root))
    assert spans is not None
    _, shown = to_otlp_json(spans)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    context, parent = child.get_span_context(), root.get_span_context()
    assert shown["traceId"] == f"{context.trace_id:032x}"
    assert shown["spanId"] == f"{context.span_id:016x}"
    assert shown["parentSpanId"] == f"{parent.span_id:016x}"
    assert shown["links"][0]["spanId"] == f"{parent.span_id:016x}"
    assert shown["links"][0]["traceId"] == f"{parent.trace_id:032x}"
    assert shown["kind"] == 1
    assert shown["startTimeUnixNano"] == str(child.start_time)


def test_strange_attribute_values_are_still_json() -> None:
    """NaN and infinities have texts in protobuf's JSON."""
    store = SpanStore(10, 10)
    span = start(tracer_into(store.feed), "work")
    span.set_attributes({"nan": float("nan"), "infinity": float("inf"), "text": "\x00\u202e<>", "big": 2**62})
    span.end()
    spans = store.get(trace_of(span))
    assert spans is not None
    json.dumps(to_otlp_json(spans), allow_nan=False)


def test_no_spans_are_an_empty_document() -> None:
    """With the member that readers look for."""
    assert to_otlp_json([]) == {"resourceSpans": []}
