"""``/metrics``: Prometheus text, or OpenMetrics (with exemplars) for who asks for it."""

import asyncio
import gzip
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from retryscope_service.api.openapi_parts import get
from retryscope_service.api.route import Resource, Route
from retryscope_service.http.accept import Choice, MediaType, choose, takes_gzip
from retryscope_service.http.problems import Problem

OFFERED: Final = (
    MediaType("text/plain", {"version": "0.0.4"}),
    MediaType("application/openmetrics-text", {"version": "1.0.0"}),
    MediaType("text/plain", {"version": "1.0.0"}),
)
"""What to send, the first to who does not say."""

LEVEL: Final = 4
"""Of gzip: the highest takes three times as long, for an eighth less."""


class MetricsRoutes(Resource):
    """The route ``/metrics``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._exposition = Exposition(registry)

    async def metrics(self, request: web.Request) -> web.Response:
        """Every metric of the process."""
        choice = choose(",".join(request.headers.getall("Accept", [])), OFFERED)
        if choice is None:
            known = ", ".join(f"{each.name}; version={each.parameters['version']}" for each in OFFERED)
            raise Problem(
                406, "not-acceptable", "Not Acceptable", f"Accept refuses all that there is: {known}."
            )
        compressed = takes_gzip(",".join(request.headers.getall("Accept-Encoding", [])))
        content_type, body = await self._exposition.render(_canonical(choice), compressed)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if compressed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    ROUTES = (
        Route(
            "GET",
            "/metrics",
            metrics,
            get(
                "getMetrics",
                "Prometheus metrics; OpenMetrics, with exemplars, by Accept; gzip by Accept-Encoding.",
                failures=(401, 406),
                media_types=("text/plain", "application/openmetrics-text"),
            ),
            page=True,
        ),
    )


def _canonical(choice: Choice) -> str:
    """The choice alone, as prometheus_client reads it."""
    parameters = dict(choice.media_type.parameters)
    if choice.wanted is not None and "escaping" in choice.wanted.parameters:
        parameters["escaping"] = choice.wanted.parameters["escaping"]
    return "; ".join([choice.media_type.name, *(f"{name}={value}" for name, value in parameters.items())])


class Exposition:
    """Renders the registry on a thread: that takes as long as many requests, which need not wait for it.

    At most one is rendered at a time. Whoever asks meanwhile waits for the next one and shares it with others
    that want the same: each gets numbers that are not older than its question.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._rendering = asyncio.Lock()
        self._waiting: dict[tuple[str, bool], asyncio.Task[tuple[str, bytes]]] = {}

    async def render(self, accept: str, compressed: bool) -> tuple[str, bytes]:
        """The content type and the body; a client that goes away takes it from nobody."""
        key = accept, compressed
        task = self._waiting.get(key)
        if task is None:
            task = self._waiting[key] = asyncio.create_task(self._next(key))
        return await asyncio.shield(task)

    async def _next(self, key: tuple[str, bool]) -> tuple[str, bytes]:
        async with self._rendering:
            del self._waiting[key]
            return await asyncio.to_thread(self._render, *key)

    def _render(self, accept: str, compressed: bool) -> tuple[str, bytes]:
        encode, content_type = choose_encoder(accept)
        body = encode(self._registry)
        return content_type, gzip.compress(body, LEVEL, mtime=0) if compressed else body
