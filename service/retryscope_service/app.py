"""The aiohttp application."""

from collections.abc import Sequence
from importlib.metadata import version
from ipaddress import ip_network

from aiohttp import web
from prometheus_client import REGISTRY, CollectorRegistry

from retryscope.adapters.aiohttp_server import server_middleware
from retryscope_service.address import AllowedHosts
from retryscope_service.api.alerts import AlertRoutes
from retryscope_service.api.console import ConsoleRoutes
from retryscope_service.api.docs import DocsRoutes
from retryscope_service.api.health import HealthRoutes
from retryscope_service.api.metrics import MetricsRoutes
from retryscope_service.api.monitor import MonitorRoutes
from retryscope_service.api.openapi import OpenApiRoutes, openapi_document
from retryscope_service.api.route import Resource, paths_where
from retryscope_service.api.run_params import RunParams
from retryscope_service.api.runbook import RunbookRoutes
from retryscope_service.api.runs import RunRoutes
from retryscope_service.api.sampling import sampling_middleware
from retryscope_service.api.traces import TraceRoutes
from retryscope_service.api.web import DIST, WebRoutes
from retryscope_service.api.workflows import WorkflowRoutes
from retryscope_service.console.console import Console
from retryscope_service.http.authentication import token_middleware
from retryscope_service.http.forwarded import forwarded_middleware
from retryscope_service.http.isolation import isolation_middleware
from retryscope_service.http.problems import problem_middleware
from retryscope_service.http.query import query_middleware
from retryscope_service.http.root_path import RootPathResource
from retryscope_service.monitor.monitor import Monitor
from retryscope_service.notifications.store import AlertStore
from retryscope_service.operations.operations import Operations
from retryscope_service.runs.background import BackgroundRuns
from retryscope_service.runs.inline import InlineRuns
from retryscope_service.settings import Settings


def create_app(
    settings: Settings,
    console: Console,
    monitor: Monitor,
    inline: InlineRuns,
    background: BackgroundRuns,
    operations: Operations,
    registry: CollectorRegistry = REGISTRY,
) -> web.Application:
    """The application; the caller has set up the telemetry with the console's span processors."""
    document = openapi_document(version("retryscope"))
    page = WebRoutes(DIST)
    params = RunParams(operations, settings.max_body_bytes)
    links = {"grafana": settings.grafana_url, "prometheus": settings.prometheus_url}
    app = _application(
        settings,
        [
            page,
            WorkflowRoutes(inline, console.inline, params),
            RunRoutes(background, inline, params, console.runs.cancel_requested),
            AlertRoutes(AlertStore(), registry),
            ConsoleRoutes(console, links, monitor.alerts.states, monitor.traffic.document),
            MonitorRoutes(monitor.history, monitor.alerts, monitor.traffic),
            TraceRoutes(console.spans),
            MetricsRoutes(registry),
            OpenApiRoutes(document),
            DocsRoutes(document),
            RunbookRoutes(),
            HealthRoutes(inline, background.warnings),
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
    return _application(settings, [MetricsRoutes(registry), HealthRoutes(inline, background.warnings)])


def _application(
    settings: Settings, resources: Sequence[Resource], page: WebRoutes | None = None
) -> web.Application:
    routes = [route for each in resources for route in each.ROUTES]
    allowed = AllowedHosts(settings.allowed_hosts, local=settings.is_local)
    middlewares = [
        forwarded_middleware(settings.root_path, [ip_network(each) for each in settings.forwarded_allow_ips]),
        server_middleware(untraced=paths_where(routes, lambda route: not route.traced)),
        isolation_middleware(allowed),
    ]
    if page is not None:
        middlewares.append(page.middleware({route.path for route in routes if route.page}))
    middlewares.append(problem_middleware)
    if settings.token is not None:
        opened = paths_where(routes, lambda route: route.open)
        middlewares.append(token_middleware(settings.token, opened))
    app = web.Application(middlewares=middlewares, client_max_size=settings.max_body_bytes)
    for each in resources:
        app.add_routes(each.routes())
    if settings.root_path:
        app.router.register_resource(RootPathResource(settings.root_path, app.router))
    return app
