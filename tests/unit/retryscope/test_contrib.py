"""OpenTelemetry's own instrumentations of HTTP clients, below our spans: one trace, whoever makes them.

Each is tested where it is installed. The lock has no ``opentelemetry-instrumentation-aiohttp-client``: the
newest is for an SDK older than the newest. ``make otel-releases`` has both, for each SDK that is supported.
"""

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry import trace
from prometheus_client import CollectorRegistry

import retryscope
from retryscope import RetryPolicy, retry, semconv, workflow
from retryscope._recording.fast.span import LiveSpan
from retryscope._recording.telemetry import install
from retryscope.adapters.aiohttp_client import client_middleware
from tests.support.clock import real_loop, run
from tests.support.otlp_receiver import otlp_receiver
from tests.support.recorded import SpanLog
from tests.support.spans import SpanData
from tests.unit.retryscope.helpers import PRICE

AT_ONCE = RetryPolicy(max_attempts=3, base_delay=0, jitter="none")


async def by_aiohttp(url: str) -> None:
    async with aiohttp.ClientSession(raise_for_status=True) as session, session.get(url) as response:
        await response.read()


async def by_our_adapter(url: str) -> None:
    session = aiohttp.ClientSession(raise_for_status=True, middlewares=(client_middleware(),))
    async with session, session.get(url) as response:
        await response.read()


async def by_httpx(url: str) -> None:
    async with httpx.AsyncClient() as client:
        (await client.get(url)).raise_for_status()


@dataclass(frozen=True)
class Client:
    """How a request is sent, and what instruments it: a class of a module of OpenTelemetry's."""

    get: Callable[[str], Awaitable[None]]
    module: str
    instrumentor: str

    @property
    def scope(self) -> str:
        return f"opentelemetry.instrumentation.{self.module}"


CLIENTS = {
    "aiohttp": Client(by_aiohttp, "aiohttp_client", "AioHttpClientInstrumentor"),
    # Which leaves spans and context to the contrib's instrumentation.
    "our adapter beside it": Client(by_our_adapter, "aiohttp_client", "AioHttpClientInstrumentor"),
    "httpx": Client(by_httpx, "httpx", "HTTPXClientInstrumentor"),
}


@pytest.fixture(params=[name for name, each in CLIENTS.items() if find_spec(each.scope)])
def client(request: pytest.FixtureRequest) -> Client:
    return CLIENTS[request.param]


@contextmanager
def recording(client: Client, log: SpanLog) -> Iterator[None]:
    """Set up as in a program of one's own: on a provider that becomes the global one, which both use."""
    retryscope.setup(service_name="shop", registry=CollectorRegistry(), span_processors=[log])
    instrumentor: Any = getattr(importlib.import_module(client.scope), client.instrumentor)()
    instrumentor.instrument()
    try:
        yield
    finally:
        instrumentor.uninstrument()
        retryscope.shutdown()
        install(None)


@dataclass
class Shop:
    """Fails so many times before it answers, and keeps the header ``traceparent`` of each request."""

    failures: int
    url: str = ""
    headers: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.headers.append(request.headers.get("traceparent", ""))
        return web.Response(status=503 if len(self.headers) <= self.failures else 200)


@asynccontextmanager
async def shop(failures: int) -> AsyncIterator[Shop]:
    shop, app = Shop(failures), web.Application()
    app.router.add_get("/price", shop.answer)
    async with TestServer(app) as server:
        shop.url = str(server.make_url("/price"))
        yield shop


@pytest.fixture(params=["fast", "sdk"])
def recorder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What records our spans, by the variable that says so."""
    monkeypatch.setenv("RETRYSCOPE_RECORDER", request.param)
    return str(request.param)


def traced(client: Client, log: SpanLog) -> tuple[list[SpanData], list[str]]:
    """The spans of a workflow whose second request succeeds, as exported; ``traceparent`` of its requests."""

    async def main() -> list[str]:
        async with shop(failures=1) as sells:
            async with workflow("checkout"):
                await retry(PRICE, AT_ONCE).call(client.get, sells.url)
            return sells.headers

    with otlp_receiver() as collector, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")  # however slow the machine is
        with recording(client, log):
            headers = run(main(), real_loop)
        assert collector.requests == 1
        return sorted(collector.spans(), key=lambda span: span.start), headers


def test_requests_are_below_the_attempts_that_send_them(client: Client, recorder: str) -> None:
    """In one trace, and sent to the collector in one request: ours and the client's share a queue."""
    log = SpanLog()
    spans, headers = traced(client, log)
    names = {span.span_id: span.name for span in spans}
    assert [(span.name, names.get(span.parent_id)) for span in spans] == [
        ("workflow checkout", None),
        ("retry price", "workflow checkout"),
        ("attempt price", "retry price"),
        ("GET", "attempt price"),
        ("backoff price", "retry price"),
        ("attempt price", "retry price"),
        ("GET", "attempt price"),
    ]
    assert len({span.trace_id for span in spans}) == 1
    requests = [span for span in spans if span.name == "GET"]
    assert {span.scope for span in requests} == {client.scope}
    assert [span.attributes.get(semconv.HTTP_RESEND_COUNT) for span in requests] == [None, 1]
    # The other service's spans go below the request, not below the attempt.
    assert [header.split("-")[1:3] for header in headers] == [
        [span.trace_id, span.span_id] for span in requests
    ]
    ours = {type(span) is LiveSpan for span in log.ended if span.name != "GET"}
    assert ours == {recorder == "fast"}


def test_a_primitive_below_a_span_of_others_is_in_their_trace(client: Client, recorder: str) -> None:
    """And a request below that again: each finds its parent, whoever has made it."""

    async def main() -> None:
        tracer = trace.get_tracer("framework")
        async with shop(failures=0) as sells:
            with tracer.start_as_current_span("GET /checkout"):
                await retry(PRICE, AT_ONCE).call(client.get, sells.url)

    log = SpanLog()
    with recording(client, log):
        run(main(), real_loop)
    contexts = [span.get_span_context() for span in log.started]
    assert [span.name for span in log.started] == ["GET /checkout", "retry price", "attempt price", "GET"]
    assert [span.parent and span.parent.span_id for span in log.started] == [
        None,
        *(each.span_id for each in contexts[:-1]),
    ]
    assert len({each.trace_id for each in contexts}) == 1
