"""``/runs``: background runs, at any process that shares the engine."""

import json
import re
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any, Final, get_args

from aiohttp import web

from instrumentation.outcome import OUTCOMES
from service.api.paging import page_limit
from service.api.problems import Problem, invalid_parameter
from service.api.query import TRACE_ID, choices
from service.api.root_path import root_path
from service.api.validation import read_params
from service.api.workflows import draining, find_workflow, too_many_runs
from service.runs.background import BackgroundRuns, IdempotencyConflictError
from service.runs.engine import EngineError, EngineFullError
from service.runs.filter import FAILURES, Filter
from service.runs.inline import InlineRuns, TooManyRunsError
from service.runs.record import RunRecord, RunState
from service.runs.store import Cursor
from service.workflows import WORKFLOWS

HEARTBEAT_SECONDS: Final = 10.0
IDEMPOTENCY_KEY: Final = re.compile(r"^[!-~]([ -~]{0,198}[!-~])?$")
CURSOR: Final = re.compile(r"^-[0-9]{1,12}(\.[0-9]{1,12})?_[0-9a-f-]{1,40}$")
ASCII: Final = "1 to 200 printable ASCII characters long"
ERROR_TYPE: Final = re.compile(r"^[ -~]{1,200}$")
LAST_EVENT_ID: Final = re.compile(r"^[0-9]{0,9}$")
"""Headers and parameters, as the OpenAPI document describes them."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RunRoutes:
    """The routes of background runs.

    Args:
        runs: The runs.
        inline: Whether the process still takes new ones.
        max_body_bytes: Largest request body.
        on_cancel: Called with the id of a run that somebody asked to cancel.
    """

    def __init__(
        self,
        runs: BackgroundRuns,
        inline: InlineRuns,
        max_body_bytes: int,
        on_cancel: Callable[[str], None],
    ) -> None:
        self._runs = runs
        self._inline = inline
        self._max_body_bytes = max_body_bytes
        self._on_cancel = on_cancel

    def routes(self) -> list[web.RouteDef]:
        """The routes to add to an application."""
        return [
            web.post("/workflows/{workflow}/runs", engine_errors(self.submit)),
            web.get("/runs", engine_errors(self.list)),
            web.get("/runs/{id}", engine_errors(self.one)),
            web.get("/runs/{id}/events", engine_errors(self.events)),
            web.post("/runs/{id}/cancel", engine_errors(self.cancel)),
        ]

    async def submit(self, request: web.Request) -> web.Response:
        """Start a run in the background."""
        definition = find_workflow(request.match_info["workflow"])
        key = request.headers.get("Idempotency-Key")
        if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
            raise invalid_parameter("Idempotency-Key", key, ASCII)
        params = await read_params(request, definition.params, self._max_body_bytes)
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

    async def list(self, request: web.Request) -> web.Response:
        """Runs, the newest first."""
        wanted = Filter(
            workflow=choices(request, "workflow", tuple(WORKFLOWS)),
            state=choices(request, "state", get_args(RunState)),
            outcome=choices(request, "outcome", OUTCOMES),
            failures=choices(request, "failures", FAILURES),
            error_type=_matching(request, "error_type", ERROR_TYPE, ASCII),
            trace_id=_matching(request, "trace_id", TRACE_ID, "32 hexadecimal digits in small letters"),
            since=_time(request, "since"),
            until=_time(request, "until"),
        )
        records, behind = await self._runs.list(wanted, _cursor(request), page_limit(request))
        document: dict[str, Any] = {"runs": [_as_json(each, root_path(request)) for each in records]}
        document["cursor"] = None if behind is None else f"{behind.score}_{behind.run_id}"
        return web.json_response(document)

    async def one(self, request: web.Request) -> web.Response:
        """One run."""
        record = await self._known(request.match_info["id"])
        return web.json_response(_as_json(record, root_path(request)))

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

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The run's events as they happen, as server-sent events; 204 once nothing more will happen."""
        run_id = request.match_info["id"]
        record = await self._known(run_id)
        # A last event that there never was, or that a restart of Redis lost, is not waited for.
        known = await self._runs.event_count(run_id)
        after = min(_last_event_id(request) + 1, known)
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


def _sse(item: tuple[int, dict[str, Any]] | None) -> bytes:
    """An event, or a comment as heartbeat, in the form of a text/event-stream."""
    if item is None:
        return b": still here\n\n"
    position, event = item
    return f"id: {position}\nevent: {event['event']}\ndata: {json.dumps(event)}\n\n".encode()


def engine_errors(handler: Handler) -> Handler:
    """Answer 503 while the engine can't be reached."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
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


def _time(request: web.Request, name: str) -> datetime | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise invalid_parameter(name, text, "a time as 2026-01-31T12:00:00Z") from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _matching(request: web.Request, name: str, pattern: re.Pattern[str], must_be: str) -> str | None:
    text = request.query.get(name)
    if text is not None and not pattern.fullmatch(text):
        raise invalid_parameter(name, text, must_be)
    return text


def _cursor(request: web.Request) -> Cursor | None:
    text = request.query.get("cursor")
    if text is None:
        return None
    if not CURSOR.fullmatch(text):
        raise invalid_parameter("cursor", text, "the cursor of an earlier answer")
    score, _, run_id = text.partition("_")
    return Cursor(score, run_id)


def _last_event_id(request: web.Request) -> int:
    text = request.headers.get("Last-Event-ID", "")
    if not LAST_EVENT_ID.fullmatch(text):
        raise invalid_parameter("Last-Event-ID", text, "the id of an event of this run")
    return int(text) if text else -1
