"""Spans and metrics of an aiohttp server, by the OpenTelemetry HTTP conventions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from aiohttp import web
from opentelemetry.context import attach, detach
from prometheus_client import Histogram

from retryscope import semconv
from retryscope._core.ending import explain, record_once
from retryscope._core.scope import Scope, enclosing
from retryscope._recording.recorder import Attributes, OpenSpan
from retryscope._recording.suppression import without_spans
from retryscope._recording.telemetry import active
from retryscope.adapters.server_attributes import KnownAttributes
from retryscope.outcome import error_type, message_of
from retryscope.printable import described
from retryscope.propagation import extract

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TRACE_ID_HEADER: Final = "X-Trace-Id"
"""Response header that names the trace."""

UNHANDLED_ERROR: Final = web.RequestKey("unhandled_error", Exception)
"""Where a middleware further in, which turns an unexpected exception into a response, leaves it."""

_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})


def server_middleware(*, untraced: Collection[str] = ()) -> Callable[..., Awaitable[web.StreamResponse]]:
    """An aiohttp middleware that traces and counts every request; put it first.

    The span continues an incoming ``traceparent``, and the response names the trace in ``X-Trace-Id``. A
    request whose handler is cancelled, because the client went away (``handler_cancellation=True``), is
    recorded as cancelled with the cause ``client_disconnect``, not as a 5xx.

    Args:
        untraced: Route templates that are counted but get no span: scrapes, health checks.

    Raises:
        TypeError: ``untraced`` is a single text.

    >>> app = web.Application(middlewares=[server_middleware(untraced={"/metrics"})])
    """
    if isinstance(untraced, str):
        given = described(untraced)
        raise TypeError(f"server_middleware takes a set of routes, as {{{given}}}, got {given}")
    untraced = frozenset(untraced)
    known = KnownAttributes()

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = _route(request)
        observed = _Request(request, route, known)
        if route in untraced:
            with without_spans():
                return await observed.count(handler)
        token = attach(extract(request.headers))
        try:
            return await observed.trace(handler)
        finally:
            detach(token)

    return middleware


def count_refused(status: int, scheme: str = "http") -> None:
    """Count a request that was refused before any middleware saw it, because it is no HTTP.

    Args:
        status: What it was answered with.
        scheme: ``http`` or ``https``.

    >>> count_refused(400)
    """
    family: Histogram = active().metrics.http_server_duration
    family.labels(semconv.OTHER, "", str(status), scheme, "").observe(0.0)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


class _Request:
    """One request while it is observed."""

    def __init__(self, request: web.Request, route: str, known: KnownAttributes) -> None:
        self._known = known
        self._request = request
        self._route = route
        self._method = request.method if request.method in _METHODS else semconv.OTHER
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._telemetry = active()

    async def trace(self, handler: Handler) -> web.StreamResponse:
        """Run the handler under a SERVER span."""
        attributes = self._known.attributes_of(self._request, self._method, self._route)
        span = self._telemetry.recorder.start(self._span_name(), attributes, server=True)
        ids = span.context
        scope = Scope(cause="client_disconnect", span=ids)
        try:
            response = await self.count(handler, span)
        except BaseException as error:
            self._end_failed(span, error, scope)
            raise
        else:
            if ids.is_valid and not response.prepared:
                response.headers[TRACE_ID_HEADER] = f"{ids.trace_id:032x}"
            self._end(span, scope, response.status, self._request.get(UNHANDLED_ERROR))
            return response
        finally:
            scope.end()

    async def count(self, handler: Handler, span: OpenSpan | None = None) -> web.StreamResponse:
        """Run the handler and observe its duration."""
        status, kind = "", ""
        try:
            response = await handler(self._request)
            status = str(response.status)
            kind = status if response.status >= 500 else ""
            return response
        except web.HTTPException as answer:
            status = str(answer.status)
            kind = status if answer.status >= 500 else ""
            raise
        except Exception as error:
            status, kind = "500", error_type(error)
            raise
        finally:
            exemplar = span.exemplar if span is not None and kind else None
            labels = (self._method, self._route, status, self._request.scheme, kind)
            self._telemetry.metrics.of_request(labels).observe(self._loop.time() - self._started, exemplar)

    def _span_name(self) -> str:
        method = "HTTP" if self._method == semconv.OTHER else self._method
        return f"{method} {self._route}" if self._route else method

    def _end(self, span: OpenSpan, scope: Scope, status: int, error: BaseException | None = None) -> None:
        recorder = self._telemetry.recorder
        final: Attributes = self._known.status(status)
        failure: str | None = None
        if status >= 500:
            kind = str(status) if error is None else error_type(error)
            final = {**final, semconv.ERROR_TYPE: kind}
            failure = "" if error is None else message_of(error)
        if error is not None:
            now, around = self._loop.time(), enclosing(scope)
            record_once(recorder, span, error, self._started, now, inside=scope, around=around)
        recorder.end(span, final, failure=failure)

    def _end_failed(self, span: OpenSpan, error: BaseException, scope: Scope) -> None:
        if isinstance(error, web.HTTPException):
            if span.context.is_valid:
                error.headers[TRACE_ID_HEADER] = f"{span.context.trace_id:032x}"
            self._end(span, scope, error.status)
        elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            ending = explain(
                self._telemetry,
                span,
                "cancelled",
                error,
                inside=scope,
                around=scope,
                started=self._started,
                now=self._loop.time(),
            )
            final = {semconv.OUTCOME: "cancelled", **ending.attributes}
            self._telemetry.recorder.end(span, final)
        else:
            self._end(span, scope, 500, error)
