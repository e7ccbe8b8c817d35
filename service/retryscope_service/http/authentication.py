"""The API token: one bearer token, compared in constant time."""

import hmac
from collections.abc import Awaitable, Callable, Collection

from aiohttp import web

from retryscope_service.http.problems import Problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def token_middleware(
    token: str, opened: Collection[str], variable: str = "RETRYSCOPE_API_TOKEN"
) -> Callable[..., Awaitable[web.StreamResponse]]:
    """An aiohttp middleware that refuses requests without ``Authorization: Bearer <token>``.

    Args:
        token: The token.
        opened: Paths of routes that need none.
        variable: What sets it, for who has none.
    """
    expected = token.encode()

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if resource is None or resource.canonical not in opened:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), expected)
            if scheme.lower() != "bearer" or not right:
                raise Problem(
                    401,
                    "unauthorized",
                    "API token needed",
                    f"Send the API token as `Authorization: Bearer TOKEN`; {variable} sets it.",
                    headers={"WWW-Authenticate": 'Bearer realm="retryscope"'},
                )
        return await handler(request)

    return middleware
