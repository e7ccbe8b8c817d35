"""All open connections: how many there may be, and which make room."""

import asyncio
import errno
import heapq
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from retryscope_service.http.connection import Connection
from retryscope_service.http.problems import Problem
from retryscope_service.http.refusal import refuse

EVICTED: Final = 16
"""Idle connections that are closed at once where there are too many."""
TELL_SECONDS: Final = 60.0
"""Between two log lines of this: each connection would write one."""
_NO_MORE_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger("retryscope_service")
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Connections:
    """All open connections.

    Where there are too many, those that have been silent longest make room; where all of them are busy with a
    request, a further one is answered 503.

    Args:
        server: What makes a protocol for each.
        limit: Most of them at a time.
        counted: Whether requests that no middleware sees count as those of the API.
    """

    def __init__(self, server: web.Server, limit: int, *, counted: bool = True) -> None:
        self.limit = limit
        self.counted = counted
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._handler: Handler = server.request_handler
        self._open: set[Connection] = set()
        self._told = -TELL_SECONDS
        server.request_handler = self._handle

    def connection(self) -> "Connection":
        """The protocol of a new connection."""
        return Connection(self._server, self, self._loop)

    def add(self, connection: "Connection") -> None:
        """It has been accepted."""
        self._open.add(connection)
        if len(self._open) > self.limit:
            self._tell(
                "%d connections are open (RETRYSCOPE_MAX_CONNECTIONS): idle ones make room", self.limit
            )
            connection.surplus = not self._make_room()

    def remove(self, connection: "Connection") -> None:
        """It is closed."""
        self._open.discard(connection)

    async def end_late_ones(self) -> None:
        """End the connections whose next request is too slow, until cancelled."""
        while True:
            await asyncio.sleep(1)
            now = self._loop.time()
            for connection in [each for each in self._open if each.is_late(now)]:
                connection.end_late()

    def on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An event loop that can't accept a connection logs it again and again; else leave it to the loop."""
        error = context.get("exception")
        if "socket" in context and isinstance(error, OSError) and error.errno in _NO_MORE_FILES:
            self._tell("no connection can be accepted (%s): idle ones make room", error.strerror)
            self._make_room()
        else:
            loop.default_exception_handler(context)

    def _make_room(self) -> bool:
        idle = (each for each in self._open if each.waiting)
        evicted = heapq.nsmallest(EVICTED, idle, key=lambda each: each.heard)
        for each in evicted:
            self._open.discard(each)
            each.force_close()
        return bool(evicted)

    def _tell(self, message: str, *arguments: object) -> None:
        """A log line, and no more of this for a while: each connection would write one."""
        now = self._loop.time()
        if now >= self._told + TELL_SECONDS:
            self._told = now
            _log.warning(message, *arguments)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """What aiohttp, or the lack of room, answers before any middleware; else leave it to them."""
        connection = request.protocol
        assert isinstance(connection, Connection)
        if connection.surplus:
            detail = "All connections are busy; RETRYSCOPE_MAX_CONNECTIONS sets how many there are."
            problem = Problem(
                503, "too-many-connections", "Too many connections", detail, headers={"Retry-After": "1"}
            )
            return refuse(request, problem, counted=self.counted)
        if request.headers.get("Expect", "100-continue").strip().lower() not in ("", "100-continue"):
            detail = "The only expectation that is met is 100-continue."
            problem = Problem(417, "expectation-failed", "Expectation failed", detail)
            return refuse(request, problem, counted=self.counted)
        return await self._handler(request)
