"""What a reverse proxy says of a request: ``X-Forwarded-For``, ``-Proto``, ``-Host`` and ``-Prefix``.

Anybody can send these headers, so they are read from the proxies only that are named; what is not valid is
as if it were not there.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from aiohttp import web

from retryscope_service.address import Host, valid_root_path
from retryscope_service.http.root_path import ROOT_PATH

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def forwarded_middleware(
    root_path: str, proxies: Sequence[Network]
) -> Callable[..., Awaitable[web.StreamResponse]]:
    """An aiohttp middleware after which a request is as its client sent it; put it first.

    Args:
        root_path: The path of a proxy that does not name it in ``X-Forwarded-Prefix``.
        proxies: Who is believed; nobody by default.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        root = root_path
        if _is_among(request.remote, proxies):
            root = _prefix(request) or root_path
            request = request.clone(
                scheme=_scheme(request), host=_host(request), remote=_client(request, proxies)
            )
        request[ROOT_PATH] = root
        return await handler(request)

    return middleware


def _is_among(text: str | None, networks: Sequence[Network]) -> bool:
    address = _address(text or "")
    return address is not None and any(address in network for network in networks)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with suppress(ValueError):
        return ipaddress.ip_address(text)
    with suppress(ValueError):  # some proxies add the port
        return Host.parse(text).address
    return None


def _entries(request: web.Request, name: str) -> list[str]:
    return [part.strip() for value in request.headers.getall(name, []) for part in value.split(",")]


def _last(request: web.Request, name: str) -> str:
    """What the nearest proxy said."""
    return (_entries(request, name) or [""])[-1]


def _scheme(request: web.Request) -> str:
    given = _last(request, "X-Forwarded-Proto").lower()
    return given if given in ("http", "https") else request.scheme


def _host(request: web.Request) -> str:
    given = _last(request, "X-Forwarded-Host")
    with suppress(ValueError):
        Host.parse(given)
        return given
    return request.host


def _prefix(request: web.Request) -> str:
    with suppress(ValueError):
        return valid_root_path(_last(request, "X-Forwarded-Prefix"))
    return ""


def _client(request: web.Request, proxies: Sequence[Network]) -> str:
    """The last in the chain that is no proxy of ours: the client may have made up what stands before it."""
    client = request.remote or ""
    for entry in reversed(_entries(request, "X-Forwarded-For")):
        address = _address(entry)
        if address is None or not _is_among(client, proxies):
            break
        client = str(address)
    return client
