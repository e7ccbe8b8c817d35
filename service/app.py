"""The aiohttp application."""

from collections.abc import Sequence
from importlib.metadata import version
from ipaddress import ip_network
from typing import Final

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry

from instrumentation.adapters.aiohttp_server import server_middleware
from service.address import AllowedHosts
from service.alerts.store import AlertStore
from service.api.alerts import AlertRoutes
from service.api.authentication import token_middleware
from service.api.console import ConsoleRoutes
from service.api.console_numbers import NumberRoutes
from service.api.docs import DocsRoutes
from service.api.forwarded import forwarded_middleware
from service.api.health import HealthRoutes
from service.api.isolation import isolation_middleware
from service.api.metrics import MetricsRoutes
from service.api.openapi import OpenApiRoutes, openapi_document
from service.api.problems import problem_middleware
from service.api.query import query_middleware
from service.api.root_path import RootPathResource
from service.api.runbook import RunbookRoutes
from service.api.runs import RunRoutes
from service.api.sampling import sampling_middleware
from service.api.traces import TraceRoutes
from service.api.web import ASSETS, DIST, WebRoutes
from service.api.workflows import WorkflowRoutes
from service.console.console import Console
from service.console.numbers import Numbers
from service.runs.background import BackgroundRuns
from service.runs.inline import InlineRuns
from service.settings import Settings

UNTRACED: Final = frozenset(
    {
        "/",
        ASSETS,
        "/alerts",
        "/console/alerts",
        "/console/history",
        "/console/runs/{id}",
        "/console/snapshot",
        "/console/stream",
        "/console/traces/{trace_id}",
        "/console/traffic",
        "/docs",
        "/docs/runbook",
        "/openapi.json",
        "/metrics",
        "/health",
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
    console: Console,
    numbers: Numbers,
    inline: InlineRuns,
    background: BackgroundRuns,
    registry: CollectorRegistry = REGISTRY,
) -> web.Application:
    """The application; the caller has set up the telemetry with the console's span processors."""
    document = openapi_document(version("retryscope"))
    page = WebRoutes(DIST)
    links = {"grafana": settings.grafana_url, "prometheus": settings.prometheus_url}
    app = _application(
        settings,
        [
            *page.routes(),
            *ConsoleRoutes(console, links, numbers.alerts.states, numbers.traffic.document).routes(),
            *NumberRoutes(numbers.history, numbers.alerts, numbers.traffic).routes(),
            *WorkflowRoutes(inline, console.inline, settings.max_body_bytes).routes(),
            *RunRoutes(background, inline, settings.max_body_bytes, console.runs.cancel_requested).routes(),
            *TraceRoutes(console.spans).routes(),
            *AlertRoutes(AlertStore(), registry).routes(),
            *MetricsRoutes(registry).routes(),
            *HealthRoutes(inline, background.warnings).routes(),
            *OpenApiRoutes(document).routes(),
            *DocsRoutes(document).routes(),
            *RunbookRoutes().routes(),
        ],
        page,
    )
    app.middlewares.insert(2, sampling_middleware(console.spans))  # behind what traces, before what refuses
    app.middlewares.append(query_middleware(document))
    return app


def create_worker_app(
    settings: Settings,
    inline: InlineRuns,
    background: BackgroundRuns,
    registry: CollectorRegistry = REGISTRY,
) -> web.Application:
    """What a worker without an API offers: its metrics and its health."""
    routes = [*MetricsRoutes(registry).routes(), *HealthRoutes(inline, background.warnings).routes()]
    return _application(settings, routes)


def _application(
    settings: Settings, routes: Sequence[web.RouteDef], page: WebRoutes | None = None
) -> web.Application:
    allowed = AllowedHosts(settings.allowed_hosts, local=settings.is_local)
    middlewares = [
        forwarded_middleware(settings.root_path, [ip_network(each) for each in settings.forwarded_allow_ips]),
        server_middleware(untraced=UNTRACED),
        isolation_middleware(allowed),
    ]
    if page is not None:
        middlewares.append(page.middleware)
    middlewares.append(problem_middleware)
    if settings.token is not None:
        middlewares.append(token_middleware(settings.token))
    app = web.Application(middlewares=middlewares, client_max_size=settings.max_body_bytes)
    app.add_routes(routes)
    if settings.root_path:
        app.router.register_resource(RootPathResource(settings.root_path, app.router))
    return app
