"""Spans made by hand, into a store."""

from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.trace import Tracer, set_span_in_context

from retryscope import semconv


def tracer_into(*processors: SpanProcessor, name: str = "test") -> Tracer:
    """A tracer all of whose spans go into these processors, a store for example."""
    provider = TracerProvider(shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    return provider.get_tracer(name)


def own_tracer_into(*processors: SpanProcessor) -> Tracer:
    """A tracer whose spans are taken for those of the primitives."""
    return tracer_into(*processors, name=semconv.SCOPE_NAME)


def start(
    tracer: Tracer, name: str, parent: Span | None = None, attributes: dict[str, str | int] | None = None
) -> Span:
    """A started span, by default the first of its trace."""
    context = None if parent is None else set_span_in_context(parent)
    span = tracer.start_span(name, context, attributes=attributes)
    assert isinstance(span, Span)
    return span


def trace_of(span: Span) -> int:
    return span.get_span_context().trace_id
