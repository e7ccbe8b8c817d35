"""``/workflows``: what can be run, and running it inline."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from retryscope_service.api.console_schemas import WorkflowList
from retryscope_service.api.openapi_parts import TRACE_ID_HEADER, get, problems
from retryscope_service.api.route import Resource, Route
from retryscope_service.api.run_params import RunParams
from retryscope_service.console.inline_records import InlineRecords
from retryscope_service.http.problems import Problem
from retryscope_service.http.root_path import root_path
from retryscope_service.runs.inline import DrainingError, InlineRuns, TooManyRunsError
from retryscope_service.runs.result import RunResult
from retryscope_service.runs.run import WorkflowRun
from retryscope_service.workflows import WORKFLOWS
from retryscope_service.workflows.definition import WorkflowDefinition


def parameters_body(definition: WorkflowDefinition[Any]) -> dict[str, Any]:
    """The request body of whatever runs a workflow, for the OpenAPI document."""
    return {
        "required": False,
        "description": "Parameters; what is left out has its default.",
        "content": {
            "application/json": {
                "schema": definition.params,
                "example": definition.params().model_dump(mode="json"),
            }
        },
    }


def _run_operation(definition: WorkflowDefinition[Any]) -> dict[str, Any]:
    return {
        "operationId": f"run{definition.name.capitalize()}",
        "summary": definition.summary,
        "requestBody": parameters_body(definition),
        "responses": {
            "200": {
                "description": "The workflow has ended; its tasks may have failed.",
                "headers": TRACE_ID_HEADER,
                "content": {"application/json": {"schema": RunResult}},
            },
            **problems(400, 401, 404, 408, 413, 415, 422, 429, 502, 503, 504),
        },
    }


class WorkflowRoutes(Resource):
    """The routes below ``/workflows``.

    Args:
        runs: Those in flight.
        records: Where the page finds what they were started with, and what they answered.
        params: Reads what they are asked to do.
    """

    def __init__(self, runs: InlineRuns, records: InlineRecords, params: RunParams) -> None:
        self._runs = runs
        self._records = records
        self._params = params

    async def listing(self, request: web.Request) -> web.Response:
        """Every workflow with its JSON Schema and its defaults."""
        return web.json_response(
            {"workflows": [describe(each, root_path(request)) for each in WORKFLOWS.values()]}
        )

    async def run(self, request: web.Request) -> web.Response:
        """Run a workflow in this request."""
        definition = find_workflow(request.match_info["workflow"])
        params = await self._params.read(request, definition)
        try:
            run = await self._runs.run(definition, params, self._started)
        except TooManyRunsError as error:
            raise too_many_runs(error, "RETRYSCOPE_MAX_RUNS_IN_FLIGHT") from None
        except DrainingError:
            raise draining() from None
        result, failure = run.result().members(), run.error_members()
        self._records.answered(run.id, result, failure)
        return _answer(result, failure)

    def _started(self, run: WorkflowRun) -> None:
        self._records.started(run.span, run.workflow, run.params.model_dump_json())

    ROUTES = (
        Route(
            "GET",
            "/workflows",
            listing,
            get(
                "listWorkflows",
                "The workflows with their schemas and defaults.",
                None,
                (401,),
                schema=WorkflowList,
            ),
            traced=True,
        ),
        Route("POST", "/workflows/{workflow}", run, _run_operation, traced=True),
    )


def describe(definition: WorkflowDefinition[Any], root: str = "") -> dict[str, Any]:
    """A workflow as JSON."""
    return {
        "name": definition.name,
        "summary": definition.summary,
        "href": f"{root}/workflows/{definition.name}",
        "defaults": definition.params().model_dump(mode="json"),
        "schema": definition.params.model_json_schema(),
    }


def find_workflow(name: str) -> WorkflowDefinition[Any]:
    """The workflow of that name.

    Raises:
        Problem: 404, naming the known ones.
    """
    definition = WORKFLOWS.get(name)
    if definition is None:
        known = list(WORKFLOWS)
        raise Problem(
            404,
            "unknown-workflow",
            "Unknown workflow",
            f"There is no workflow {name[:100]!r}; there are {', '.join(known)}.",
            {"known": known},
        )
    return definition


def too_many_runs(error: TooManyRunsError, setting: str) -> Problem:
    """The answer beyond a bound on runs."""
    return Problem(
        429,
        "too-many-runs",
        "Too many runs",
        f"{error}; {setting} sets it. Nothing was started.",
        {"bound": error.limit},
        {"Retry-After": "1"},
    )


def draining() -> Problem:
    """The answer to everything new while the service shuts down."""
    return Problem(
        503,
        "draining",
        "Shutting down",
        "The service is shutting down and starts nothing new.",
        headers={"Retry-After": "5", "Connection": "close"},
    )


_PROBLEMS: Mapping[str, tuple[int, str, str]] = {
    "error": (502, "workflow-failed", "The workflow failed"),
    "exhausted": (502, "retries-exhausted", "The retries were exhausted"),
    "timeout": (504, "deadline-exceeded", "The workflow ran past its deadline"),
    "cancelled": (503, "cancelled", "The workflow was cancelled because the service is shutting down"),
}


def _answer(result: dict[str, Any], error: dict[str, str] | None) -> web.Response:
    outcome = result["outcome"]
    if outcome == "success":
        return web.json_response(result)
    status, kind, title = _PROBLEMS[outcome]
    if error is None:
        raise Problem(status, kind, title, title, result)
    raise Problem(status, kind, title, error["message"], {**result, "error": error})
