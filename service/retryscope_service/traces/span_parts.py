"""Parts of a span, without making for each question what it would take to answer every one.

A span of the library's own has its ids as numbers, and its attributes as two mappings that many spans share;
contexts and a mapping of all attributes are built where somebody asks for them. The SDK's has only these.
"""

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan


def ids_of(span: Any) -> tuple[int, int, int]:
    """Trace, span and parent; 0 is no parent."""
    try:
        return span.trace_id, span.span_id, span.parent_id
    except AttributeError:
        context, parent = span.context, span.parent
        return context.trace_id, context.span_id, 0 if parent is None else parent.span_id


def said_at_start(span: ReadableSpan) -> Mapping[str, Any]:
    """What it was started with, and maybe more."""
    given: Mapping[str, Any] | None = getattr(span, "given", None)
    return span.attributes or {} if given is None else given


def said_at_end(span: ReadableSpan) -> Mapping[str, Any]:
    """What its end has said, and maybe more."""
    final: Mapping[str, Any] | None = getattr(span, "final", None)
    return span.attributes or {} if final is None else final
