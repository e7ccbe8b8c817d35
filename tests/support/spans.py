"""Spans as they left the service, over OTLP or as ``/traces`` shows them, in one comparable form."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Value = str | int | float | bool
Attributes = Mapping[str, Value]


@dataclass(frozen=True)
class EventData:
    """An event of a span."""

    name: str
    time: int
    attributes: Attributes


@dataclass(frozen=True)
class LinkData:
    """A link of a span."""

    trace_id: str
    span_id: str
    attributes: Attributes


@dataclass(frozen=True)
class SpanData:
    """A span; ids are hexadecimal, times nanoseconds since the epoch, ``end`` is 0 while it runs."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start: int
    end: int
    status: int
    description: str
    attributes: Attributes
    events: tuple[EventData, ...]
    links: tuple[LinkData, ...]
    resource: Attributes
    scope: str


def from_protobuf(request: ExportTraceServiceRequest) -> Iterator[SpanData]:
    """The spans of an OTLP request."""
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield SpanData(
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    name=span.name,
                    kind=span.kind,
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    status=span.status.code,
                    description=span.status.message,
                    attributes=_protobuf_attributes(span.attributes),
                    events=tuple(
                        EventData(event.name, event.time_unix_nano, _protobuf_attributes(event.attributes))
                        for event in span.events
                    ),
                    links=tuple(
                        LinkData(
                            link.trace_id.hex(), link.span_id.hex(), _protobuf_attributes(link.attributes)
                        )
                        for link in span.links
                    ),
                    resource=_protobuf_attributes(resource_spans.resource.attributes),
                    scope=scope_spans.scope.name,
                )


def _protobuf_attributes(attributes: Iterable[KeyValue]) -> Attributes:
    return {attribute.key: _protobuf_value(attribute.value) for attribute in attributes}


def _protobuf_value(value: AnyValue) -> Value:
    kind = value.WhichOneof("value")
    assert kind in {"string_value", "int_value", "double_value", "bool_value"}, value
    found: Value = getattr(value, kind)
    return found


def from_json(document: Mapping[str, Any]) -> Iterator[SpanData]:
    """The spans of OTLP JSON, read by its specification: ids hexadecimal, 64-bit integers as strings."""
    for resource_spans in document["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                status = span.get("status", {})
                yield SpanData(
                    trace_id=span["traceId"],
                    span_id=span["spanId"],
                    parent_id=span.get("parentSpanId", ""),
                    name=span["name"],
                    kind=span["kind"],
                    start=int(span["startTimeUnixNano"]),
                    end=int(span.get("endTimeUnixNano", 0)),
                    status=status.get("code", 0),
                    description=status.get("message", ""),
                    attributes=_json_attributes(span),
                    events=tuple(
                        EventData(event["name"], int(event["timeUnixNano"]), _json_attributes(event))
                        for event in span.get("events", ())
                    ),
                    links=tuple(
                        LinkData(link["traceId"], link["spanId"], _json_attributes(link))
                        for link in span.get("links", ())
                    ),
                    resource=_json_attributes(resource_spans["resource"]),
                    scope=scope_spans["scope"]["name"],
                )


def _json_attributes(holder: Mapping[str, Any]) -> Attributes:
    return {attribute["key"]: _json_value(attribute["value"]) for attribute in holder.get("attributes", ())}


def _json_value(value: Mapping[str, Any]) -> Value:
    ((kind, content),) = value.items()
    read = {"stringValue": str, "intValue": int, "doubleValue": float, "boolValue": bool}[kind]
    assert isinstance(content, str if kind == "intValue" else (read, int)), value
    found: Value = read(content)
    return found


def outline(spans: Iterable[SpanData]) -> list[str]:
    """The names of the spans in the order of their starts, each indented below its parent."""
    ordered = sorted(spans, key=lambda span: span.start)
    known = {span.span_id for span in ordered}
    lines: list[str] = []

    def walk(parent: str, depth: int) -> None:
        for span in ordered:
            if (span.parent_id if span.parent_id in known else "") == parent:
                lines.append("  " * depth + span.name)
                walk(span.span_id, depth + 1)

    walk("", 0)
    return lines


def one(spans: Iterable[SpanData], name: str) -> SpanData:
    """The only span of that name."""
    (found,) = (span for span in spans if span.name == name)
    return found
