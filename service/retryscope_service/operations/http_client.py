"""The one HTTP client of a process: it calls only what it may, wherever names and redirects lead."""

import socket
from typing import Final

import aiohttp
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from aiohttp.abc import AbstractResolver, ResolveResult

from retryscope.adapters.aiohttp_client import client_middleware
from retryscope_service.targets import AllowedTargets, HostNotAllowedError

MAX_CONNECTIONS: Final = 200
"""At the same time; further requests wait for one, within their limit for connecting."""


class CheckedResolver(AbstractResolver):
    """Gives out addresses that were looked at: the connector connects to them, and asks nobody again.

    Args:
        targets: What may be called.
        resolver: Whom it asks.
    """

    def __init__(self, targets: AllowedTargets, resolver: AbstractResolver) -> None:
        self._targets = targets
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            HostNotAllowedError: One of them is of the inside.
        """
        results = await self._resolver.resolve(host, port, family)
        for result in results:
            self._targets.check_address(host, port, result["host"])
        return results

    async def close(self) -> None:
        """Close the other one."""
        await self._resolver.close()


def client(targets: AllowedTargets, resolver: AbstractResolver | None = None) -> aiohttp.ClientSession:
    """A client that calls only these; to be closed.

    It keeps no cookies, sends no credentials, obeys no proxy of the environment, and resends nothing by
    itself: whoever wants another attempt makes it, where it is counted.

    Args:
        targets: What may be called.
        resolver: Whom to ask for addresses; by default the system, in threads.
    """
    connector = aiohttp.TCPConnector(
        limit=MAX_CONNECTIONS,
        resolver=CheckedResolver(targets, resolver or aiohttp.ThreadedResolver()),
        use_dns_cache=False,  # a look-up for each connection, and each is checked
    )
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity", "User-Agent": "retryscope"},
        auto_decompress=False,  # a body is as long as it is sent, whatever it might unfold to
        trust_env=False,
        # A request that may not be sent has no span, as it is none.
        middlewares=(_only(targets), client_middleware()),
    )
    session._retry_connection = False
    return session


def _only(targets: AllowedTargets) -> ClientMiddlewareType:
    """A middleware that each hop of a redirect passes, with the very URL that is connected to."""

    async def check(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        targets.check(request.url)
        if aiohttp.hdrs.AUTHORIZATION in request.headers:  # of a redirect, whose URL has it no more
            raise HostNotAllowedError("a redirect that names a user is not followed")
        return await handler(request)

    return check
