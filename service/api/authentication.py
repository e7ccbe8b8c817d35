"""The API token: one bearer token, compared in constant time."""

import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web

from service.api.problems import Problem
from service.api.web import ASSETS

OPEN = frozenset(
    {"/", ASSETS, "/health", "/health/live", "/health/ready", "/docs", "/docs/runbook", "/openapi.json"}
)
"""Routes without a token, which say nothing about the runs: an orchestrator's probes have none, nor has the
browser of somebody who opens the page, which then asks, or who follows a link of an alert or of the page."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def token_middleware(token: str) -> Callable[..., Awaitable[web.StreamResponse]]:
    """An aiohttp middleware that refuses every request without ``Authorization: Bearer <token>``."""
    expected = token.encode()

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if resource is None or resource.canonical not in OPEN:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), expected)
            if scheme.lower() != "bearer" or not right:
                raise Problem(
                    401,
                    "unauthorized",
                    "API token needed",
                    "Send the API token as `Authorization: Bearer TOKEN`; RETRYSCOPE_API_TOKEN sets it.",
                    headers={"WWW-Authenticate": 'Bearer realm="retryscope"'},
                )
        return await handler(request)

    return middleware
