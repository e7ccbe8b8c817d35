"""``/runs``: background runs, at any process that shares the engine."""

import json
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing, suppress
from functools import wraps
from typing import Any, Final, ParamSpec

from aiohttp import web

from retryscope_service.api.openapi_parts import TRACE_ID_HEADER, get, path_parameter, problems
from retryscope_service.api.route import Resource, Route
from retryscope_service.api.run_params import RunParams
from retryscope_service.api.run_query import (
    IDEMPOTENCY_KEY_PARAMETER,
    LAST_EVENT_ID_PARAMETER,
    LISTING_PARAMETERS,
    idempotency_key,
    last_event_id,
    page_cursor,
    wanted_runs,
)
from retryscope_service.api.workflows import draining, find_workflow, parameters_body, too_many_runs
from retryscope_service.http.paging import page_limit
from retryscope_service.http.problems import Problem
from retryscope_service.http.root_path import root_path
from retryscope_service.runs.background import BackgroundRuns, IdempotencyConflictError
from retryscope_service.runs.engine import EngineError, EngineFullError
from retryscope_service.runs.inline import InlineRuns, TooManyRunsError
from retryscope_service.runs.record import RunRecord
from retryscope_service.workflows.definition import WorkflowDefinition

HEARTBEAT_SECONDS: Final = 10.0

P = ParamSpec("P")

_ID: Final = path_parameter("id")
_RECORD: Final = {"application/json": {"schema": RunRecord}}
_LISTING_SCHEMA: Final = {
    "type": "object",
    "required": ["runs", "cursor"],
    "properties": {
        "runs": {"type": "array", "items": RunRecord},
        "cursor": {
            "type": ["string", "null"],
            "description": "Where the next page begins, if there is one.",
        },
    },
}
_FOLLOW_OPERATION: Final = get(
    "followRun",
    "What happens in a run, as server-sent events, until its final state.",
    [_ID, LAST_EVENT_ID_PARAMETER],
    (401, 404, 422, 503),
    ("text/event-stream",),
    further={"204": {"description": "The run has ended, and nothing follows: an EventSource stops asking."}},
)
_CANCEL_OPERATION: Final = {
    "operationId": "cancelRun",
    "summary": "Ask for a run to be cancelled, wherever it runs.",
    "parameters": [_ID],
    "responses": {
        "202": {"description": "The cancel is on its way; state says how far.", "content": _RECORD},
        **problems(401, 404, 409, 503),
    },
}


def _submit_operation(definition: WorkflowDefinition[Any]) -> dict[str, Any]:
    return {
        "operationId": f"submit{definition.name.capitalize()}",
        "summary": f"In the background: {definition.summary}",
        "parameters": [IDEMPOTENCY_KEY_PARAMETER],
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


def engine_errors(
    handler: Callable[P, Awaitable[web.StreamResponse]],
) -> Callable[P, Coroutine[Any, Any, web.StreamResponse]]:
    """Answer 503 while the engine can't be reached."""

    @wraps(handler)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> web.StreamResponse:
        try:
            return await handler(*args, **kwargs)
        except EngineFullError:
            raise Problem(
                503,
                "engine-full",
                "The engine of background runs is full",
                "Its Redis has reached maxmemory and takes nothing more: raise that, or lower"
                " RETRYSCOPE_MAX_FINISHED_RUNS or RETRYSCOPE_RUN_RETENTION_SECONDS. Repeat the request with"
                " the same Idempotency-Key then.",
                headers={"Retry-After": "10"},
            ) from None
        except (EngineError, ConnectionError, TimeoutError):
            raise Problem(
                503,
                "engine-unavailable",
                "The engine of background runs can't be reached",
                "Nothing is known about the request's effect; repeat it with the same Idempotency-Key.",
                headers={"Retry-After": "1"},
            ) from None

    return guarded


class RunRoutes(Resource):
    """The routes of background runs.

    Args:
        runs: The runs.
        inline: Whether the process still takes new ones.
        params: Reads what they are asked to do.
        on_cancel: Called with the id of a run that somebody asked to cancel.
    """

    def __init__(
        self,
        runs: BackgroundRuns,
        inline: InlineRuns,
        params: RunParams,
        on_cancel: Callable[[str], None],
    ) -> None:
        self._runs = runs
        self._inline = inline
        self._params = params
        self._on_cancel = on_cancel

    @engine_errors
    async def submit(self, request: web.Request) -> web.Response:
        """Start a run in the background."""
        definition = find_workflow(request.match_info["workflow"])
        key = idempotency_key(request)
        params = await self._params.read(request, definition)
        if self._inline.draining:
            raise draining()
        try:
            run_id, new = await self._runs.submit(definition, params, key)
        except TooManyRunsError as error:
            raise too_many_runs(error, "RETRYSCOPE_MAX_ACTIVE_RUNS") from None
        except IdempotencyConflictError as error:
            raise Problem(
                422,
                "idempotency-conflict",
                "Idempotency key used with another body",
                f"Idempotency-Key: {error}; use a new key for a new run.",
                {"run": error.run_id},
            ) from None
        record = await self._known(run_id)
        location = f"{root_path(request)}/runs/{run_id}"
        headers = {"Location": location, "Idempotent-Replayed": "false" if new else "true"}
        return web.json_response(_as_json(record, root_path(request)), status=202, headers=headers)

    @engine_errors
    async def listing(self, request: web.Request) -> web.Response:
        """Runs, the newest first."""
        wanted, cursor = wanted_runs(request), page_cursor(request)
        records, behind = await self._runs.list(wanted, cursor, page_limit(request))
        document: dict[str, Any] = {"runs": [_as_json(each, root_path(request)) for each in records]}
        document["cursor"] = None if behind is None else f"{behind.score}_{behind.run_id}"
        return web.json_response(document)

    @engine_errors
    async def one(self, request: web.Request) -> web.Response:
        """One run."""
        record = await self._known(request.match_info["id"])
        return web.json_response(_as_json(record, root_path(request)))

    @engine_errors
    async def cancel(self, request: web.Request) -> web.Response:
        """Ask for a run to be cancelled."""
        run_id = request.match_info["id"]
        verdict, state = await self._runs.cancel(run_id)
        if verdict == "unknown":
            raise _unknown(run_id)
        if verdict == "ended":
            raise Problem(
                409,
                "run-ended",
                "The run has ended",
                f"Run {run_id} has ended before, in the state {state}.",
                {"state": state},
            )
        self._on_cancel(run_id)
        record = await self._known(run_id)
        return web.json_response(_as_json(record, root_path(request)), status=202)

    @engine_errors
    async def events(self, request: web.Request) -> web.StreamResponse:
        """The run's events as they happen, as server-sent events; 204 once nothing more will happen."""
        run_id = request.match_info["id"]
        record = await self._known(run_id)
        # A last event that there never was, or that a restart of Redis lost, is not waited for.
        known = await self._runs.event_count(run_id)
        after = min(last_event_id(request) + 1, known)
        if record.ended and after == known:  # an EventSource would come back for ever
            return web.Response(status=204, headers={"Cache-Control": "no-store"})
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        await response.prepare(request)
        with suppress(ConnectionResetError):  # the reader has gone
            async with aclosing(self._runs.follow(run_id, after, HEARTBEAT_SECONDS)) as items:
                async for item in items:
                    await response.write(_sse(item))
            await response.write_eof()
        return response

    async def _known(self, run_id: str) -> RunRecord:
        record = await self._runs.get(run_id)
        if record is None:
            raise _unknown(run_id)
        return record

    ROUTES = (
        Route("POST", "/workflows/{workflow}/runs", submit, _submit_operation, traced=True),
        Route(
            "GET",
            "/runs",
            listing,
            get(
                "listRuns",
                "Background runs, the newest first.",
                LISTING_PARAMETERS,
                (401, 422, 503),
                schema=_LISTING_SCHEMA,
            ),
            page=True,
        ),
        Route(
            "GET",
            "/runs/{id}",
            one,
            get("getRun", "One background run.", [_ID], (401, 404, 503), schema=RunRecord),
            page=True,
        ),
        Route("GET", "/runs/{id}/events", events, _FOLLOW_OPERATION),
        Route("POST", "/runs/{id}/cancel", cancel, _CANCEL_OPERATION, traced=True),
    )


def _sse(item: tuple[int, dict[str, Any]] | None) -> bytes:
    """An event, or a comment as heartbeat, in the form of a text/event-stream."""
    if item is None:
        return b": still here\n\n"
    position, event = item
    return f"id: {position}\nevent: {event['event']}\ndata: {json.dumps(event)}\n\n".encode()


def _as_json(record: RunRecord, root: str) -> dict[str, Any]:
    document = record.model_dump(mode="json", exclude_none=True)
    document["links"] = {
        "self": f"{root}/runs/{record.id}",
        "events": f"{root}/runs/{record.id}/events",
        "cancel": f"{root}/runs/{record.id}/cancel",
    }
    if record.trace_id is not None:
        document["links"]["trace"] = f"{root}/traces/{record.trace_id}"
    return document


def _unknown(run_id: str) -> Problem:
    detail = f"There is no run {run_id[:100]!r} (any more)."
    return Problem(404, "unknown-run", "Unknown run", detail)
