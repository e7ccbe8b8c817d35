"""Spans as OTLP protobuf, encoded directly: ours from their fields, the SDK's as anyone may read them.

Parsed, it is the same as what the SDK's encoder writes: there is a test of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from struct import Struct
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from retryscope._recording.attributes import (
    OF_EVENT,
    OF_LINK,
    OF_RESOURCE,
    OF_SCOPE,
    OF_SPAN,
    VARINTS,
    encode_attributes,
    sized,
    text,
    varint,
)
from retryscope._recording.fast.readable import More
from retryscope._recording.fast.span import LiveSpan

_IDS: Final = Struct(">2sQQ2sQ").pack
_IDS_AND_PARENT: Final = Struct(">2sQQ2sQ2sQ").pack
_TIMES: Final = Struct("<cQcQ").pack
_FIXED_64: Final = Struct("<cQ").pack
_LOW_64: Final = (1 << 64) - 1
_MAX_NAMES: Final = 4096

_UNSET: Final = b"\x7a\x00"
# Of the parent, or a link's target: whether it is remote is known; it is.
_FLAGS: Final = (b"\x85\x01\x00\x01\x00\x00", b"\x85\x01\x00\x03\x00\x00")
_LINK_FLAGS: Final = (b"\x35\x00\x01\x00\x00", b"\x35\x00\x03\x00\x00")
_END_OF_A_PLAIN_ONE: Final = _UNSET + _FLAGS[False]

_INTERNAL: Final = SpanKind.INTERNAL
_internal_names: dict[str, bytes] = {}
_event_names: dict[str, bytes] = {}


def encode(span: ReadableSpan) -> bytes:
    """An ended span, as a field of ``ScopeSpans``."""
    if type(span) is not LiveSpan:
        return _encode_readable(span)
    head = _ids(span.trace_id, span.span_id, span.parent_id)
    named = _name_and_kind(span.name_, span.kind_)
    times = _TIMES(b"\x39", span.start_ns, b"\x41", span.end_ns)
    more = span.more
    if more is not None:
        return sized(b"\x12", head + named + times + _what_few_have(span, more))
    # The keys of both are different: else a container of the SDK's has them, which is one of the rare things.
    given, final = encode_attributes(OF_SPAN, span.given), encode_attributes(OF_SPAN, span.final)
    return sized(b"\x12", b"".join((head, named, times, given, final, _END_OF_A_PLAIN_ONE)))


def _what_few_have(span: LiveSpan, more: More) -> bytes:
    parts = []
    if more.context is not None:
        parts.append(_trace_state(more.context))
    if more.attributes is None:
        parts += (encode_attributes(OF_SPAN, span.given), encode_attributes(OF_SPAN, span.final))
    else:
        parts += (encode_attributes(OF_SPAN, more.attributes), _count(b"\x50", more.attributes.dropped))
    if more.events is not None:
        parts += [_event(*event) for event in more.events]
        parts.append(_count(b"\x60", more.dropped_events))
    if more.links is not None:
        parts += [_link(link) for link in more.links]
        parts.append(_count(b"\x70", more.dropped_links))
    parts += (_status(more.status), _FLAGS[more.parent is not None and more.parent.is_remote])
    return b"".join(parts)


def _encode_readable(span: ReadableSpan) -> bytes:
    context, parent = span.get_span_context(), span.parent
    assert context is not None, "only sampled spans are exported"
    parts = [
        _ids(context.trace_id, context.span_id, 0 if parent is None else parent.span_id),
        _name_and_kind(span.name, span.kind),
        _TIMES(b"\x39", span.start_time or 0, b"\x41", span.end_time or 0),
        _trace_state(context),
        encode_attributes(OF_SPAN, span.attributes),
        _count(b"\x50", span.dropped_attributes),
        *[
            _event(each.name, each.timestamp, each.attributes, each.dropped_attributes)
            for each in span.events
        ],
        _count(b"\x60", span.dropped_events),
        *[_link(each) for each in span.links],
        _count(b"\x70", span.dropped_links),
        _status(span.status),
        _FLAGS[parent is not None and parent.is_remote],
    ]
    return sized(b"\x12", b"".join(parts))


def _ids(trace_id: int, span_id: int, parent_id: int) -> bytes:
    if not parent_id:
        return _IDS(b"\x0a\x10", trace_id >> 64, trace_id & _LOW_64, b"\x12\x08", span_id)
    return _IDS_AND_PARENT(
        b"\x0a\x10", trace_id >> 64, trace_id & _LOW_64, b"\x12\x08", span_id, b"\x22\x08", parent_id
    )


def _name_and_kind(name: str, kind: SpanKind) -> bytes:
    if kind is not _INTERNAL:  # one in a request; to look it up by an enumeration's member costs as much
        return _encoded_name(name, kind)
    known = _internal_names.get(name)
    if known is None:
        if len(_internal_names) >= _MAX_NAMES:
            _internal_names.clear()
        known = _internal_names[name] = _encoded_name(name, kind)
    return known


def _encoded_name(name: str, kind: SpanKind) -> bytes:
    number: int = kind.value + 1
    return sized(b"\x2a", text(name)) + b"\x30" + VARINTS[number]


def _count(tag: bytes, number: int) -> bytes:
    return tag + varint(number) if number else b""


def _trace_state(context: SpanContext) -> bytes:
    state = ",".join([f"{key}={value}" for key, value in context.trace_state.items()])
    return sized(b"\x1a", text(state)) if state else b""


def _event(name: str, time_ns: int, pairs: Mapping[str, Any] | None, dropped: int) -> bytes:
    named = _event_names.get(name)
    if named is None:
        if len(_event_names) >= _MAX_NAMES:
            _event_names.clear()
        named = _event_names[name] = sized(b"\x12", text(name))
    inside = encode_attributes(OF_EVENT, pairs)
    return sized(b"\x5a", _FIXED_64(b"\x09", time_ns) + named + inside + _count(b"\x20", dropped))


def _link(link: Link) -> bytes:
    context = link.context
    inside = encode_attributes(OF_LINK, link.attributes) + _count(b"\x28", link.dropped_attributes)
    return sized(
        b"\x6a",
        _ids(context.trace_id, context.span_id, 0) + inside + _LINK_FLAGS[context.is_remote],
    )


def _status(status: Status) -> bytes:
    if status.status_code is StatusCode.UNSET:
        return _UNSET
    said = sized(b"\x12", text(status.description)) if status.description else b""
    return sized(b"\x7a", said + b"\x18" + VARINTS[status.status_code.value])


def encode_resource(resource: Resource) -> tuple[bytes, bytes]:
    """A resource as a field of ``ResourceSpans``, and the field that comes after the spans."""
    inside = encode_attributes(OF_RESOURCE, resource.attributes)
    return sized(b"\x0a", inside), _schema(resource.schema_url)


def encode_scope(scope: InstrumentationScope | None) -> tuple[bytes, bytes]:
    """An instrumentation scope as a field of ``ScopeSpans``, and the field that comes after the spans."""
    if scope is None:
        return b"\x0a\x00", b""
    inside = sized(b"\x0a", text(scope.name))
    if scope.version:
        inside += sized(b"\x12", text(scope.version))
    inside += encode_attributes(OF_SCOPE, scope.attributes)
    return sized(b"\x0a", inside), _schema(scope.schema_url)


def _schema(url: str | None) -> bytes:
    return sized(b"\x1a", text(url)) if url else b""


def encode_request(
    groups: Iterable[tuple[tuple[bytes, bytes], Iterable[tuple[tuple[bytes, bytes], Iterable[bytes]]]]],
) -> bytes:
    """An ``ExportTraceServiceRequest``.

    Args:
        groups: Encoded resources, each with its encoded scopes, each with its encoded spans.
    """
    parts = []
    for (resource, schema), scopes in groups:
        body = [resource]
        for (scope, scope_schema), spans in scopes:
            body.append(sized(b"\x12", b"".join((scope, *spans, scope_schema))))
        body.append(schema)
        parts.append(sized(b"\x0a", b"".join(body)))
    return b"".join(parts)
