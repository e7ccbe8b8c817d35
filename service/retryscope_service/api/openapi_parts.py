"""What the routes' descriptions for the OpenAPI document have in common: answers, problems, parameters."""

from typing import Any, Final

from pydantic import BaseModel

PAGE_ONLY: Final = "For the console's page, may change with it: "
PROBLEM_SCHEMA: Final[dict[str, Any]] = {
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
TRACE_ID_HEADER: Final = {
    "X-Trace-Id": {
        "description": "The request's trace, also where it was not sampled: then it is only in the log.",
        "schema": {"type": "string"},
    }
}


def problems(*statuses: int) -> dict[str, Any]:
    """The answers of an operation that are problems, among them those that any request may get."""
    anywhere = {400, 403, 421, 422}  # of the Host and Origin headers, and of the query
    every = sorted(anywhere.union(statuses))
    return {**{str(status): _problem(status) for status in every}, "default": _problem(500)}


def path_parameter(name: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """A parameter of the path, which may be any text by default."""
    return {"name": name, "in": "path", "required": True, "schema": schema or {"type": "string"}}


def get(
    operation_id: str,
    summary: str,
    parameters: list[dict[str, Any]] | None = None,
    failures: tuple[int, ...] = (),
    media_types: tuple[str, ...] = ("application/json",),
    schema: dict[str, Any] | type[BaseModel] | None = None,
    further: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """An operation without a body."""
    content = {each: {"schema": schema or {}} for each in media_types}
    operation: dict[str, Any] = {
        "operationId": operation_id,
        "summary": summary,
        "responses": {
            "200": {"description": "Done.", "content": content},
            **problems(*failures),
            **(further or {}),
        },
    }
    if parameters:
        operation["parameters"] = parameters
    return operation


_PROBLEM_TEXTS = {
    400: "The request is malformed: its body is missing, or no JSON; or its Host is none.",
    401: "The API token is missing or wrong.",
    403: "A browser sent it for a page of another origin.",
    404: "There is no such thing.",
    406: "Accept refuses every format that there is.",
    408: "The body was not there in time.",
    409: "The run has ended before; state says how.",
    413: "The body is too large.",
    415: "The body is not sent as JSON in UTF-8, or is compressed with something else than gzip or deflate.",
    421: "It is for a host that this service does not answer to; RETRYSCOPE_ALLOWED_HOSTS names more.",
    422: "A parameter is wrong; errors names field, value and bound.",
    429: "Too many runs are in flight.",
    500: "The service has a bug; its log has the details.",
    502: "The workflow failed, or its retries were exhausted.",
    503: "The service is shutting down, or the engine of background runs can't be reached.",
    504: "The workflow ran past its own deadline.",
}


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": _PROBLEM_TEXTS[status],
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
