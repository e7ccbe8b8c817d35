"""The part of the OpenAPI document that is about background runs."""

from typing import Any, get_args

from instrumentation.outcome import OUTCOMES
from service.api.openapi_parts import TRACE_ID_HEADER, get, problems, ref
from service.api.paging import LIMIT_PARAMETER
from service.api.query import TRACE_ID, choices_parameter
from service.api.runs import CURSOR, ERROR_TYPE, IDEMPOTENCY_KEY, LAST_EVENT_ID
from service.runs.filter import FAILURES
from service.runs.record import RunRecord, RunState
from service.workflows import WORKFLOWS
from service.workflows.definition import WorkflowDefinition

_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_RECORD = {"application/json": {"schema": ref(RunRecord.__name__)}}


def background_paths() -> dict[str, Any]:
    """The paths of background runs."""
    record = ref(RunRecord.__name__)
    page = {
        "type": "object",
        "required": ["runs", "cursor"],
        "properties": {
            "runs": {"type": "array", "items": record},
            "cursor": {
                "type": ["string", "null"],
                "description": "Where the next page begins, if there is one.",
            },
        },
    }
    return {
        **{f"/workflows/{name}/runs": {"post": _submit(each)} for name, each in WORKFLOWS.items()},
        "/runs": {
            "get": get(
                "listRuns", "Background runs, the newest first.", _filters(), (401, 422, 503), schema=page
            )
        },
        "/runs/{id}": {"get": get("getRun", "One background run.", [_ID], (401, 404, 503), schema=record)},
        "/runs/{id}/events": {"get": _follow()},
        "/runs/{id}/cancel": {"post": _cancel()},
    }


def _follow() -> dict[str, Any]:
    operation = get(
        "followRun",
        "What happens in a run, as server-sent events, until its final state.",
        [
            _ID,
            {
                "name": "Last-Event-ID",
                "in": "header",
                "description": "Go on after this event.",
                "schema": {"type": "string", "pattern": LAST_EVENT_ID.pattern},
            },
        ],
        (401, 404, 422, 503),
        ("text/event-stream",),
    )
    ended = {"description": "The run has ended, and nothing follows: an EventSource stops asking."}
    operation["responses"]["204"] = ended
    return operation


def parameters_body(definition: WorkflowDefinition[Any]) -> dict[str, Any]:
    """The request body of whatever runs a workflow."""
    return {
        "required": False,
        "description": "Parameters; what is left out has its default.",
        "content": {
            "application/json": {
                "schema": ref(definition.params.__name__),
                "example": definition.params().model_dump(mode="json"),
            }
        },
    }


def _filters() -> list[dict[str, Any]]:
    return [
        choices_parameter("workflow", tuple(WORKFLOWS)),
        choices_parameter("state", get_args(RunState)),
        choices_parameter("outcome", OUTCOMES),
        {
            **choices_parameter("failures", FAILURES),
            "description": "some: runs that failed, or in which a task did; none: those that ended without.",
        },
        {
            "name": "error_type",
            "in": "query",
            "description": "Of the run's own error or of one of a task.",
            "schema": {"type": "string", "pattern": ERROR_TYPE.pattern},
        },
        {"name": "trace_id", "in": "query", "schema": {"type": "string", "pattern": TRACE_ID.pattern}},
        _time("since", "Submitted then or later."),
        _time("until", "Submitted then or earlier."),
        {"name": "cursor", "in": "query", "schema": {"type": "string", "pattern": CURSOR.pattern}},
        LIMIT_PARAMETER,
    ]


def _time(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {"type": "string", "format": "date-time"},
    }


def _submit(definition: WorkflowDefinition[Any]) -> dict[str, Any]:
    return {
        "operationId": f"submit{definition.name.capitalize()}",
        "summary": f"In the background: {definition.summary}",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The same key and body give the same run.",
                "schema": {"type": "string", "pattern": IDEMPOTENCY_KEY.pattern},
            }
        ],
        "requestBody": parameters_body(definition),
        "responses": {
            "202": {
                "description": "The run is stored, and will be run even if this process ends.",
                "headers": {
                    **TRACE_ID_HEADER,
                    "Location": {"description": "The run.", "schema": {"type": "string"}},
                },
                "content": _RECORD,
            },
            **problems(400, 401, 404, 408, 413, 415, 422, 429, 503),
        },
    }


def _cancel() -> dict[str, Any]:
    return {
        "operationId": "cancelRun",
        "summary": "Ask for a run to be cancelled, wherever it runs.",
        "parameters": [_ID],
        "responses": {
            "202": {"description": "The cancel is on its way; state says how far.", "content": _RECORD},
            **problems(401, 404, 409, 503),
        },
    }
