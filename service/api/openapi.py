"""``/openapi.json``: the interface as an OpenAPI 3.1 document, made from the same models that validate."""

from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.alerts.notification import Notification
from service.alerts.store import RememberedAlert
from service.api.console_numbers import TrafficParams
from service.api.console_schemas import DOCUMENTS, WorkflowList
from service.api.form import FORM_PARAMETER
from service.api.health import LIVE_SCHEMA, READY_SCHEMA
from service.api.openapi_alerts import alert_paths
from service.api.openapi_console import console_paths
from service.api.openapi_names import NAMES
from service.api.openapi_parts import PROBLEM_SCHEMA, REF, TRACE_ID_HEADER, get, problems, ref
from service.api.openapi_runs import background_paths, parameters_body
from service.api.paging import LIMIT_PARAMETER
from service.api.root_path import root_path
from service.runs.record import RunRecord
from service.runs.result import RunResult
from service.workflows import WORKFLOWS
from service.workflows.definition import WorkflowDefinition


def openapi_document(version: str) -> dict[str, Any]:
    """The OpenAPI document of the service."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Retryscope",
            "version": version,
            "description": "Asyncio workflows; every attempt, backoff, timeout and cancellation is visible.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": _paths(),
        "components": {"schemas": {**_schemas(), **NAMES, "Problem": PROBLEM_SCHEMA}},
    }


def _schemas() -> dict[str, Any]:
    models: list[type[BaseModel]] = [
        Notification,
        TrafficParams,
        *(each.params for each in WORKFLOWS.values()),
    ]
    inputs, outputs = (
        [(model, "validation") for model in models],
        [(model, "serialization") for model in (RunResult, RunRecord, RememberedAlert, *DOCUMENTS)],
    )
    _, schema = models_json_schema([*inputs, *outputs], ref_template=REF)  # type: ignore[list-item]
    definitions: dict[str, Any] = schema["$defs"]
    return definitions


def _paths() -> dict[str, Any]:
    trace_id = {
        "name": "trace_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{32}$"},
    }
    return {
        "/workflows": {
            "get": get(
                "listWorkflows",
                "The workflows with their schemas and defaults.",
                None,
                (401,),
                schema=ref(WorkflowList.__name__),
            )
        },
        **{f"/workflows/{name}": {"post": _run(each)} for name, each in WORKFLOWS.items()},
        **background_paths(),
        **alert_paths(),
        **console_paths(),
        "/traces": {
            "get": get(
                "listTraces",
                "The last traces, the newest first, as OTLP JSON.",
                [LIMIT_PARAMETER],
                (401, 422),
            )
        },
        "/traces/{trace_id}": {
            "get": get(
                "getTrace",
                "One trace as OTLP JSON, or as a text waterfall, also while it runs.",
                [trace_id, FORM_PARAMETER],
                (401, 404, 422),
                ("application/json", "text/plain"),
            )
        },
        "/metrics": {
            "get": get(
                "getMetrics",
                "Prometheus metrics; OpenMetrics, with exemplars, by Accept; gzip by Accept-Encoding.",
                failures=(401, 406),
                media_types=("text/plain", "application/openmetrics-text"),
            )
        },
        "/openapi.json": {"get": get("getOpenApi", "This document.")},
        "/docs": {"get": get("getDocs", "This document as a page.", media_types=("text/html",))},
        "/docs/runbook": {
            "get": get("getRunbook", "What to do about an alert, as a page.", media_types=("text/html",))
        },
        "/health": {
            "get": get("getHealth", "The same as /health/ready.", failures=(503,), schema=READY_SCHEMA)
        },
        "/health/live": {"get": get("getLive", "Whether the process lives.", schema=LIVE_SCHEMA)},
        "/health/ready": {
            "get": get("getReady", "Whether new runs are taken.", failures=(503,), schema=READY_SCHEMA)
        },
    }


def _run(definition: WorkflowDefinition[Any]) -> dict[str, Any]:
    return {
        "operationId": f"run{definition.name.capitalize()}",
        "summary": definition.summary,
        "requestBody": parameters_body(definition),
        "responses": {
            "200": {
                "description": "The workflow has ended; its tasks may have failed.",
                "headers": TRACE_ID_HEADER,
                "content": {"application/json": {"schema": ref(RunResult.__name__)}},
            },
            **problems(400, 401, 404, 408, 413, 415, 422, 429, 502, 503, 504),
        },
    }


class OpenApiRoutes:
    """The route ``/openapi.json``."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def routes(self) -> list[web.RouteDef]:
        """The routes to add to an application."""
        return [web.get("/openapi.json", self.openapi)]

    async def openapi(self, request: web.Request) -> web.Response:
        """The OpenAPI document."""
        servers = [{"url": root_path(request) or "/"}]
        return web.json_response({**self._document, "servers": servers})
