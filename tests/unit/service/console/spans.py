"""Spans made by hand, into a store."""

from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.trace import Tracer, set_span_in_context

from service.console.span_store import SpanStore


def tracer_into(store: SpanStore) -> Tracer:
    """A tracer all of whose spans go into the store."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(store)
    return provider.get_tracer("test")


def start(tracer: Tracer, name: str, parent: Span | None = None) -> Span:
    """A started span, by default the first of its trace."""
    span = tracer.start_span(name, None if parent is None else set_span_in_context(parent))
    assert isinstance(span, Span)
    return span


def trace_of(span: Span) -> int:
    return span.get_span_context().trace_id
