"""Spans and metrics of an aiohttp client, by the OpenTelemetry HTTP conventions; what is worth a retry."""

from __future__ import annotations

import asyncio
import errno
import math
import socket
from typing import Final

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from opentelemetry.trace import SpanKind

from retryscope import semconv
from retryscope._core.ending import explain
from retryscope._core.marks import end_scope, is_cancel
from retryscope._core.scope import Level, attempt_here, current_scope, enclosing
from retryscope._recording.recorder import OpenSpan
from retryscope._recording.suppression import http_suppressed
from retryscope._recording.telemetry import active
from retryscope.adapters.client_attributes import KnownAttributes
from retryscope.outcome import error_type
from retryscope.propagation import inject

_CONTRIB: Final = "opentelemetry.instrumentation.aiohttp_client"

_TRANSIENT_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_TRANSIENT_CODES: Final = frozenset(
    {
        None,  # several addresses, which have failed in different ways
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENETUNREACH,
        errno.EPIPE,
        errno.ETIMEDOUT,
    }
)


def client_middleware() -> ClientMiddlewareType:
    """An aiohttp client middleware that traces and counts every request, and every hop; put it last.

    The span ends when the headers of the answer are there. The request carries the trace context, by the
    configured propagators, also where the span is not sampled. Where OpenTelemetry's own instrumentation of
    the aiohttp client traces the session, spans and context are left to it: requests are only counted.

    >>> async def main() -> None:
    ...     async with aiohttp.ClientSession(middlewares=(client_middleware(),)) as session:
    ...         ...
    """
    known = KnownAttributes()

    async def middleware(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        sent = _Request(request, known)
        if http_suppressed() or _is_traced_by_contrib(request.session):
            return await sent.count(handler)
        return await sent.trace(handler)

    return middleware


def is_transient(error: BaseException) -> bool:
    """Whether what an aiohttp client has raised may be gone the next time: for ``RetryPolicy(retry_on=...)``.

    That are connections that are refused, reset or break off, timeouts, a name server that does not answer,
    an answer cut short, and answers with 408, 425, 429, 500, 502, 503 or 504 (raised by
    ``raise_for_status``). Not a URL, name or certificate that is wrong, another status, too many redirects.

    >>> is_transient(aiohttp.ServerDisconnectedError()), is_transient(aiohttp.InvalidURL("http://"))
    (True, False)
    """
    if isinstance(error, aiohttp.ClientResponseError):
        return error.status in _TRANSIENT_STATUSES
    if isinstance(error, aiohttp.ClientSSLError):
        return False
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return error.errno == socket.EAI_AGAIN
    if isinstance(error, aiohttp.ClientOSError):
        return error.errno in _TRANSIENT_CODES
    return isinstance(
        error,
        (
            TimeoutError,  # also of connecting and of reading
            aiohttp.ClientConnectionResetError,
            aiohttp.ClientPayloadError,
            aiohttp.ServerDisconnectedError,
        ),
    )


def _is_traced_by_contrib(session: aiohttp.ClientSession) -> bool:
    """Whether a trace configuration of it is OpenTelemetry's instrumentation, however it came there."""
    return any(
        hasattr(config, "_is_instrumented_by_opentelemetry")
        or any(getattr(each, "__module__", None) == _CONTRIB for each in config.on_request_start)
        for config in session.trace_configs
    )


class _Request(Level):
    """One request while it is observed, at once the level of what runs under its span."""

    __slots__ = ("_cancels", "_known", "_loop", "_method", "_request", "_span", "_started", "_telemetry")

    def __init__(self, request: ClientRequest, known: KnownAttributes) -> None:
        self._known = known
        self._request = request
        self._method = semconv.known_method(request.method)
        self._cancels = _cancels()
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()
        self._telemetry = active()
        self._span: OpenSpan | None = None

    async def trace(self, handler: ClientHandlerType) -> ClientResponse:
        """Send it under a CLIENT span, with the context of that, and observe its duration."""
        request = self._request
        attributes = self._known.attributes_of(request.method, request.url, attempt_here())
        name = semconv.http_span_name(self._method)
        span = self._span = self._telemetry.recorder.start(name, attributes, kind=SpanKind.CLIENT)
        self._enter(current_scope(), math.inf, None)
        error: BaseException | None = None
        try:
            request.headers.update(inject())  # aiohttp's own copy of the caller's
            response = await self.count(handler)
        except BaseException as raised:
            error = raised
            self._end_failed(span, raised)
            raise
        finally:
            end_scope(self, error)
        self._telemetry.recorder.end(
            span,
            self._known.answer(response.status, _version(response)),
            failure="" if response.status >= 400 else None,
        )
        return response

    async def count(self, handler: ClientHandlerType) -> ClientResponse:
        """Send it, and observe its duration."""
        try:
            response = await handler(self._request)
        except BaseException as error:
            self._observe("", self._error_type(error))
            raise
        status = str(response.status)
        self._observe(status, status if response.status >= 400 else "")
        return response

    def _observe(self, status: str, kind: str) -> None:
        url = self._request.url
        exemplar = self._span.exemplar if self._span is not None and kind else None
        child = self._telemetry.metrics.http.sent(
            self._method, url.host or "", str(url.port or ""), status, kind
        )
        child.observe(self._loop.time() - self._started, exemplar)

    def _error_type(self, error: BaseException) -> str:
        """What it counts as; empty where somebody else has cancelled it."""
        if is_cancel(error):
            return TimeoutError.__name__ if self._has_timed_out() else ""
        return error_type(error)

    def _has_timed_out(self) -> bool:
        """Whether a cancel is aiohttp's own: of its total timeout it makes a ``TimeoutError`` further out."""
        try:
            self._request._timer.assert_timeout()
        except TimeoutError:
            return _cancels() - self._cancels <= 1
        except AttributeError:  # a private part, which may have moved: then it is a cancel like any other
            return False
        return False

    def _end_failed(self, span: OpenSpan, error: BaseException) -> None:
        recorder = self._telemetry.recorder
        cancelled = is_cancel(error)
        if cancelled and self._has_timed_out():
            # What is raised of it is none that could be recorded yet.
            kind = {semconv.ERROR_TYPE: TimeoutError.__name__}
            recorder.end(span, kind, failure="aiohttp's total timeout")
            return
        ending = explain(
            self._telemetry,
            span,
            "cancelled" if cancelled else "error",
            error,
            inside=self,
            around=enclosing(self),
            started=self._started,
            now=self._loop.time(),
        )
        outcome = {semconv.OUTCOME: "cancelled"} if cancelled else {}
        recorder.end(span, {**outcome, **ending.attributes}, failure=ending.failure)


def _cancels() -> int:
    """How often the task that runs here was asked to stop."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _version(response: ClientResponse) -> str:
    version = response.version
    return "" if version is None else f"{version.major}.{version.minor}"
