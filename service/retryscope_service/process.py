"""A process of the service: started, kept until a signal ends it, drained, flushed."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry

import retryscope
from retryscope.logs import flush_logs
from retryscope_service.api.metrics import MetricsRoutes
from retryscope_service.app import create_app, create_worker_app
from retryscope_service.background import in_background
from retryscope_service.console.console import Console
from retryscope_service.dependencies import database_of, dependencies
from retryscope_service.http.listener import listening
from retryscope_service.monitor.monitor import Monitor
from retryscope_service.monitor.process import ProcessMetrics
from retryscope_service.operations.shop.books import Books
from retryscope_service.operations.shop.schema import ShopDatabase
from retryscope_service.runs.background import BackgroundRuns
from retryscope_service.runs.engine import Engine
from retryscope_service.runs.events import RunEvents
from retryscope_service.runs.inline import InlineRuns
from retryscope_service.runs.maintenance import check_engine, maintain
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.store import RunStore
from retryscope_service.runs.worker import RunWorker
from retryscope_service.settings import Settings
from retryscope_service.signals import on_stop_signals
from retryscope_service.traces.span_store import SpanStore
from retryscope_service.upstream.app import create_upstream_app
from retryscope_service.upstream.embedded import (
    UpstreamAddress,
    initial_faults,
    token_or_drawn,
)
from retryscope_service.upstream.shop import ShopRoutes
from retryscope_service.upstream.upstream import Upstream

LAST_LINES_SECONDS: Final = 0.2
"""How long a process that ends at once waits for a reader of what it has logged."""

OnReady = Callable[[str, UpstreamAddress], None]

_log = logging.getLogger("retryscope_service")


async def serve(
    settings: Settings,
    on_ready: OnReady,
    *,
    with_worker: bool = True,
    registry: CollectorRegistry = REGISTRY,
) -> None:
    """Serve the API, by default with a worker, until a signal asks it to stop; a second one ends it at once.

    Args:
        settings: Where to listen, the engine, and the limits.
        on_ready: Called with the base URL, and where the upstream is, once requests are accepted.
        with_worker: Run background runs in this process too.
        registry: Where the metrics are registered.

    Raises:
        AddressInUseError: The address can't be listened on.
    """
    await _run(settings, on_ready, registry, settings.port, with_api=True, with_worker=with_worker)


async def work(settings: Settings, on_ready: OnReady) -> None:
    """Run background runs of the engine until a signal asks it to stop; a second one ends it at once."""
    await _run(settings, on_ready, REGISTRY, settings.worker_port, with_api=False, with_worker=True)


async def serve_upstream(
    settings: Settings,
    port: int,
    on_ready: Callable[[UpstreamAddress], None],
    registry: CollectorRegistry = REGISTRY,
) -> None:
    """Serve the flaky upstream alone until a signal asks it to stop; a second one ends it at once.

    Args:
        settings: At which address, its token, its faults, and the limits.
        port: Where to listen; 0 takes a free one.
        on_ready: Called once requests are accepted.
        registry: Where the metrics are registered.

    Raises:
        AddressInUseError: The address can't be listened on.
        ValueError: The faults are not valid.
    """
    upstream = Upstream(initial_faults(settings))
    token, drawn = token_or_drawn(settings)
    retryscope.setup(service_name="retryscope-upstream", registry=registry)
    stop = _stop_on_signals()
    metrics = MetricsRoutes(registry).routes()
    database = database_of(settings)
    further = [*metrics, *ShopRoutes(upstream, Books(ShopDatabase(database))).routes()]
    app = create_upstream_app(upstream, token, registry, local=settings.is_local, further=further)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, retryscope.shutdown, settings.flush_seconds)
        await stack.enter_async_context(database)
        listener = listening(app, settings.host, port, settings.max_connections, counted=False)
        on_ready(UpstreamAddress(await stack.enter_async_context(listener), drawn))
        await stop.wait()
        _log.info("shutting down; requests in flight: %d", upstream.in_flight)
        await upstream.drain(settings.drain_seconds)
    _log.info("shut down")


async def _run(
    settings: Settings,
    on_ready: OnReady,
    registry: CollectorRegistry,
    port: int,
    *,
    with_api: bool,
    with_worker: bool,
) -> None:
    console = Console(SpanStore(settings.max_traces, settings.max_spans))
    events = RunEvents()
    shown = (console.feed,) if with_api else ()
    sent = (events,) if with_worker else ()
    retryscope.setup(
        service_name="retryscope",
        registry=registry,
        span_processors=[*shown, *sent],
        attempts=settings.attempts,
        keep_successes=settings.keep_successes,
    )
    if settings.explain_cancels:
        asyncio.get_running_loop().set_task_factory(retryscope.task_factory)
    # By its package: the class of asyncio's is another one on each system.
    _log.info("event loop: %s", type(asyncio.get_running_loop()).__module__.partition(".")[0])
    stop = _stop_on_signals()
    metrics = RunMetrics(registry)
    process_metrics = ProcessMetrics(registry)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, retryscope.shutdown, settings.flush_seconds)
        await stack.enter_async_context(in_background(process_metrics.watch_loop()))
        name = f"{socket.gethostname()}#{os.getpid()}"
        operations, upstream = await stack.enter_async_context(dependencies(settings, name, registry))
        inline = InlineRuns(settings.max_runs_in_flight, operations)
        engine = _engine(settings)
        reachable = await check_engine(engine)
        await stack.enter_async_context(engine)
        store = RunStore(engine)
        background = BackgroundRuns(
            engine,
            store,
            metrics,
            limit=settings.max_active_runs,
            retention=settings.run_retention_seconds,
        )
        worker = RunWorker(name, engine, store, events, metrics, operations)
        engine.register(worker.handle)
        monitor = Monitor(registry, console.hub.publish, settings.token) if with_api else None
        if monitor is not None:
            app = create_app(settings, console, monitor, inline, background, operations, registry)
            process_metrics.add_pool("inline", lambda: inline.in_flight, settings.max_runs_in_flight)
            process_metrics.add_pool("engine", lambda: metrics.active, settings.max_active_runs)
        else:
            app = create_worker_app(settings, inline, background, registry)
        if with_worker:
            process_metrics.add_pool("worker", lambda: worker.in_flight, settings.worker_concurrency)
        url = await stack.enter_async_context(listening(app, settings.host, port, settings.max_connections))
        if monitor is not None:
            await stack.enter_async_context(_open_pages(console, monitor, url))
        maintenance = maintain(
            engine,
            background,
            store,
            worker if with_worker else None,
            metrics,
            reachable=reachable,
            retention=settings.run_retention_seconds,
            max_finished=settings.max_finished_runs,
        )
        await stack.enter_async_context(in_background(maintenance))
        draining = [partial(inline.drain, settings.drain_seconds)]
        if with_worker:
            await stack.enter_async_context(in_background(events.keep_flushing(store)))
            working = engine.working(worker.name, settings.worker_concurrency)
            intake = await stack.enter_async_context(working)
            draining.append(partial(worker.drain, settings.drain_seconds, intake))
        on_ready(url, upstream)
        await stop.wait()
        _log.info("shutting down; runs in flight: %d", inline.in_flight + worker.in_flight)
        if monitor is not None:
            monitor.traffic.stop()
        await asyncio.gather(*(drain() for drain in draining))
    _log.info("shut down")


def _engine(settings: Settings) -> Engine:
    return Engine(
        settings.engine_address,
        connections=3 * settings.worker_concurrency + 200,
        redelivery_seconds=settings.redelivery_seconds,
    )


@asynccontextmanager
async def _open_pages(console: Console, monitor: Monitor, url: str) -> AsyncIterator[None]:
    """Keep the open pages up to date; at the end their streams end, or the server would wait for them."""
    monitor.traffic.serve_at(url)
    async with in_background(console.keep_publishing()), in_background(monitor.sampler.keep_sampling()):
        try:
            yield
        finally:
            await monitor.traffic.close()
            console.close()


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    on_stop_signals(lambda _: stop.set(), _end_at_once)
    return stop


def _end_at_once(number: signal.Signals) -> None:
    flush_logs(LAST_LINES_SECONDS)
    os._exit(128 + number)  # whatever is still running
