"""The upstream's aiohttp application; it knows nothing of the service's API."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web
from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry

from retryscope_service.address import AllowedHosts
from retryscope_service.http.authentication import token_middleware
from retryscope_service.http.isolation import isolation_middleware
from retryscope_service.http.problems import Problem, problem_middleware
from retryscope_service.http.validation import read_params
from retryscope_service.upstream.faults import Faults
from retryscope_service.upstream.job import JobRoutes
from retryscope_service.upstream.telemetry import UpstreamMetrics, telemetry_middleware
from retryscope_service.upstream.upstream import Upstream

MAX_BODY_BYTES: Final = 16_384
_UNTOLD: Final = ("/faults", "/metrics", "/health/live", "/health/ready")
"""What is recorded is what callers of a dependency do, not who looks after it."""
_ELSEWHERE: Final = "/{path}"
"""Template of all other paths."""


def create_upstream_app(
    upstream: Upstream,
    token: str,
    registry: CollectorRegistry,
    *,
    local: bool = True,
    further: Sequence[web.RouteDef] = (),
    tracer: Tracer | None = None,
) -> web.Application:
    """The application.

    Args:
        upstream: Its state.
        token: What ``/faults`` needs; all else is open to whoever reaches it.
        registry: Where its metrics are registered.
        local: Whether only this machine reaches it: then it answers to names of this machine only.
        further: Routes beside its own; they need no token.
        tracer: Where its spans come from; by default the global provider's.
    """
    routes = _Routes(upstream)
    opened = [*JobRoutes(upstream).routes(), *routes.open_routes(), *further]
    app = web.Application(
        middlewares=[
            telemetry_middleware(upstream, UpstreamMetrics(registry), _UNTOLD, tracer),
            isolation_middleware(AllowedHosts((), local=local)),
            problem_middleware,
            token_middleware(
                token, {_ELSEWHERE, *(each.path for each in opened)}, "RETRYSCOPE_UPSTREAM_TOKEN"
            ),
        ],
        client_max_size=MAX_BODY_BYTES,
    )
    app.add_routes([*opened, *routes.protected_routes(), web.route("*", "/{path:.*}", routes.nothing)])

    async def let_go(_: web.Application) -> None:
        upstream.stop()

    app.on_shutdown.append(let_go)
    return app


class _Routes:
    """What answers beside ``/job``."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def open_routes(self) -> list[web.RouteDef]:
        """Those that need no token."""
        return [web.get("/health/live", self.live), web.get("/health/ready", self.ready)]

    def protected_routes(self) -> list[web.RouteDef]:
        """Those that change what it does, or tell it."""
        return [
            web.get("/faults", self.faults),
            web.put("/faults", self.put_faults),
            web.delete("/faults", self.no_faults),
        ]

    async def faults(self, request: web.Request) -> web.Response:
        """What is done to requests now."""
        document = self._upstream.faults.model_dump_json(exclude_none=True)
        return web.Response(text=document, content_type="application/json")

    async def put_faults(self, request: web.Request) -> web.Response:
        """What is done to requests from now on, instead of what was."""
        remedy = "faults never need as much"
        self._upstream.use(await read_params(request, Faults, MAX_BODY_BYTES, remedy, required=True))
        return await self.faults(request)

    async def no_faults(self, request: web.Request) -> web.Response:
        """Nothing is done to requests from now on."""
        self._upstream.use(Faults())
        return web.Response(status=204)

    async def live(self, request: web.Request) -> web.Response:
        """The process answers; true also while it drains."""
        return web.json_response({"status": "live"})

    async def ready(self, request: web.Request) -> web.Response:
        """Requests are welcome."""
        if self._upstream.stopping:
            raise Problem(503, "draining", "Shutting down", "The upstream is about to end.")
        return web.json_response({"status": "ready", "requests_in_flight": self._upstream.in_flight})

    async def nothing(self, request: web.Request) -> web.Response:
        """No other path, and no other method, means anything here."""
        detail = f"There is no {request.method} {request.path} here; docs/upstream.md says what there is."
        raise Problem(404, "not-found", "Not Found", detail)
