"""Traces that were not sampled: answers name them, and whoever looks for one is told why it is not there."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from opentelemetry.trace import get_current_span

from retryscope_service.http.problems import Problem
from retryscope_service.traces.span_store import SpanStore

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def sampling_middleware(store: SpanStore) -> Callable[..., Awaitable[web.StreamResponse]]:
    """An aiohttp middleware, inside the one that traces, that remembers which traces were not sampled."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        context = get_current_span().get_span_context()
        if context.is_valid and not context.trace_flags.sampled:
            store.note_unsampled(context.trace_id)
        return await handler(request)

    return middleware


def no_trace(store: SpanStore, trace_id: str) -> Problem:
    """Why there is no such trace."""
    if store.was_unsampled(int(trace_id, 16)):
        detail = (
            f"Trace {trace_id} was not sampled: none of its spans were kept. OTEL_TRACES_SAMPLER, or whoever"
            " sent the request with a traceparent, decided that."
        )
        return Problem(404, "trace-not-sampled", "Trace not sampled", detail)
    detail = f"There is no trace {trace_id} here (any more): only the last ones of this process are kept."
    return Problem(404, "unknown-trace", "Unknown trace", detail)
