"""Refuses what a page from elsewhere makes a browser send: by cross-site requests, or by DNS rebinding.

A browser says where a request comes from (``Sec-Fetch-Site``, ``Origin``), and scripts can't change that.
Programs send neither header, and are served as ever.
"""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, web

from retryscope_service.address import AllowedHosts, Host
from retryscope_service.http.problems import Problem

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def isolation_middleware(allowed: AllowedHosts) -> Callable[..., Awaitable[web.StreamResponse]]:
    """An aiohttp middleware that answers 421 to a foreign ``Host`` and 403 to a request from another origin.

    From another origin a browser may only follow a link to here. Besides whatever changes something, it is
    refused what it would load (by ``EventSource``, images, frames): it could not read it, but that costs as
    much.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check_host(request, allowed)
            _check_origin(request)
        except Problem as problem:
            return problem.response(request)
        return await handler(request)

    return middleware


def _check_host(request: web.Request, allowed: AllowedHosts) -> None:
    given = request.headers.getall("Host", [])
    if len(given) > 1 or (not given and request.version >= HttpVersion11):
        detail = f"There are {len(given)} Host headers: HTTP/1.1 wants exactly one."
        raise Problem(400, "bad-request", "Bad Request", detail)
    # A proxy's X-Forwarded-Host, if it is believed, is checked beside the header and not in its place: the
    # script of a rebound name can send it too.
    for text in {*given, request.host} if given else ():
        try:
            host = Host.parse(text)
        except ValueError as error:
            raise Problem(400, "bad-request", "Bad Request", f"Host: {error}.") from None
        if host not in allowed:
            raise Problem(
                421,
                "misdirected-request",
                "Misdirected Request",
                f"This service does not answer to the host {host.name[:100]!r};"
                " RETRYSCOPE_ALLOWED_HOSTS names the ones besides loopback hosts that it does.",
            )


def _check_origin(request: web.Request) -> None:
    if not _from_elsewhere(request) or _is_followed_link(request):
        return
    origin = ", ".join(request.headers.getall("Origin", ["another site"]))
    raise Problem(
        403,
        "cross-origin",
        "Cross-origin request refused",
        f"A browser sent this for a page of {origin[:100]!r}, which is not the origin of this service. Behind"
        " a proxy, let it pass the Host header on, or send X-Forwarded-Host and set"
        " RETRYSCOPE_FORWARDED_ALLOW_IPS.",
    )


def _from_elsewhere(request: web.Request) -> bool:
    sites = request.headers.getall("Sec-Fetch-Site", [])
    if sites:  # says more than Origin: it holds behind a proxy that has changed the host, too
        return any(site not in ("same-origin", "none") for site in sites)
    return any(not _is_own(origin, request) for origin in request.headers.getall("Origin", []))


def _is_own(origin: str, request: web.Request) -> bool:
    try:
        parts = urlsplit(origin)
        theirs, ours = Host.parse(parts.netloc), Host.parse(request.host)
    except ValueError:  # also "null": a file, a sandboxed frame, a redirect from elsewhere
        return False
    # Behind a proxy with TLS the request may say http all the same; the other way round it can't be.
    if parts.scheme not in _DEFAULT_PORTS or (request.scheme == "https" and parts.scheme != "https"):
        return False
    default = _DEFAULT_PORTS[parts.scheme]
    return (theirs.name, theirs.port or default) == (ours.name, ours.port or default)


def _is_followed_link(request: web.Request) -> bool:
    navigates = request.headers.get("Sec-Fetch-Mode") == "navigate"
    to_a_page = request.headers.get("Sec-Fetch-Dest") == "document"
    return request.method in ("GET", "HEAD") and navigates and to_a_page
