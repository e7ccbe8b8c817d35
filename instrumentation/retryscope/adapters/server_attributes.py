"""Attributes of a server's span, by the OpenTelemetry HTTP conventions; what requests share is built once."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from retryscope import semconv
from retryscope._recording.attributes import AttributeSet, AttributesPlus
from retryscope.propagation import as_text

_MOST: Final = 1_024
"""Combinations that are remembered at once."""
_LONGEST: Final = 512
"""Characters of a client's texts; with longer ones, which it may vary at will, nothing is remembered."""


class KnownAttributes:
    """Attributes that were asked for before, encoded: a client's next request differs in little.

    Clients choose texts in them. So they are few, and short; when there are too many, those that repeat are
    soon back.
    """

    def __init__(self) -> None:
        self._requests: dict[tuple[object, ...], AttributeSet] = {}
        self._statuses: dict[int, AttributeSet] = {}

    def attributes_of(self, request: web.Request, method: str, route: str) -> AttributeSet | AttributesPlus:
        """Those that are known when a request arrives.

        Args:
            request: It.
            method: Its method, or what stands for unknown ones.
            route: The template of its route; empty without one.
        """
        host, agent, path = request.host, request.headers.get("User-Agent", ""), request.path
        # Where the template is the path, as of most routes, it is one of few.
        fixed = path == route
        key = (method, route, fixed, host, agent, request.scheme, request.version, request.remote)
        known = self._requests.get(key)
        if known is None:
            known = AttributeSet(request_attributes(request, method, route, fixed=fixed))
            if len(host) + len(agent) <= _LONGEST:
                if len(self._requests) >= _MOST:
                    self._requests.clear()
                self._requests[key] = known
        return known if fixed else known.plus(semconv.URL_PATH, as_text(path))

    def status(self, status: int) -> AttributeSet:
        """What is known when it is answered; of statuses there are at most 900."""
        known = self._statuses.get(status)
        if known is None:
            known = self._statuses[status] = AttributeSet({semconv.HTTP_RESPONSE_STATUS_CODE: status})
        return known


def request_attributes(request: web.Request, method: str, route: str, *, fixed: bool) -> dict[str, str | int]:
    """What a request has in common with those of the same client and route.

    Args:
        request: It.
        method: As :func:`retryscope.semconv.known_method` has it.
        route: The template of its route; empty without one.
        fixed: Whether the template is its path, which is then among them.
    """
    attributes: dict[str, str | int] = {semconv.HTTP_REQUEST_METHOD: method}
    if fixed:
        attributes[semconv.URL_PATH] = as_text(route)
    attributes[semconv.URL_SCHEME] = request.scheme
    attributes[semconv.NETWORK_PROTOCOL_VERSION] = f"{request.version.major}.{request.version.minor}"
    if route:
        attributes[semconv.HTTP_ROUTE] = route
    address, port = _asked_for(request)
    if address is not None:
        attributes[semconv.SERVER_ADDRESS] = as_text(address)
    if port is not None:
        attributes[semconv.SERVER_PORT] = port
    if request.remote is not None:
        attributes[semconv.CLIENT_ADDRESS] = request.remote
    if agent := request.headers.get("User-Agent"):
        attributes[semconv.USER_AGENT_ORIGINAL] = as_text(agent)
    return attributes


def _asked_for(request: web.Request) -> tuple[str | None, int | None]:
    try:
        return request.url.host, request.url.port
    except ValueError:  # the client writes the Host header, so it may be anything
        return None, None
