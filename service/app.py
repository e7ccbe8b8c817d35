"""The aiohttp application."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry

from instrumentation.adapters.aiohttp_server import server_middleware
from service.alerts.store import AlertStore
from service.api.alerts import AlertRoutes
from service.api.authentication import token_middleware
from service.api.docs import DocsRoutes
from service.api.health import HealthRoutes
from service.api.metrics import MetricsRoutes
from service.api.openapi import OpenApiRoutes, openapi_document
from service.api.problems import problem_middleware
from service.api.runbook import RunbookRoutes
from service.api.runs import RunRoutes
from service.api.traces import TraceRoutes
from service.api.workflows import WorkflowRoutes
from service.console.span_store import SpanStore
from service.runs.background import BackgroundRuns
from service.runs.inline import InlineRuns
from service.settings import Settings

UNTRACED: Final = frozenset(
    {
        "/",
        "/alerts",
        "/docs",
        "/docs/runbook",
        "/openapi.json",
        "/metrics",
        "/health/live",
        "/health/ready",
        "/runs",
        "/runs/{id}",
        "/runs/{id}/events",
        "/traces",
        "/traces/{trace_id}",
    }
)
"""Routes without spans: they would push out of /traces what it is for."""


def create_app(
    settings: Settings,
    store: SpanStore,
    inline: InlineRuns,
    background: BackgroundRuns,
    registry: CollectorRegistry = REGISTRY,
) -> web.Application:
    """The application; the telemetry is set up by the caller, with ``store`` among its processors."""
    document = openapi_document(version("retryscope"))
    return _application(
        settings,
        [
            *WorkflowRoutes(inline, settings.max_body_bytes).routes(),
            *RunRoutes(background, inline, settings.max_body_bytes).routes(),
            *TraceRoutes(store).routes(),
            *AlertRoutes(AlertStore(), registry).routes(),
            *MetricsRoutes(registry).routes(),
            *HealthRoutes(inline).routes(),
            *OpenApiRoutes(document).routes(),
            *DocsRoutes(document).routes(),
            *RunbookRoutes().routes(),
        ],
    )


def create_worker_app(
    settings: Settings, inline: InlineRuns, registry: CollectorRegistry = REGISTRY
) -> web.Application:
    """What a worker without an API offers: its metrics and its health."""
    routes = [*MetricsRoutes(registry).routes(), *HealthRoutes(inline).routes()]
    return _application(settings, routes)


def _application(settings: Settings, routes: Sequence[web.RouteDef]) -> web.Application:
    middlewares = [server_middleware(untraced=UNTRACED), problem_middleware]
    if settings.api_token is not None:
        middlewares.append(token_middleware(settings.api_token.get_secret_value()))
    app = web.Application(middlewares=middlewares, client_max_size=settings.max_body_bytes)
    app.add_routes(routes)
    return app
