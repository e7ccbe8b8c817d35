"""``/openapi.json``: the interface as an OpenAPI 3.1 document, made from what each route says of itself."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from retryscope_service.api.alerts import AlertRoutes
from retryscope_service.api.console import ConsoleRoutes
from retryscope_service.api.console_schemas import StreamEvents
from retryscope_service.api.docs import DocsRoutes
from retryscope_service.api.health import HealthRoutes
from retryscope_service.api.metrics import MetricsRoutes
from retryscope_service.api.monitor import MonitorRoutes
from retryscope_service.api.openapi_names import NAMES
from retryscope_service.api.openapi_parts import PROBLEM_SCHEMA, get
from retryscope_service.api.route import Resource, Route
from retryscope_service.api.runbook import RunbookRoutes
from retryscope_service.api.runs import RunRoutes
from retryscope_service.api.traces import TraceRoutes
from retryscope_service.api.workflows import WorkflowRoutes
from retryscope_service.http.root_path import root_path

Mode = Literal["validation", "serialization"]


class OpenApiRoutes(Resource):
    """The route ``/openapi.json``."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    async def openapi(self, request: web.Request) -> web.Response:
        """The OpenAPI document."""
        servers = [{"url": root_path(request) or "/"}]
        return web.json_response({**self._document, "servers": servers})

    ROUTES = (Route("GET", "/openapi.json", openapi, get("getOpenApi", "This document."), open=True),)


DOCUMENTED: Final[tuple[type[Resource], ...]] = (
    WorkflowRoutes,
    RunRoutes,
    AlertRoutes,
    ConsoleRoutes,
    MonitorRoutes,
    TraceRoutes,
    MetricsRoutes,
    OpenApiRoutes,
    DocsRoutes,
    RunbookRoutes,
    HealthRoutes,
)
"""All that is answered but the page, in the order in which ``/docs`` shows it."""


def openapi_document(version: str) -> dict[str, Any]:
    """The OpenAPI document of the service."""
    paths: dict[str, Any] = {}
    for resource in DOCUMENTED:
        for route in resource.ROUTES:
            for path, operation in route.documented().items():
                paths.setdefault(path, {})[route.method.lower()] = operation
    paths, schemas = _with_references(paths, StreamEvents)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Retryscope",
            "version": version,
            "description": "Asyncio workflows; every attempt, backoff, timeout and cancellation is visible.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": {**schemas, **NAMES, "Problem": PROBLEM_SCHEMA}},
    }


def _with_references(
    paths: Mapping[str, Any], *further: type[BaseModel]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The paths, with a reference where a model stands; and the schemas that these, or others, need."""
    used: dict[tuple[type[BaseModel], Mode], None] = {(model, "serialization"): None for model in further}
    _replace_models(paths, lambda model, mode: used.setdefault((model, mode)))
    references, schema = models_json_schema(list(used), ref_template="#/components/schemas/{model}")
    replaced = _replace_models(paths, lambda model, mode: references[model, mode])
    return replaced, schema["$defs"]


def _replace_models(
    node: Any, replacement: Callable[[type[BaseModel], Mode], Any], mode: Mode = "serialization"
) -> Any:
    """A copy with something else in place of each model: what is sent is validated, an answer serialized."""
    if isinstance(node, type) and issubclass(node, BaseModel):
        return replacement(node, mode)
    if isinstance(node, Mapping):
        return {
            key: _replace_models(value, replacement, "validation" if key == "requestBody" else mode)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_replace_models(each, replacement, mode) for each in node]
    return node
