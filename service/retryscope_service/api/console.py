"""``/console``: what the page shows. Made for the page: it may change with it."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Final

from aiohttp import web

from retryscope_service.api.console_schemas import InlineRun, Snapshot, StreamEvents, TraceDocument
from retryscope_service.api.openapi_parts import PAGE_ONLY, get, path_parameter
from retryscope_service.api.route import Resource, Route
from retryscope_service.api.sampling import no_trace
from retryscope_service.console.changes import trace_members
from retryscope_service.console.console import Console
from retryscope_service.console.stream import TooManyReadersError
from retryscope_service.http.problems import Problem, invalid_parameter
from retryscope_service.http.query import TRACE_ID_SCHEMA, read_trace_id
from retryscope_service.traces.span_json import span_json

HEARTBEAT_SECONDS: Final = 10.0
MAX_TRACES: Final = 20
"""Traces that one reader of the stream may follow."""

_encode: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_HEADERS: Final = {"Cache-Control": "no-store"}
_STREAM_HEADERS: Final = {
    **_HEADERS,
    "Content-Type": "text/event-stream; charset=utf-8",
    "X-Accel-Buffering": "no",
}


class ConsoleRoutes(Resource):
    """The routes of live runs and spans.

    Args:
        console: The live parts.
        links: Addresses of other user interfaces, by name.
        alerts: Gives the state of every alert for the snapshot, as the event ``alerts`` has it.
        traffic: Gives the state of the traffic switch, as the event ``traffic`` has it.
    """

    def __init__(
        self,
        console: Console,
        links: Mapping[str, str | None],
        alerts: Callable[[], Sequence[Any]],
        traffic: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._hub = console.hub
        self._runs = console.runs
        self._inline = console.inline
        self._spans = console.spans
        self._links = dict(links)
        self._alerts = alerts
        self._traffic = traffic

    async def snapshot(self, request: web.Request) -> web.Response:
        """All that the stream tells the changes of."""
        document = {
            "boot_id": self._hub.boot_id,
            "seq": self._hub.seq,  # before the rest is read: what changes meanwhile comes with a later number
            "time": time.time(),
            "version": version("retryscope"),
            "alerts": self._alerts(),
            "traffic": self._traffic(),
            "links": self._links,
        }
        return await _json_response(document, "runs", self._runs.latest)

    async def trace(self, request: web.Request) -> web.Response:
        """One trace, also while it grows."""
        trace_id = read_trace_id("trace", request.match_info["trace_id"])
        seq = self._hub.seq
        trace = self._spans.trace(int(trace_id, 16))
        if trace is None:
            raise no_trace(self._spans, trace_id)
        self._spans.look(trace.trace_id)
        document = {"seq": seq, **trace_members(trace)}
        return await _json_response(document, "spans", lambda: map(span_json, trace.spans))

    async def inline_run(self, request: web.Request) -> web.Response:
        """What an inline run was started with, and what it answered."""
        run_id = request.match_info["id"]
        known = self._inline.get(run_id)
        if known is None:
            detail = f"No inline run {run_id[:100]!r} is known (any more)."
            raise Problem(404, "unknown-run", "Unknown run", detail)
        return web.json_response(known, headers=_HEADERS)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """What happens from now on, as server-sent events."""
        traces = {read_trace_id("trace", each) for each in request.query.getall("trace", [])}
        if len(traces) > MAX_TRACES:
            raise invalid_parameter("trace", f"{len(traces)} traces", f"at most {MAX_TRACES} different ones")
        if request.method == "HEAD":
            return web.Response(headers=_STREAM_HEADERS)
        try:
            # The changes are collected before the reader learns the number from which on it gets them all.
            with (
                self._runs.watching(),
                self._spans.watching([int(each, 16) for each in traces]),
                self._hub.reader(traces) as reader,
            ):
                response = web.StreamResponse(headers=_STREAM_HEADERS)
                with suppress(ConnectionResetError):  # the reader has gone
                    await response.prepare(request)
                    while (events := await reader.take(HEARTBEAT_SECONDS)) is not None:
                        await response.write(events or b": still here\n\n")
                    await response.write_eof()
                return response
        except TooManyReadersError as error:
            raise Problem(
                503, "too-many-readers", "Too many readers", f"{error}.", headers={"Retry-After": "5"}
            ) from None

    ROUTES = (
        Route(
            "GET",
            "/console/snapshot",
            snapshot,
            get(
                "getSnapshot",
                f"{PAGE_ONLY}what runs now, alerts, traffic; the stream tells changes.",
                None,
                (401,),
                schema=Snapshot,
            ),
        ),
        Route(
            "GET",
            "/console/stream",
            stream,
            get(
                "followConsole",
                f"{PAGE_ONLY}changes of runs, alerts, charts, and of some traces, as server-sent events:"
                f" the members of {StreamEvents.__name__}.",
                [
                    {
                        "name": "trace",
                        "in": "query",
                        "schema": {"type": "array", "items": TRACE_ID_SCHEMA, "maxItems": MAX_TRACES},
                    }
                ],
                (401, 422, 503),
                ("text/event-stream",),
            ),
        ),
        Route(
            "GET",
            "/console/traces/{trace_id}",
            trace,
            get(
                "getConsoleTrace",
                f"{PAGE_ONLY}the spans of a trace.",
                [path_parameter("trace_id", TRACE_ID_SCHEMA)],
                (401, 404, 422),
                schema=TraceDocument,
            ),
        ),
        Route(
            "GET",
            "/console/runs/{id}",
            inline_run,
            get(
                "getConsoleRun",
                f"{PAGE_ONLY}what an inline run was started with, and what it answered.",
                [path_parameter("id")],
                (401, 404),
                schema=InlineRun,
            ),
        ),
    )


async def _json_response(
    document: Mapping[str, Any], name: str, items: Callable[[], Iterable[Any]]
) -> web.Response:
    """The document with one member more, of which there may be thousands: so they are made on a thread.

    They are encoded one by one, because the encoder lets no other thread run before it is done.
    """

    def encode() -> bytes:
        return f'{_encode(document)[:-1]},"{name}":[{",".join(map(_encode, items()))}]}}'.encode()

    body = await asyncio.to_thread(encode)
    return web.Response(body=body, content_type="application/json", headers=_HEADERS)
