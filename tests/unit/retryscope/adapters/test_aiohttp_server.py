"""Spans and metrics of an aiohttp server, by the OpenTelemetry HTTP conventions."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.context import get_current
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode, get_current_span
from prometheus_client import CollectorRegistry

import retryscope
from retryscope import request_cancel, semconv, step
from retryscope.adapters.aiohttp_server import UNHANDLED_ERROR, count_refused, server_middleware
from tests.support.polling import LIMIT
from tests.support.recorded import Recorded, recording
from tests.unit.retryscope.helpers import PRICE, attribute, openmetrics_families, trace_id, value_of

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"
DURATION = "http_server_request_duration_seconds_count"

Client = TestClient[web.Request, web.Application]


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Sockets need real time."""
    with recording(time_ns=time.time_ns) as recorded:
        yield recorded


async def item(request: web.Request) -> web.Response:
    async with step(PRICE):
        await asyncio.sleep(0.002)  # a clock of whole milliseconds, as uvloop's is, goes on meanwhile
        return web.json_response({"id": request.match_info["id"]})


async def not_allowed(request: web.Request) -> web.Response:
    raise web.HTTPForbidden(text="no")


async def unavailable(request: web.Request) -> web.Response:
    raise web.HTTPServiceUnavailable(text="later")


async def returns_500(request: web.Request) -> web.Response:
    return web.Response(status=500)


async def crashes(request: web.Request) -> web.Response:
    raise OSError("no database")


async def crashes_inside(request: web.Request) -> web.Response:
    async with step(PRICE):
        raise OSError("no database")


async def streams(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"chunk")
    return response


def application(*middlewares: Callable[..., Awaitable[web.StreamResponse]]) -> web.Application:
    app = web.Application(middlewares=[server_middleware(untraced={"/metrics"}), *middlewares])
    app.add_routes(
        [
            web.get("/items/{id}", item),
            web.get("/metrics", item_free),
            web.get("/forbidden", not_allowed),
            web.get("/unavailable", unavailable),
            web.get("/returns-500", returns_500),
            web.get("/crash", crashes),
            web.get("/crash-inside", crashes_inside),
            web.get("/stream", streams),
            web.route("*", "/any", item_free),
        ]
    )
    return app


async def item_free(request: web.Request) -> web.Response:
    return web.Response(text="ok")


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[Client]:
    """A server on a real socket; aiohttp's test server has ``handler_cancellation=True`` built in."""
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        yield client


@pytest.fixture
async def client(recorded: Recorded) -> AsyncIterator[Client]:
    async with serving(application()) as client:
        yield client


async def ended(recorded: Recorded, spans: int = 1) -> list[ReadableSpan]:
    """The spans, once the server is through with the request: it answers a little earlier."""
    for _ in range(1000):
        if len(recorded.log.ended) >= spans:
            break
        await asyncio.sleep(0.001)
    return recorded.spans()


def counted(recorded: Recorded) -> list[dict[str, str]]:
    """The label sets of the duration that have counted something."""
    return [
        dict(labels) for (name, labels), value in recorded.samples().items() if name == DURATION and value
    ]


async def test_a_request_is_a_server_span_named_by_its_route(recorded: Recorded, client: Client) -> None:
    """Every attribute of the convention; what the handler does is under it."""
    response = await client.get("/items/4711?secret=1", headers={"User-Agent": "curl/8"})
    assert response.status == 200
    await ended(recorded, 2)
    assert recorded.outline() == "GET /items/{id}\n  task price\n"
    (span,) = [span for span in recorded.spans() if span.kind is SpanKind.SERVER]
    assert span.name == "GET /items/{id}"
    assert span.parent is None
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/items/{id}",
        "url.path": "/items/4711",
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "server.port": client.port,
        "client.address": "127.0.0.1",
        "network.protocol.version": "1.1",
        "user_agent.original": "curl/8",
        "http.response.status_code": 200,
    }
    assert set(span.attributes or {}) <= set(semconv.ATTRIBUTES)
    assert response.headers["X-Trace-Id"] == trace_id(span)


async def test_a_request_is_counted_with_the_labels_of_the_convention(
    recorded: Recorded, client: Client
) -> None:
    """Bounded: the route's template, never the path."""
    for number in range(3):
        await client.get(f"/items/{number}")
    await ended(recorded, 6)
    assert counted(recorded) == [
        {
            "http_request_method": "GET",
            "http_route": "/items/{id}",
            "http_response_status_code": "200",
            "url_scheme": "http",
            "error_type": "",
        }
    ]
    assert value_of(recorded, DURATION) == 3
    assert value_of(recorded, "http_server_request_duration_seconds_sum") > 0


async def test_an_incoming_traceparent_is_continued(recorded: Recorded, client: Client) -> None:
    """The caller's trace goes on, and the answer names it."""
    headers = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"}
    response = await client.get("/items/1", headers=headers)
    server, _ = await ended(recorded, 2)
    assert server.parent is not None
    assert (f"{server.parent.trace_id:032x}", f"{server.parent.span_id:016x}") == (TRACE_ID, PARENT_ID)
    assert response.headers["X-Trace-Id"] == TRACE_ID


@pytest.mark.parametrize("header", ["nonsense", f"00-{'0' * 32}-{PARENT_ID}-01", ""])
async def test_a_malformed_traceparent_starts_a_new_trace(
    recorded: Recorded, client: Client, header: str
) -> None:
    """It is the client's input: it may be anything."""
    response = await client.get("/items/1", headers={"traceparent": header})
    server, _ = await ended(recorded, 2)
    assert response.status == 200
    assert server.parent is None


async def test_one_request_leaves_nothing_to_the_next_on_its_connection(
    recorded: Recorded, client: Client
) -> None:
    """Neither its span nor the parent it came with."""
    await client.get("/items/1", headers={"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"})
    await client.get("/crash")
    await client.get("/items/2")
    roots = [span.parent is None for span in await ended(recorded, 5) if span.kind is SpanKind.SERVER]
    assert roots == [False, True, True]


async def test_after_a_request_the_context_is_as_before(recorded: Recorded) -> None:
    """A connection's requests may share a task: what is not traced must not land in the last one's trace."""
    request = make_mocked_request(
        "GET", "/any", headers={"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"}, app=application()
    )
    before = get_current()
    await server_middleware()(request, item_free)
    assert get_current() == before
    assert not get_current_span().get_span_context().is_valid


async def test_without_a_matching_route_the_label_is_empty(recorded: Recorded, client: Client) -> None:
    """A scanner's thousand paths are one series; the span is named by its method."""
    for path in ("/wp-login.php", "/.env"):
        assert (await client.get(path)).status == 404
    assert (await client.post("/items/1")).status == 405
    spans = await ended(recorded, 3)
    assert [span.name for span in spans] == ["GET", "GET", "POST"]
    for span in spans:
        assert "http.route" not in (span.attributes or {})
        assert span.status.status_code is StatusCode.UNSET
    assert {(labels["http_route"], labels["http_response_status_code"]) for labels in counted(recorded)} == {
        ("", "404"),
        ("", "405"),
    }


async def test_an_unknown_method_is_folded(recorded: Recorded, client: Client) -> None:
    """``_OTHER``, and the span's name says HTTP, as the convention wants it."""
    await client.request("PROPFIND", "/any")
    (span,) = await ended(recorded)
    assert span.name == "HTTP /any"
    assert attribute(recorded, "HTTP /any", "http.request.method") == "_OTHER"
    assert [labels["http_request_method"] for labels in counted(recorded)] == ["_OTHER"]


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [("/forbidden", 403, ""), ("/unavailable", 503, "503"), ("/returns-500", 500, "500")],
)
async def test_a_status_below_500_is_no_error_of_the_server(
    recorded: Recorded, client: Client, path: str, status: int, kind: str
) -> None:
    """Returned or raised as ``HTTPException``; from 500 on it is ERROR with the status as error.type."""
    response = await client.get(path)
    (span,) = await ended(recorded)
    assert response.status == status
    assert response.headers["X-Trace-Id"] == trace_id(span)
    assert span.status.status_code is (StatusCode.ERROR if kind else StatusCode.UNSET)
    assert attribute(recorded, f"GET {path}", "error.type") == (kind or None)
    assert attribute(recorded, f"GET {path}", "http.response.status_code") == status
    assert [labels["error_type"] for labels in counted(recorded)] == [kind]


@pytest.mark.parametrize("path", ["/crash", "/crash-inside"])
async def test_an_unhandled_exception_is_a_500_with_its_class(
    recorded: Recorded, client: Client, path: str
) -> None:
    """Recorded once: here, or by the primitive inside where it was raised."""
    assert (await client.get(path)).status == 500
    spans = await ended(recorded, 1 if path == "/crash" else 2)
    server = spans[0]
    assert (server.status.status_code, server.status.description) == (StatusCode.ERROR, "no database")
    assert attribute(recorded, f"GET {path}", "error.type") == "OSError"
    assert attribute(recorded, f"GET {path}", "http.response.status_code") == 500
    assert [event.name for span in spans for event in span.events] == ["exception"]
    assert spans[-1].events != ()
    (labels,) = counted(recorded)
    assert (labels["http_response_status_code"], labels["error_type"]) == ("500", "OSError")


async def test_an_exception_that_a_middleware_made_a_response_is_recorded_all_the_same(
    recorded: Recorded,
) -> None:
    """It leaves the exception in the request; the client gets the middleware's answer."""

    @web.middleware
    async def problem(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except OSError as error:
            request[UNHANDLED_ERROR] = error
            return web.json_response({"title": "sorry"}, status=500)

    async with serving(application(problem)) as client:
        response = await client.get("/crash")
        assert (response.status, await response.json()) == (500, {"title": "sorry"})
        (span,) = await ended(recorded)
    assert [event.name for event in span.events] == ["exception"]
    assert attribute(recorded, "GET /crash", "error.type") == "OSError"
    assert span.status.description == "no database"


async def test_exemplars_are_on_the_durations_of_failed_requests(recorded: Recorded, client: Client) -> None:
    """They lead to the trace of the failure."""
    await client.get("/crash")
    await client.get("/items/1")
    server, *_ = await ended(recorded, 3)
    found = [
        (sample.labels["http_route"], sample.exemplar.labels["trace_id"])
        for family in openmetrics_families(recorded)
        for sample in family.samples
        if sample.exemplar is not None and sample.name.startswith("http_")
    ]
    assert found == [("/crash", trace_id(server))]


async def test_untraced_routes_are_counted_but_have_no_span(recorded: Recorded, client: Client) -> None:
    """Scrapes and health checks would fill the trace store."""
    response = await client.get("/metrics", headers={"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"})
    assert response.status == 200
    assert "X-Trace-Id" not in response.headers
    assert recorded.spans() == []
    assert [labels["http_route"] for labels in counted(recorded)] == ["/metrics"]


async def test_a_response_that_has_already_begun_gets_no_header(recorded: Recorded, client: Client) -> None:
    """Its headers are on the wire."""
    response = await client.get("/stream")
    assert await response.text() == "chunk"
    await ended(recorded)
    assert attribute(recorded, "GET /stream", "http.response.status_code") == 200
    assert "X-Trace-Id" not in response.headers


@pytest.mark.parametrize("host", ["shop:port", "shop:99999", "", "é"])
async def test_a_malformed_host_header_is_no_error_of_the_server(
    recorded: Recorded, client: Client, host: str
) -> None:
    """The client writes it: telemetry must not turn it into a 500."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"GET /any HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    await writer.wait_closed()
    (span,) = await ended(recorded)
    assert "server.port" not in (span.attributes or {}) or host in ("", "é")


@pytest.mark.parametrize("cause", ["client_disconnect", "shutdown"])
async def test_a_client_that_disconnects_cancels_its_request_and_is_no_5xx(
    recorded: Recorded, cause: str
) -> None:
    """asyncio.md 10: with ``handler_cancellation=True``; a server that shuts down names its own cause."""
    entered, left = asyncio.Event(), asyncio.Event()
    handlers: list[asyncio.Task[object]] = []

    async def waits(request: web.Request) -> web.Response:
        current = asyncio.current_task()
        assert current is not None
        handlers.append(current)
        try:
            async with step(PRICE):
                entered.set()
                await asyncio.sleep(60)
        finally:
            left.set()
        return web.Response()

    app = application()
    app.router.add_get("/wait", waits)
    async with serving(app) as client:
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(b"GET /wait HTTP/1.1\r\nHost: shop\r\n\r\n")
        await entered.wait()
        if cause == "shutdown":
            request_cancel(handlers[0], "shutdown")
        else:
            writer.close()
        await left.wait()
        writer.close()
        await writer.wait_closed()
        server, inner = await ended(recorded, 2)
    for span in (server, inner):
        assert span.status.status_code is StatusCode.UNSET
        assert (span.attributes or {})["resilience.outcome"] == "cancelled"
        assert (span.attributes or {})["resilience.cancel.cause"] == cause
        assert [event.name for event in span.events] == ["resilience.cancel.requested"]
    assert "http.response.status_code" not in (server.attributes or {})
    (labels,) = counted(recorded)
    assert (labels["http_response_status_code"], labels["error_type"]) == ("", "")
    assert value_of(recorded, "resilience_cancellations_total", cause=cause, operation="price") == 1


async def test_aiohttps_own_defaults_disagree_so_it_is_set_explicitly() -> None:
    """asyncio.md 10: its runner's default is False, so a service has to say True."""
    assert inspect.signature(web.run_app).parameters["handler_cancellation"].default is False


async def test_with_telemetry_off_requests_are_counted_and_name_no_trace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``OTEL_SDK_DISABLED``."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    registry = CollectorRegistry()
    retryscope.setup(registry=registry)
    try:
        async with serving(application()) as client:
            for path in ("/items/1", "/forbidden", "/crash"):
                assert "X-Trace-Id" not in (await client.get(path)).headers
    finally:
        retryscope.shutdown()
    assert value_of(Recorded(registry), DURATION) == 3


async def test_a_client_without_an_address_has_none_on_the_span(recorded: Recorded) -> None:
    """As behind a transport that knows no peer."""
    request = make_mocked_request("GET", "/any", app=application())
    assert request.remote is None
    await server_middleware()(request, item_free)
    (span,) = recorded.spans()
    assert "client.address" not in (span.attributes or {})


async def send_raw(client: Client, *lines: bytes) -> bytes:
    """Send a GET that no client would send; returns the whole response."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"\r\n".join([b"GET /items/7 HTTP/1.1", *lines, b"Connection: close", b"", b""]))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize("name", [b"baggage", b"tracestate", b"traceparent", b"User-Agent", b"X-Any"])
@pytest.mark.parametrize("value", [b"a=\xe9", b"\xff", b"\xed\xa0\x80", "käse".encode(), b"=", b",;,=;"])
async def test_a_header_that_is_no_text_is_served(
    recorded: Recorded, client: Client, name: bytes, value: bytes
) -> None:
    """One Latin-1 byte was enough to fail the request; what is recorded can be exported."""
    answer = await send_raw(client, b"Host: shop.test", name + b": " + value)
    assert answer.startswith(b"HTTP/1.1 200 ")
    spans = await ended(recorded, 2)
    for span in spans:
        for text in span.attributes.values() if span.attributes else ():
            str(text).encode()
    assert {labels["http_response_status_code"] for labels in counted(recorded)} == {"200"}


async def test_any_bytes_in_a_header_are_served_or_refused_as_the_client_s(recorded: Recorded) -> None:
    """Generated: whatever the parser lets through is answered by the handler, never by an error of ours."""
    values = st.binary(max_size=40).filter(lambda value: not {10, 13, 0} & set(value))
    names = st.sampled_from([b"baggage", b"tracestate", b"traceparent", b"User-Agent", b"Host", b"Forwarded"])
    async with serving(application()) as client:
        loop = asyncio.get_running_loop()

        @given(names, values)
        def check(name: bytes, value: bytes) -> None:
            sent = send_raw(client, *([] if name == b"Host" else [b"Host: shop.test"]), name + b": " + value)
            answer = asyncio.run_coroutine_threadsafe(sent, loop).result(LIMIT)
            assert answer[9:12] in {b"200", b"400"}, answer

        await asyncio.to_thread(check)


def test_a_refused_request_is_counted_as_the_client_s(recorded: Recorded) -> None:
    """By whoever refuses it before a middleware sees it."""
    count_refused(431)
    assert counted(recorded) == [
        {
            "http_request_method": "_OTHER",
            "http_route": "",
            "http_response_status_code": "431",
            "url_scheme": "http",
            "error_type": "",
        }
    ]


async def test_a_background_task_of_a_request_that_was_answered_is_not_the_clients(
    recorded: Recorded,
) -> None:
    """Cancelled later, and plainly, it counts as cause ``request``."""
    background: list[asyncio.Task[None]] = []

    async def work() -> None:
        async with step(PRICE):
            await asyncio.sleep(3600)

    async def starts(request: web.Request) -> web.Response:
        background.append(asyncio.create_task(work()))
        return web.Response()

    app = application()
    app.router.add_get("/starts", starts)
    async with serving(app) as client:
        assert (await client.get("/starts")).status == 200
        await asyncio.sleep(1)
        background[0].cancel()
        await asyncio.wait(background)
    cancelled = "resilience_cancellations_total"
    assert value_of(recorded, cancelled, operation="price", cause="request") == 1
    assert value_of(recorded, cancelled, operation="price", cause="client_disconnect") == 0
