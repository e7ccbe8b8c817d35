"""``/traces``: the last traces, as OTLP JSON."""

import asyncio
import re
import time
from collections.abc import Sequence

from aiohttp import web
from opentelemetry.sdk.trace import ReadableSpan

from service.api.form import wants_text
from service.api.paging import page_limit
from service.api.problems import invalid_parameter
from service.api.sampling import no_trace
from service.console.otlp_json import to_otlp_json
from service.console.span_store import SpanStore
from service.console.trace_text import render_trace

_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")


class TraceRoutes:
    """The routes below ``/traces``."""

    def __init__(self, store: SpanStore) -> None:
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        """The routes to add to an application."""
        return [web.get("/traces", self.latest), web.get("/traces/{trace_id}", self.one)]

    async def latest(self, request: web.Request) -> web.Response:
        """The last traces, the newest first."""
        return await _otlp_response(self._store.latest(page_limit(request)))

    async def one(self, request: web.Request) -> web.Response:
        """One trace, also while it grows; as text for ``?format=text``."""
        as_text = wants_text(request)
        trace_id = request.match_info["trace_id"]
        if not _TRACE_ID.fullmatch(trace_id):
            raise invalid_parameter("trace_id", trace_id, "32 hexadecimal digits")
        spans = self._store.get(int(trace_id, 16))
        if spans is None:
            raise no_trace(self._store, trace_id)
        self._store.look(int(trace_id, 16))
        if as_text:
            return web.Response(text=await asyncio.to_thread(render_trace, spans, time.time_ns()))
        return await _otlp_response(spans)


async def _otlp_response(spans: Sequence[ReadableSpan]) -> web.Response:
    # Thousands of spans take longer to encode than the event loop should stand still.
    document = await asyncio.to_thread(to_otlp_json, spans)
    return web.json_response(document)
