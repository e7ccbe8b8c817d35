"""``/traces``: the last traces, as OTLP JSON."""

import asyncio
import time
from collections.abc import Sequence

from aiohttp import web
from opentelemetry.sdk.trace import ReadableSpan

from retryscope_service.api.openapi_parts import get, path_parameter
from retryscope_service.api.route import Resource, Route
from retryscope_service.api.sampling import no_trace
from retryscope_service.http.form import FORM_PARAMETER, wants_text
from retryscope_service.http.paging import LIMIT_PARAMETER, page_limit
from retryscope_service.http.query import TRACE_ID_SCHEMA, read_trace_id
from retryscope_service.traces.otlp_json import to_otlp_json
from retryscope_service.traces.span_store import SpanStore
from retryscope_service.traces.trace_text import render_trace


class TraceRoutes(Resource):
    """The routes below ``/traces``."""

    def __init__(self, store: SpanStore) -> None:
        self._store = store

    async def latest(self, request: web.Request) -> web.Response:
        """The last traces, the newest first."""
        return await _otlp_response(self._store.latest(page_limit(request)))

    async def one(self, request: web.Request) -> web.Response:
        """One trace, also while it grows; as text for ``?format=text``."""
        as_text = wants_text(request)
        trace_id = read_trace_id("trace_id", request.match_info["trace_id"])
        spans = self._store.get(int(trace_id, 16))
        if spans is None:
            raise no_trace(self._store, trace_id)
        self._store.look(int(trace_id, 16))
        if as_text:
            return web.Response(text=await asyncio.to_thread(render_trace, spans, time.time_ns()))
        return await _otlp_response(spans)

    ROUTES = (
        Route(
            "GET",
            "/traces",
            latest,
            get(
                "listTraces",
                "The last traces, the newest first, as OTLP JSON.",
                [LIMIT_PARAMETER],
                (401, 422),
            ),
        ),
        Route(
            "GET",
            "/traces/{trace_id}",
            one,
            get(
                "getTrace",
                "One trace as OTLP JSON, or as a text waterfall, also while it runs.",
                [path_parameter("trace_id", TRACE_ID_SCHEMA), FORM_PARAMETER],
                (401, 404, 422),
                ("application/json", "text/plain"),
            ),
        ),
    )


async def _otlp_response(spans: Sequence[ReadableSpan]) -> web.Response:
    # Thousands of spans take longer to encode than the event loop should stand still.
    document = await asyncio.to_thread(to_otlp_json, spans)
    return web.json_response(document)
