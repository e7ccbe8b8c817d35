"""What an upstream says of its requests: a span each, in the caller's trace, and counts of its own.

The library's middleware would count them in ``http_server_request_duration_seconds``; where the upstream is
part of the service's process, that is the API's, which dashboards and alerts are about.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from aiohttp import web
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer
from prometheus_client import CollectorRegistry

from retryscope import semconv as library
from retryscope.adapters.server_attributes import request_attributes
from retryscope.families import counter, histogram
from retryscope.propagation import as_text, extract
from retryscope_service import semconv
from retryscope_service.upstream.faults import FAULTS
from retryscope_service.upstream.upstream import Upstream

PUT_IN: Final = web.RequestKey("fault", str)
"""The fault that was put in, if one was."""
NO_ANSWER: Final = web.RequestKey("no_answer", bool)
"""Whether the connection was ended without an answer."""

JOB: Final = "/job"
"""Route of the requests that faults are for, whose counts are there from the start."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class UpstreamMetrics:
    """Counts and durations of the requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = counter(semconv.UPSTREAM_REQUESTS, registry)
        self._durations = histogram(semconv.UPSTREAM_REQUEST_DURATION, registry)
        for fault in ("", *FAULTS):  # so that a rate() sees the first increment
            self._durations.labels(JOB, fault)
        self._requests.labels(JOB, "200", "")

    def ended(self, route: str, status: str, fault: str, seconds: float) -> None:
        """A request has ended; without an answer its status is empty."""
        self._requests.labels(route, status, fault).inc()
        self._durations.labels(route, fault).observe(seconds)


def telemetry_middleware(
    upstream: Upstream, metrics: UpstreamMetrics, untold: Collection[str], tracer: Tracer | None = None
) -> Callable[..., Awaitable[web.StreamResponse]]:
    """An aiohttp middleware that traces and counts requests; put it first.

    Args:
        upstream: Whose requests they are.
        metrics: Where they are counted.
        untold: Route templates of which nothing is recorded: scrapes, health checks.
        tracer: By default the global provider's.
    """
    spans = tracer or trace.get_tracer(__name__)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        route = "" if resource is None else resource.canonical
        if route in untold:
            return await handler(request)
        method = library.known_method(request.method)
        loop = asyncio.get_running_loop()
        started, status = loop.time(), ""
        upstream.entered()
        with spans.start_as_current_span(
            library.http_span_name(method, route),
            extract(request.headers),
            SpanKind.SERVER,
            {
                **request_attributes(request, method, route, fixed=False),
                library.URL_PATH: as_text(request.path),
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                response = await handler(request)
                if not request.get(NO_ANSWER):
                    status = str(response.status)
            except asyncio.CancelledError:
                cause = "shutdown" if upstream.stopping else "client_disconnect"
                span.set_attributes({library.OUTCOME: "cancelled", library.CANCEL_CAUSE: cause})
                raise
            else:
                _say_how_it_ended(span, status, request.get(PUT_IN, ""))
                return response
            finally:
                if PUT_IN in request:
                    span.set_attribute(semconv.UPSTREAM_FAULT, request[PUT_IN])
                upstream.left()
                metrics.ended(route, status, request.get(PUT_IN, ""), loop.time() - started)

    return middleware


def _say_how_it_ended(span: Span, status: str, fault: str) -> None:
    if status:
        span.set_attribute(library.HTTP_RESPONSE_STATUS_CODE, int(status))
    kind = status if status >= "500" else "" if status and fault != "truncated" else fault
    if kind:
        span.set_attribute(library.ERROR_TYPE, kind)
        span.set_status(StatusCode.ERROR)
