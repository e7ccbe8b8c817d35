"""``/openapi.json``: the interface as an OpenAPI 3.1 document, made from the same models that validate."""

from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.runs.result import RunResult
from service.workflows import WORKFLOWS
from service.workflows.definition import WorkflowDefinition

_REF = "#/components/schemas/{model}"
_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. A run that failed carries the members of RunResult as well.",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string"},
                    "value": {},
                    "bound": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
_TRACE_ID_HEADER = {"X-Trace-Id": {"description": "The request's trace.", "schema": {"type": "string"}}}


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
        "paths": _paths(),
        "components": {"schemas": {**_schemas(), "Problem": _PROBLEM_SCHEMA}},
    }


def _schemas() -> dict[str, Any]:
    models: list[type[BaseModel]] = [each.params for each in WORKFLOWS.values()]
    inputs, outputs = [(model, "validation") for model in models], [(RunResult, "serialization")]
    _, schema = models_json_schema([*inputs, *outputs], ref_template=_REF)  # type: ignore[list-item]
    definitions: dict[str, Any] = schema["$defs"]
    return definitions


def _paths() -> dict[str, Any]:
    trace_id = {
        "name": "trace_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-fA-F]{32}$"},
    }
    form = {
        "name": "format",
        "in": "query",
        "schema": {"type": "string", "enum": ["json", "text"], "default": "json"},
    }
    limit = {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    }
    return {
        "/workflows": {"get": _get("listWorkflows", "The workflows with their schemas and defaults.")},
        **{f"/workflows/{name}": {"post": _run(each)} for name, each in WORKFLOWS.items()},
        "/traces": {
            "get": _get("listTraces", "The last traces, the newest first, as OTLP JSON.", [limit], (422,))
        },
        "/traces/{trace_id}": {
            "get": _get(
                "getTrace",
                "One trace as OTLP JSON, or as a text waterfall, also while it runs.",
                [trace_id, form],
                (404, 422),
                ("application/json", "text/plain"),
            )
        },
        "/metrics": {
            "get": _get(
                "getMetrics",
                "Prometheus metrics; OpenMetrics, with exemplars, by Accept.",
                media_types=("text/plain", "application/openmetrics-text"),
            )
        },
        "/health/live": {"get": _get("getLive", "Whether the process lives.")},
        "/health/ready": {"get": _get("getReady", "Whether new runs are taken.", problems=(503,))},
    }


def _get(
    operation_id: str,
    summary: str,
    parameters: list[dict[str, Any]] | None = None,
    problems: tuple[int, ...] = (),
    media_types: tuple[str, ...] = ("application/json",),
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": operation_id,
        "summary": summary,
        "responses": {
            "200": {"description": "Done.", "content": {each: {"schema": {}} for each in media_types}},
            **{str(status): _problem(status) for status in problems},
            "default": _problem(500),
        },
    }
    if parameters:
        operation["parameters"] = parameters
    return operation


def _run(definition: WorkflowDefinition[Any]) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=definition.params.__name__)}
    result = {"$ref": _REF.format(model=RunResult.__name__)}
    failures = (400, 413, 415, 422, 429, 502, 503, 504)
    return {
        "operationId": f"run{definition.name.capitalize()}",
        "summary": definition.summary,
        "requestBody": {
            "required": False,
            "description": "Parameters; what is left out has its default.",
            "content": {
                "application/json": {
                    "schema": schema,
                    "example": definition.params().model_dump(mode="json"),
                }
            },
        },
        "responses": {
            "200": {
                "description": "The workflow has ended; its tasks may have failed.",
                "headers": _TRACE_ID_HEADER,
                "content": {"application/json": {"schema": result}},
            },
            **{str(status): _problem(status) for status in failures},
            "default": _problem(500),
        },
    }


_PROBLEM_TEXTS = {
    400: "The body is not JSON.",
    404: "There is no such thing.",
    413: "The body is too large.",
    415: "The body is not sent as JSON.",
    422: "A parameter is wrong; errors names field, value and bound.",
    429: "Too many runs are in flight.",
    500: "The service has a bug; its log has the details.",
    502: "The workflow failed, or its retries were exhausted.",
    503: "The service is shutting down.",
    504: "The workflow ran past its own deadline.",
}


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": _PROBLEM_TEXTS[status],
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
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
        return web.json_response(self._document)
