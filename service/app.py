"""The aiohttp application, and serving it until a signal ends it."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry

import instrumentation
from instrumentation.adapters.aiohttp_server import server_middleware
from service.api.docs import DocsRoutes
from service.api.health import HealthRoutes
from service.api.metrics import MetricsRoutes
from service.api.openapi import OpenApiRoutes, openapi_document
from service.api.problems import problem_middleware
from service.api.traces import TraceRoutes
from service.api.workflows import WorkflowRoutes
from service.console.span_store import SpanStore
from service.runs.inline import InlineRuns
from service.settings import Settings

UNTRACED: Final = frozenset(
    {
        "/",
        "/docs",
        "/openapi.json",
        "/metrics",
        "/health/live",
        "/health/ready",
        "/traces",
        "/traces/{trace_id}",
    }
)
"""Routes without spans: they would push out of /traces what it is for."""

RUNS: Final = web.AppKey("runs", InlineRuns)
"""The inline runs of an application."""

UNFINISHED_SECONDS: Final = 2.0
"""How long a shutdown waits, after the runs, for requests that are still being sent or answered."""

_log = logging.getLogger("service")


class AddressInUseError(Exception):
    """The port is taken, or the address is not this machine's."""


def create_app(
    settings: Settings, store: SpanStore, registry: CollectorRegistry = REGISTRY
) -> web.Application:
    """The application; the telemetry is set up by the caller, with ``store`` among its processors."""
    runs = InlineRuns(settings.max_runs_in_flight)
    document = openapi_document(version("retryscope"))
    app = web.Application(
        middlewares=[server_middleware(untraced=UNTRACED), problem_middleware],
        client_max_size=settings.max_body_bytes,
    )
    app[RUNS] = runs
    for part in (
        WorkflowRoutes(runs, settings.max_body_bytes),
        TraceRoutes(store),
        MetricsRoutes(registry),
        HealthRoutes(runs),
        OpenApiRoutes(document),
        DocsRoutes(document),
    ):
        app.add_routes(part.routes())
    return app


async def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then drain and flush; a second signal ends the process at once.

    Args:
        settings: Where to listen, and the limits.
        on_ready: Called with the base URL once requests are accepted.

    Raises:
        AddressInUseError: The address can't be listened on.
    """
    store = SpanStore(settings.max_traces, settings.max_spans)
    instrumentation.setup(service_name="retryscope", span_processors=[store])
    stop = _stop_on_signals()
    app = create_app(settings, store)
    # A client that goes away cancels its run: aiohttp's default is to let the handler go on.
    runner = web.AppRunner(
        app, handler_cancellation=True, access_log=None, shutdown_timeout=UNFINISHED_SECONDS
    )
    try:
        await runner.setup()
        site = web.TCPSite(runner, settings.host, settings.port)
        try:
            await site.start()
        except OSError as error:
            raise AddressInUseError(
                f"can't listen on {settings.host}:{settings.port}: {error.strerror or error};"
                " choose another address with --host and --port, or RETRYSCOPE_HOST and RETRYSCOPE_PORT"
            ) from error
        on_ready(_base_url(runner))
        await stop.wait()
        _log.info("shutting down: %d runs in flight", app[RUNS].in_flight)
        await app[RUNS].drain(settings.drain_seconds)
    finally:
        await runner.cleanup()
        await asyncio.to_thread(instrumentation.shutdown, settings.flush_seconds)
    _log.info("shut down")


def _base_url(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + number)  # asked twice: at once, whatever is still running
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    return stop
