"""Spans and metrics of an aiohttp client, by the OpenTelemetry HTTP conventions; what is worth a retry."""

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientTimeout, TraceConfig, web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_reqrep import ConnectionKey, RequestInfo
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict, CIMultiDictProxy
from opentelemetry.baggage import set_baggage
from opentelemetry.context import Context, attach, detach, set_value
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode, get_tracer_provider
from prometheus_client import CollectorRegistry
from yarl import URL

import retryscope
from retryscope import RetryPolicy, request_cancel, retry, semconv, step, timeout
from retryscope._recording.suppression import without_spans
from retryscope.adapters.aiohttp_client import client_middleware, is_transient
from tests.support.recorded import Recorded, recording
from tests.unit.retryscope.helpers import (
    PRICE,
    named,
    openmetrics_families,
    span_id,
    spans_named,
    trace_id,
    value_of,
)

DURATION = "http_client_request_duration_seconds_count"
AT_ONCE = RetryPolicy(max_attempts=3, base_delay=0, retry_on=is_transient)


@pytest.fixture(params=["fast", "sdk"])
def recorder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either makes the same spans."""
    monkeypatch.setenv("RETRYSCOPE_RECORDER", request.param)


@pytest.fixture
def recorded(recorder: None) -> Iterator[Recorded]:
    """Sockets need real time."""
    with recording(time_ns=time.time_ns) as recorded:
        yield recorded


class Shop:
    """Answers what the path asks for, and keeps the headers of each request."""

    def __init__(self) -> None:
        self.headers: list[CIMultiDictProxy[str]] = []
        self.statuses: list[int] = []
        self.entered = asyncio.Event()
        self.server = TestServer(self._application(), host="127.0.0.1")

    def _application(self) -> web.Application:
        @web.middleware
        async def keep(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            self.headers.append(request.headers)
            return await handler(request)

        app = web.Application(middlewares=[keep])
        app.router.add_route("*", "/status/{status}", self._status)
        app.router.add_get("/next", self._next)
        app.router.add_get("/moved", self._moved)
        app.router.add_get("/hangs", self._hangs)
        app.router.add_get("/truncated", self._truncated)
        return app

    async def _status(self, request: web.Request) -> web.Response:
        return web.Response(status=int(request.match_info["status"]))

    async def _next(self, request: web.Request) -> web.Response:
        return web.Response(status=self.statuses.pop(0))

    async def _moved(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/status/200")

    async def _hangs(self, request: web.Request) -> web.Response:
        self.entered.set()
        await asyncio.Event().wait()
        return web.Response()

    async def _truncated(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    def url(self, path: str) -> str:
        return str(self.server.make_url(path))

    @property
    def address(self) -> dict[str, str]:
        """As labels."""
        return {"server_address": "127.0.0.1", "server_port": str(self.server.port)}


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    async with shop.server:
        yield shop


@asynccontextmanager
async def client(**options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    options.setdefault("middlewares", (client_middleware(),))
    async with aiohttp.ClientSession(**options) as session:
        yield session


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with client() as session:
        yield session


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[int]:
    """A server that is none of HTTP: it sends that and resets the connection. Its port."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if left:
            writer.write(left.pop(0))
            await writer.drain()
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # on, for no time: a close is a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def free_port() -> int:
    """Nobody listens there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def status_of(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as response:
        return response.status


def said(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_sent(headers: CIMultiDictProxy[str]) -> list[str]:
    """Trace id, span id and flags of ``traceparent``."""
    return headers["traceparent"].split("-")[1:]


async def test_a_request_is_a_client_span_named_by_its_method(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    """With every attribute that the convention asks for, each of the type that the table says."""
    async with session.get(shop.url("/status/200?colour=blue&sig=c2ln#top")):
        pass
    (span,) = recorded.spans()
    assert (span.name, span.kind, span.status.status_code) == ("GET", SpanKind.CLIENT, StatusCode.UNSET)
    assert said(span) == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": shop.server.port,
        "url.full": shop.url("/status/200") + "?colour=blue&sig=REDACTED",
        "network.protocol.version": "1.1",
        "http.response.status_code": 200,
    }
    kinds = {name: {str: "string", int: "int"}[type(value)] for name, value in said(span).items()}
    assert kinds == {name: semconv.ATTRIBUTES[name].type for name in kinds}


@pytest.mark.parametrize(("status", "kind"), [(204, ""), (304, ""), (404, "404"), (503, "503")])
async def test_a_status_is_an_error_of_the_client_from_400_on(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession, status: int, kind: str
) -> None:
    """The status is its type; nobody has raised anything, so that no exception is recorded."""
    async with session.get(shop.url(f"/status/{status}")):
        pass
    (span,) = recorded.spans()
    assert span.status.status_code is (StatusCode.ERROR if kind else StatusCode.UNSET)
    assert said(span).get("error.type", "") == kind
    assert said(span)["http.response.status_code"] == status
    assert span.events == ()
    labels = {"http_request_method": "GET", "http_response_status_code": str(status), "error_type": kind}
    assert value_of(recorded, DURATION, **labels, **shop.address) == 1


async def test_a_method_that_is_not_known_is_counted_as_other(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    """Its span is called HTTP, and has it as an attribute."""
    async with session.request("BREW", shop.url("/status/200")):
        pass
    span = named(recorded, "HTTP")
    assert said(span)["http.request.method"] == "_OTHER"
    assert said(span)["http.request.method_original"] == "BREW"
    assert value_of(recorded, DURATION, http_request_method="_OTHER") == 1


async def test_each_request_of_a_retry_says_how_often_it_was_sent_before(
    recorded: Recorded, shop: Shop
) -> None:
    """``raise_for_status`` makes an exception of the answer, ``is_transient`` a retry of that."""
    shop.statuses = [503, 429, 200]

    async with client(raise_for_status=True) as session:
        assert await retry(PRICE, AT_ONCE).call(status_of, session, shop.url("/next")) == 200
    assert [said(span).get("http.request.resend_count") for span in spans_named(recorded, "GET")] == [
        None,
        1,
        2,
    ]
    assert recorded.outline() == (
        "retry price\n"
        "  attempt price\n    GET\n  backoff price\n  attempt price\n    GET\n  backoff price\n"
        "  attempt price\n    GET\n"
    )


async def test_a_retry_waits_as_long_as_the_answer_asks(recorded: Recorded) -> None:
    """``Retry-After`` is read from the ``ClientResponseError``; the policy cuts it."""
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
    well = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    policy = RetryPolicy(max_attempts=2, base_delay=0, retry_on=is_transient, max_retry_after=0.01)
    async with answering(busy, well) as port, client(raise_for_status=True) as session:
        assert await retry(PRICE, policy).call(status_of, session, f"http://127.0.0.1:{port}") == 200
    assert said(named(recorded, "backoff price"))["resilience.retry.delay_source"] == "retry_after"


async def test_each_hop_of_a_redirect_is_a_span_with_a_context_of_its_own(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    """Both are below the one that asked."""
    async with step(PRICE), session.get(shop.url("/moved")) as response:
        assert response.status == 200
    hops = spans_named(recorded, "GET")
    assert [said(hop)["http.response.status_code"] for hop in hops] == [302, 200]
    assert [URL(said(hop)["url.full"]).path for hop in hops] == ["/moved", "/status/200"]
    assert [parent_sent(headers)[1] for headers in shop.headers] == [span_id(hop) for hop in hops]
    assert recorded.outline() == "task price\n  GET\n  GET\n"


async def test_a_request_carries_the_context_of_its_span_and_the_baggage(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    """By the configured propagators."""
    token = attach(set_baggage("basket", "7"))
    try:
        async with session.get(shop.url("/status/200")):
            pass
    finally:
        detach(token)
    (span,) = recorded.spans()
    (headers,) = shop.headers
    assert parent_sent(headers) == [trace_id(span), span_id(span), headers["traceparent"][-2:]]
    assert int(headers["traceparent"][-2:], 16) & 1
    assert headers["baggage"] == "basket=7"


async def test_the_headers_of_the_caller_are_sent_and_stay_as_they_are(
    recorded: Recorded, shop: Shop
) -> None:
    """Those of the session and those of the request: it is a copy of them that is sent."""
    of_session, of_request = CIMultiDict({"X-Shop": "1"}), {"X-Price": "2", "traceparent": "old"}
    async with (
        client(headers=of_session) as session,
        session.get(shop.url("/moved"), headers=of_request),
    ):
        pass
    assert (dict(of_session), of_request) == ({"X-Shop": "1"}, {"X-Price": "2", "traceparent": "old"})
    assert [(each["X-Shop"], each["X-Price"]) for each in shop.headers] == [("1", "2")] * 2
    assert "old" not in [value for each in shop.headers for value in each.getall("traceparent")]


async def test_a_request_that_is_not_sampled_carries_its_context_all_the_same(
    recorder: None, shop: Shop
) -> None:
    """Else the other service would begin a trace of its own, and sample that."""
    with recording(time_ns=time.time_ns, sampler=ALWAYS_OFF) as recorded:
        async with client() as session, session.get(shop.url("/status/503")):
            pass
        assert recorded.spans() == []
        (headers,) = shop.headers
        assert int(headers["traceparent"][-2:], 16) & 1 == 0
        assert value_of(recorded, DURATION, error_type="503") == 1
        assert exemplars(recorded) == []


def exemplars(recorded: Recorded) -> list[tuple[str, str]]:
    """Error type and trace of each that the family has."""
    return [
        (sample.labels["error_type"], sample.exemplar.labels["trace_id"])
        for family in openmetrics_families(recorded)
        for sample in family.samples
        if sample.exemplar is not None and sample.name.startswith("http_client_")
    ]


async def test_exemplars_are_on_the_durations_of_failed_requests(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    """They lead to the trace of the failure."""
    for status in (200, 503):
        async with session.get(shop.url(f"/status/{status}")):
            pass
    assert exemplars(recorded) == [("503", trace_id(recorded.spans()[1]))]


async def test_a_refused_connection_is_an_error_with_its_class(
    recorded: Recorded, session: aiohttp.ClientSession
) -> None:
    """Without a status; the exception is recorded once, where it was raised."""
    port = free_port()
    with pytest.raises(aiohttp.ClientConnectorError) as caught:
        async with step(PRICE):
            await session.get(f"http://127.0.0.1:{port}")
    assert is_transient(caught.value)
    span = named(recorded, "GET")
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == str(caught.value)
    assert said(span)["error.type"] == "ClientConnectorError"
    assert "http.response.status_code" not in said(span)
    assert [[event.name for event in each.events] for each in recorded.spans()] == [[], ["exception"]]
    labels = {"server_port": str(port), "http_response_status_code": ""}
    assert value_of(recorded, DURATION, error_type="ClientConnectorError", **labels) == 1


async def test_a_connection_that_is_reset_is_sent_again_by_aiohttp_and_each_is_a_span(
    recorded: Recorded, session: aiohttp.ClientSession
) -> None:
    """It resends idempotent requests once, by itself."""
    async with answering() as port:
        with pytest.raises(aiohttp.ClientConnectionError) as caught:
            await session.get(f"http://127.0.0.1:{port}")
    assert is_transient(caught.value)
    kinds = [said(span)["error.type"] for span in spans_named(recorded, "GET")]
    assert kinds == [type(caught.value).__name__] * 2


async def test_an_answer_that_breaks_off_is_a_success_of_the_request_and_transient(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    """The span ends with the headers: reading the rest is the caller's."""
    async with session.get(shop.url("/truncated")) as response:
        with pytest.raises(aiohttp.ClientPayloadError) as caught:
            await response.read()
    assert is_transient(caught.value)
    assert named(recorded, "GET").status.status_code is StatusCode.UNSET


async def test_a_limit_around_it_cancels_the_request_and_is_its_cause(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    """Cancelled is no failure, as everywhere; the timeout itself is."""
    with pytest.raises(TimeoutError):
        async with timeout(PRICE, 0.05):
            await session.get(shop.url("/hangs"))
    span = named(recorded, "GET")
    assert span.status.status_code is StatusCode.UNSET
    assert said(span)["resilience.outcome"] == "cancelled"
    assert said(span)["resilience.cancel.cause"] == "deadline"
    assert "error.type" not in said(span)
    assert [event.name for event in span.events] == ["resilience.cancel.requested"]
    assert [link.context for link in span.links] == [named(recorded, "timeout price").context]
    assert value_of(recorded, DURATION, error_type="", http_response_status_code="") == 1
    assert exemplars(recorded) == []


async def test_whoever_cancels_the_task_is_the_cause(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    """With his reason."""
    sending = asyncio.create_task(session._request("GET", shop.url("/hangs")))
    await shop.entered.wait()
    request_cancel(sending, "shutdown", reason="a new version")
    await asyncio.wait([sending])
    assert sending.cancelled()
    span = named(recorded, "GET")
    assert said(span)["resilience.cancel.cause"] == "shutdown"
    assert said(span)["resilience.cancel.reason"] == "a new version"


class NoAnswer(AbstractResolver):
    """A name server that hangs."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        await asyncio.Event().wait()
        return []

    async def close(self) -> None:
        """Nothing is open."""


def hanging(*middlewares: Any) -> Any:
    """A client that does not get as far as connecting."""
    connector = aiohttp.TCPConnector(resolver=NoAnswer())
    return client(connector=connector, middlewares=(client_middleware(), *middlewares))


async def test_the_clients_own_total_timeout_is_an_error_and_no_cancel(recorded: Recorded) -> None:
    """aiohttp cancels the task, and outside of its middlewares it makes a ``TimeoutError`` of that."""
    with pytest.raises(TimeoutError) as caught:
        async with step(PRICE), hanging() as session:
            await session.get("http://shop.example", timeout=ClientTimeout(total=0.05))
    assert is_transient(caught.value)
    span = named(recorded, "GET")
    assert span.status.status_code is StatusCode.ERROR
    assert said(span)["error.type"] == "TimeoutError"
    assert "resilience.outcome" not in said(span)
    assert value_of(recorded, DURATION, error_type="TimeoutError") == 1
    assert [[event.name for event in each.events] for each in recorded.spans()] == [["exception"], []]


async def test_so_is_one_that_passes_while_the_answer_is_waited_for(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    """There it is a ``TimeoutError`` from the start."""
    with pytest.raises(TimeoutError):
        await session.get(shop.url("/hangs"), timeout=ClientTimeout(total=0.05))
    assert said(named(recorded, "GET"))["error.type"] == "TimeoutError"


async def test_a_cancel_beside_the_clients_own_timeout_is_a_cancel(recorded: Recorded) -> None:
    """As it is for aiohttp, which then lets it through."""

    async def cancels(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        try:
            return await handler(request)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            raise

    async with hanging(cancels) as session:
        limit = ClientTimeout(total=0.05)
        sending = asyncio.create_task(session._request("GET", "http://shop.example", timeout=limit))
        await asyncio.wait([sending])
    assert sending.cancelled()
    assert said(named(recorded, "GET"))["resilience.outcome"] == "cancelled"


async def test_where_aiohttp_keeps_its_timer_elsewhere_its_timeout_is_a_cancel(recorded: Recorded) -> None:
    """Which is less than the truth, but no error of the telemetry's."""

    async def hides(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        del request._timer
        return await handler(request)

    async with hanging(hides) as session:
        with pytest.raises(TimeoutError):
            await session.get("http://shop.example", timeout=ClientTimeout(total=0.05))
    assert said(named(recorded, "GET"))["resilience.outcome"] == "cancelled"


async def test_a_read_timeout_is_an_error_with_its_class(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(aiohttp.SocketTimeoutError) as caught:
        await session.get(shop.url("/hangs"), timeout=ClientTimeout(sock_read=0.05))
    assert is_transient(caught.value)
    assert said(named(recorded, "GET"))["error.type"] == "SocketTimeoutError"


def suppressing(*keys: str) -> Context:
    context = Context()
    for key in keys:
        context = set_value(key, True, context)
    return context


async def test_without_spans_a_request_is_only_counted(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    """Nor does it carry a context, as with OpenTelemetry's own instrumentations."""
    with without_spans():
        async with session.get(shop.url("/status/200")):
            pass
    assert recorded.spans() == []
    assert "traceparent" not in shop.headers[0]
    assert value_of(recorded, DURATION, **shop.address) == 1


async def test_the_old_key_of_opentelemetry_suppresses_too(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    token = attach(suppressing("suppress_instrumentation"))
    try:
        async with session.get(shop.url("/status/200")):
            pass
    finally:
        detach(token)
    assert recorded.spans() == []
    assert "traceparent" not in shop.headers[0]


async def test_suppression_of_http_alone_is_honoured(
    recorded: Recorded, shop: Shop, session: aiohttp.ClientSession
) -> None:
    """By whoever wraps one client in another: ``suppress_http_instrumentation``."""
    from opentelemetry.instrumentation.utils import suppress_http_instrumentation

    with suppress_http_instrumentation():
        async with step(PRICE), session.get(shop.url("/status/200")):
            pass
    assert recorded.outline() == "task price\n"
    assert "traceparent" not in shop.headers[0]


def of_contrib(marked: bool) -> TraceConfig:
    """Stands for OpenTelemetry's own instrumentation: as its instrumentor marks it, or given by hand."""

    async def on_request_start(session: object, context: Any, params: Any) -> None:
        tracer = get_tracer_provider().get_tracer("contrib")
        attributes = {"http.request.method": params.method}
        context.span = tracer.start_span(params.method, kind=SpanKind.CLIENT, attributes=attributes)
        params.headers["traceparent"] = "00-" + "1" * 32 + "-" + "2" * 16 + "-01"

    async def on_request_end(session: object, context: Any, params: object) -> None:
        context.span.end()

    config = TraceConfig()
    if marked:
        config._is_instrumented_by_opentelemetry = True  # type: ignore[attr-defined]
    else:
        on_request_start.__module__ = "opentelemetry.instrumentation.aiohttp_client"
    config.on_request_start.append(on_request_start)
    config.on_request_end.append(on_request_end)
    return config


@pytest.mark.parametrize("marked", [True, False])
async def test_where_the_contrib_instrumentation_traces_a_session_the_span_is_its_own(
    recorded: Recorded, shop: Shop, marked: bool
) -> None:
    """And the context that is sent; only the metric is still ours."""
    contrib = [of_contrib(marked)]
    async with client(trace_configs=contrib) as session, session.get(shop.url("/status/503")):
        pass
    assert [span for span in recorded.spans() if span.kind is SpanKind.CLIENT] == []
    assert parent_sent(shop.headers[0])[:2] == ["1" * 32, "2" * 16]
    assert value_of(recorded, DURATION, error_type="503") == 1


async def test_another_trace_configuration_is_nobodys_span(recorded: Recorded, shop: Shop) -> None:
    async def on_request_start(*_: object) -> None:
        return

    config = TraceConfig()
    config.on_request_start.append(on_request_start)
    async with client(trace_configs=[config]) as session, session.get(shop.url("/status/200")):
        pass
    assert len(spans_named(recorded, "GET")) == 1


async def test_with_telemetry_off_requests_are_counted_and_pass_the_context_on(
    monkeypatch: pytest.MonkeyPatch, shop: Shop
) -> None:
    """``OTEL_SDK_DISABLED``."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    registry = CollectorRegistry()
    retryscope.setup(registry=registry)
    try:
        async with client() as session, session.get(shop.url("/status/200")):
            pass
    finally:
        retryscope.shutdown()
    assert value_of(Recorded(registry), DURATION) == 1


def response_error(status: int, kind: type[aiohttp.ClientResponseError] = aiohttp.ClientResponseError) -> Any:
    info = RequestInfo(URL("http://shop"), "GET", CIMultiDictProxy(CIMultiDict()), URL("http://shop"))
    return kind(info, (), status=status)


KEY = ConnectionKey("shop", 443, True, True, None, None, None)
NO_ANSWER = socket.gaierror(socket.EAI_AGAIN, "try again")
NO_SUCH_NAME = socket.gaierror(socket.EAI_NONAME, "no such name")


def connector(
    code: int | None, kind: type[aiohttp.ClientConnectorError] = aiohttp.ClientConnectorError
) -> Any:
    return kind(KEY, OSError("several") if code is None else OSError(code, "it says"))


TRANSIENT: Sequence[BaseException] = (
    *(response_error(status) for status in (408, 425, 429, 500, 502, 503, 504)),
    connector(errno.ECONNREFUSED),
    connector(errno.ENETUNREACH),
    connector(None),
    aiohttp.ClientOSError(errno.ECONNRESET, "reset"),
    aiohttp.ClientConnectionResetError("closing"),
    aiohttp.ClientConnectorDNSError(KEY, NO_ANSWER),
    aiohttp.ClientPayloadError("too short"),
    aiohttp.ConnectionTimeoutError("connecting"),
    aiohttp.ServerDisconnectedError(),
    aiohttp.SocketTimeoutError("reading"),
    TimeoutError(),
)

FOR_GOOD: Sequence[BaseException] = (
    *(response_error(status) for status in (400, 401, 403, 404, 409, 501)),
    response_error(302, aiohttp.TooManyRedirects),
    response_error(200, aiohttp.ContentTypeError),
    connector(errno.EACCES),
    connector(errno.EMFILE),
    aiohttp.ClientConnectorDNSError(KEY, NO_SUCH_NAME),
    aiohttp.ClientConnectorCertificateError(KEY, ssl.CertificateError("expired")),
    aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "wrong version")),
    aiohttp.ServerFingerprintMismatch(b"a", b"b", "shop", 443),
    aiohttp.InvalidURL("http://"),
    aiohttp.NonHttpUrlClientError("file:///etc"),
    aiohttp.ClientConnectionError("Connector is closed"),
    asyncio.CancelledError(),
    KeyError("a bug"),
    RuntimeError("Session is closed"),
    OSError(errno.ECONNREFUSED, "somebody else's"),
)


def names(errors: Sequence[BaseException]) -> list[str]:
    """What each is called in the name of its test."""
    return [f"{number}-{type(error).__name__}" for number, error in enumerate(errors)]


@pytest.mark.parametrize("error", TRANSIENT, ids=names(TRANSIENT))
def test_what_may_be_gone_the_next_time_is_transient(error: BaseException) -> None:
    assert is_transient(error)


@pytest.mark.parametrize("error", FOR_GOOD, ids=names(FOR_GOOD))
def test_what_stays_wrong_or_is_a_bug_is_not(error: BaseException) -> None:
    assert not is_transient(error)


async def test_a_url_that_is_wrong_is_raised_before_anything_is_sent(
    recorded: Recorded, session: aiohttp.ClientSession
) -> None:
    with pytest.raises(aiohttp.InvalidURL) as caught:
        await session.get("http:///no-host")
    assert not is_transient(caught.value)
    assert recorded.spans() == []
