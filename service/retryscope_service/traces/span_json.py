"""A span as the page wants it: what the primitives say about it by name, the rest as attributes."""

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from retryscope import semconv

_PRIMITIVES: Final = frozenset(semconv.PRIMITIVES)


def span_json(span: ReadableSpan) -> dict[str, Any]:
    """The span as JSON; times are seconds since the epoch, one that still runs has no end."""
    assert span.context is not None
    assert span.start_time is not None
    attributes = _json_attributes(span.attributes)
    return {
        "id": f"{span.context.span_id:016x}",
        "parent": None if span.parent is None else f"{span.parent.span_id:016x}",
        "name": span.name,
        "kind": kind_of(span),
        "operation": attributes.get(semconv.OPERATION),
        "task": attributes.get(semconv.TASK_NAME),
        "start": span.start_time / 1e9,
        "end": None if span.end_time is None else span.end_time / 1e9,
        "outcome": _outcome(span, attributes),
        "attempt": attributes.get(semconv.ATTEMPT_NUMBER),
        "delay": attributes.get(semconv.RETRY_DELAY),
        "max_attempts": attributes.get(semconv.RETRY_MAX_ATTEMPTS),
        "attempts": attributes.get(semconv.RETRY_ATTEMPTS),
        "giveup": attributes.get(semconv.RETRY_GIVEUP_REASON),
        "limit": attributes.get(semconv.TIMEOUT_LIMIT, attributes.get(semconv.CLEANUP_DEADLINE)),
        "deadline": attributes.get(semconv.DEADLINE),
        "error": error_of(span),
        "cancel_cause": attributes.get(semconv.CANCEL_CAUSE),
        "attributes": attributes,
        "events": [_event(event) for event in span.events],
        "links": [
            {
                "trace_id": f"{link.context.trace_id:032x}",
                "span_id": f"{link.context.span_id:016x}",
                "kind": _json_attributes(link.attributes).get(semconv.LINK_KIND),
            }
            for link in span.links
        ],
    }


def kind_of(span: ReadableSpan) -> str:
    """The primitive that made the span, ``server`` for a request, ``other`` for anybody else's span."""
    if span.kind is SpanKind.SERVER:
        return "server"
    scope = span.instrumentation_scope
    primitive = span.name.partition(" ")[0]
    ours = scope is not None and scope.name == semconv.SCOPE_NAME
    return primitive if ours and primitive in _PRIMITIVES else "other"


def _outcome(span: ReadableSpan, attributes: Mapping[str, Any]) -> Any:
    own = attributes.get(semconv.OUTCOME) or attributes.get(semconv.CLEANUP_OUTCOME)
    if own is None and span.status.status_code is StatusCode.ERROR:
        return "error"
    return own


def error_of(span: ReadableSpan) -> dict[str, str] | None:
    """What failed, and why: of an error told by the spans inside only what kind it is."""
    attributes = span.attributes or {}
    recorded = next((each for each in span.events if each.name == semconv.EVENT_EXCEPTION), None)
    inside = _json_attributes(recorded.attributes) if recorded is not None else {}
    kind = attributes.get(semconv.ERROR_TYPE) or inside.get(semconv.EXCEPTION_TYPE)
    if kind is None and span.status.status_code is StatusCode.ERROR:
        kind = semconv.OTHER
    if kind is None:
        return None
    message = inside.get(semconv.EXCEPTION_MESSAGE) or span.status.description or ""
    return {"type": str(kind), "message": str(message)}


def _event(event: Event) -> dict[str, Any]:
    return {
        "time": event.timestamp / 1e9,
        "name": event.name,
        "attributes": _json_attributes(event.attributes),
    }


def _json_attributes(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """All of them; one that is being written at this moment may be missing."""
    return {key: _json_value(attributes.get(key)) for key in attributes} if attributes else {}


def _json_value(value: object) -> Any:
    """The value as JSON knows it: bytes as base64, a number that is none as its name."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): _json_value(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [_json_value(each) for each in value]
    return str(value)
