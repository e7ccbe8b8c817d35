"""The aiohttp servers that P2, P3 and P10 compare: a trivial request, and one with a retry in it.

Each lives in a process of its own, on a free port. Every server has the same three routes; what differs is
what observes the request, and what retries inside it. The access log is off in all of them.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from aiohttp import web
from opentelemetry import metrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import set_tracer_provider

from retryscope._recording.export import BATCH_SIZE, QUEUE_SIZE, SCHEDULE_DELAY_MILLIS
from retryscope.adapters.aiohttp_server import server_middleware

from . import peers
from .rounds import Sample
from .variants import UNINSTRUMENTED, open_variant
from .variants.operation import SPANS_OF_A_RETRY, SPANS_OF_A_SUCCESS
from .variants.variant import Variant
from .workload import FlakyServer, Policy

Middleware = Callable[..., Awaitable[web.StreamResponse]]
Flush = Callable[[], object]

PATHS: Final = {"trivial": "/", "success": "/success", "failure": "/failure"}
_SPANS_INSIDE: Final = {"trivial": 0, "success": SPANS_OF_A_SUCCESS, "failure": SPANS_OF_A_RETRY}


@dataclass(frozen=True, slots=True)
class Observed:
    """How a server is observed.

    Attributes:
        recorder: The variant that records, or ``contrib``, or nothing.
        retries: The variant that retries inside the request; the recorder's own where it is empty.
    """

    recorder: str = ""
    retries: str = ""

    def spans(self, route: str) -> int:
        """Of a request."""
        if not self.recorder:
            return 0
        return 1 if self.retries else 1 + _SPANS_INSIDE[route]


SERVERS: Final = {
    "bare": Observed(retries="bare loop"),
    "contrib": Observed(recorder="contrib", retries="tenacity"),
    "sdk path": Observed(recorder="sdk path"),
    "fast path": Observed(recorder="fast path"),
    "fast+tenacity": Observed(recorder="fast path", retries="tenacity"),
    "tenacity": Observed(retries="tenacity"),
}


def absent() -> dict[str, str]:
    """Servers that can't be measured here, and why."""
    return {} if peers.are_installed() else {"contrib": peers.ABSENT}


@contextmanager
def open_work(server: str, endpoint: str) -> Iterator[Callable[[], Sample]]:
    """The server, serving; a sample is what it has used, when all that it has recorded is exported."""
    observed = SERVERS[server]
    with ExitStack() as stack:
        middlewares: list[Middleware] = []
        flush: Flush = _nothing
        recording: Variant | None = None
        if observed.recorder == "contrib":
            flush = stack.enter_context(_contrib(endpoint))
        elif observed.recorder:
            recording = stack.enter_context(open_variant(observed.recorder, endpoint))
            middlewares.append(server_middleware())
            flush = recording.flush
        retrying = UNINSTRUMENTED[observed.retries] if observed.retries else recording
        assert retrying is not None
        port = stack.enter_context(_serving(_application(retrying, middlewares)))

        def sample() -> Sample:
            flush()
            return {"port": port, "cpu": time.process_time()}

        yield sample


def _nothing() -> None:
    """Nothing is recorded."""


def _application(retrying: Variant, middlewares: list[Middleware]) -> web.Application:
    def handler(fail_every: int) -> Callable[[web.Request], Awaitable[web.Response]]:
        server = FlakyServer(fail_every)
        call = retrying.retrying(server.fetch, Policy(delay=0.0))
        callers = iter(range(2**62))

        async def answer(_: web.Request) -> web.Response:
            return web.Response(text=str(await call(next(callers))))

        return answer

    async def trivial(_: web.Request) -> web.Response:
        return web.Response(text="0")

    application = web.Application(middlewares=middlewares)
    application.router.add_get(PATHS["trivial"], trivial)
    application.router.add_get(PATHS["success"], handler(fail_every=0))
    application.router.add_get(PATHS["failure"], handler(fail_every=1))
    return application


@contextmanager
def _serving(application: web.Application) -> Iterator[int]:
    """Serve on a loop in a thread, so that this one can be asked; its port."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(application, access_log=None)

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def _contrib(endpoint: str) -> Iterator[Flush]:
    """OpenTelemetry's own instrumentation of aiohttp, exported and counted, set up as its manual says."""
    peers.make_importable()
    processor = BatchSpanProcessor(
        OTLPSpanExporter(endpoint),
        max_queue_size=QUEUE_SIZE,
        max_export_batch_size=BATCH_SIZE,
        schedule_delay_millis=SCHEDULE_DELAY_MILLIS,
    )
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False))
    instrumentor: Any = import_module(
        "opentelemetry.instrumentation.aiohttp_server"
    ).AioHttpServerInstrumentor()
    instrumentor.instrument()  # every web.Application that is made from now on
    try:
        yield processor.force_flush
    finally:
        instrumentor.uninstrument()
        provider.shutdown()
