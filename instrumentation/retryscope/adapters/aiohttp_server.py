"""Spans and metrics of an aiohttp server, by the OpenTelemetry HTTP conventions."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from aiohttp import web
from opentelemetry.context import attach, detach
from opentelemetry.trace import SpanContext, SpanKind

from retryscope import semconv
from retryscope._core.ending import explain, record_once
from retryscope._core.scope import Level, current_scope, enclosing
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
    active().metrics.http.answered((semconv.OTHER, "", str(status), scheme, "")).observe(0.0)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


class _Request(Level):
    """One request while it is observed, at once the level of the scopes that its client may cancel."""

    __slots__ = (
        "_known",
        "_loop",
        "_method",
        "_request",
        "_route",
        "_span",
        "_started",
        "_telemetry",
    )

    def __init__(self, request: web.Request, route: str, known: KnownAttributes) -> None:
        self._known = known
        self._request = request
        self._route = route
        self._method = semconv.known_method(request.method)
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._telemetry = active()
        self._span: OpenSpan | None = None

    @property
    def by(self) -> SpanContext | None:
        """Its span, which a cancel by the client links to."""
        return None if self._span is None else self._span.context

    async def trace(self, handler: Handler) -> web.StreamResponse:
        """Run the handler under a SERVER span, and observe its duration."""
        attributes = self._known.attributes_of(self._request, self._method, self._route)
        name = semconv.http_span_name(self._method, self._route)
        self._span = self._telemetry.recorder.start(name, attributes, kind=SpanKind.SERVER)
        self._enter(current_scope(), math.inf, None, "client_disconnect")
        try:
            return await self.count(handler)
        finally:
            self.leave()

    async def count(self, handler: Handler) -> web.StreamResponse:
        """Run the handler, and observe its duration."""
        try:
            response = await handler(self._request)
        except BaseException as error:
            self._fail(error)
            raise
        status = response.status
        self._observe_answer(status)
        if (span := self._span) is not None:
            if not response.prepared:
                _name_trace(span, response)
            self._end(span, status, self._request.get(UNHANDLED_ERROR))
        return response

    def _observe_answer(self, status: int) -> None:
        self._observe(str(status), str(status) if status >= 500 else "")

    def _observe(self, status: str, kind: str) -> None:
        exemplar = self._span.exemplar if self._span is not None and kind else None
        labels = (self._method, self._route, status, self._request.scheme, kind)
        self._telemetry.metrics.http.answered(labels).observe(self._loop.time() - self._started, exemplar)

    def _end(self, span: OpenSpan, status: int, error: BaseException | None = None) -> None:
        recorder = self._telemetry.recorder
        final: Attributes = self._known.status(status)
        failure: str | None = None
        if status >= 500:
            kind = str(status) if error is None else error_type(error)
            final = {**final, semconv.ERROR_TYPE: kind}
            failure = "" if error is None else message_of(error)
        if error is not None:
            now = self._loop.time()
            record_once(recorder, span, error, self._started, now, inside=self, around=enclosing(self))
        recorder.end(span, final, failure=failure)

    def _fail(self, error: BaseException) -> None:
        span = self._span
        if isinstance(error, web.HTTPException):
            status = error.status
            self._observe_answer(status)
            if span is not None:
                _name_trace(span, error)
                self._end(span, status)
        elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            self._observe("", "")
            if span is not None:
                self._end_cancelled(span, error)
        else:
            answered = isinstance(error, Exception)  # by aiohttp; what else is raised ends the connection
            self._observe("500" if answered else "", error_type(error) if answered else "")
            if span is not None:
                self._end(span, 500, error)

    def _end_cancelled(self, span: OpenSpan, error: BaseException) -> None:
        ending = explain(
            self._telemetry,
            span,
            "cancelled",
            error,
            inside=self,
            around=self,
            started=self._started,
            now=self._loop.time(),
        )
        self._telemetry.recorder.end(span, {semconv.OUTCOME: "cancelled", **ending.attributes})


def _name_trace(span: OpenSpan, response: web.StreamResponse | web.HTTPException) -> None:
    ids = span.context
    if ids.is_valid:
        response.headers[TRACE_ID_HEADER] = f"{ids.trace_id:032x}"
