"""``/metrics``: Prometheus text, or OpenMetrics (with exemplars) for who asks for it."""

from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry

from retryscope.exposition import Exposition
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
        content_type, body = await self._exposition.render(_canonical(choice), compressed=compressed)
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
