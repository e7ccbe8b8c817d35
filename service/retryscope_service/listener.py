"""Listening for HTTP: how many connections, for how long, and what answers a request that is none.

aiohttp hands a request that its parser refuses to no middleware: it answers with plain text and logs a stack
trace, in which the raw header is.
"""

import asyncio
import errno
import heapq
import logging
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any, Final

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from retryscope.adapters.aiohttp_server import count_refused
from retryscope_service.api.problems import CONTENT_TYPE, Problem

KEEP_ALIVE_SECONDS: Final = 75.0
"""How long a connection may be idle between two requests: longer than reverse proxies keep theirs."""
HEAD_SECONDS: Final = 15.0
"""How long a client may take for the head of a request, and to begin with its first one."""
UNFINISHED_SECONDS: Final = 2.0
"""How long a shutdown waits, after the runs, for requests that are still being sent or answered."""
MAX_TARGET_BYTES: Final = 8_000
"""Of a request's target; RFC 9110 asks for no less."""
MAX_FIELD_BYTES: Final = 8_190
"""Of a header, with its name."""
RESERVED_FILES: Final = 40
"""Files that a process needs beside its connections; at least a quarter of all."""
BACKLOG: Final = 128
EVICTED: Final = 16
"""Idle connections that are closed at once where there are too many."""
TELL_SECONDS: Final = 60.0

_log = logging.getLogger("retryscope_service")
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class AddressInUseError(Exception):
    """The port is taken, or the address is not this machine's."""


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int, max_connections: int) -> AsyncIterator[str]:
    """Serve the application; gives the base URL.

    Args:
        app: The application.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        max_connections: Open connections at a time; fewer where the process may not open so many files.

    Raises:
        AddressInUseError: The address can't be listened on.
    """
    loop = asyncio.get_running_loop()
    # A client that goes away cancels its run: aiohttp's default is to let the handler go on.
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=UNFINISHED_SECONDS)
    await runner.setup()
    assert runner.server is not None
    files = _raise_file_limit(2 * max_connections)
    spare = max(RESERVED_FILES, files // 4)
    connections = _Connections(runner.server, min(max_connections, max(files - spare, EVICTED)))
    if connections.limit < max_connections:
        _log.warning(
            "at most %d connections at a time, not the %d of RETRYSCOPE_MAX_CONNECTIONS:"
            " the process may open %d files (ulimit -n)",
            connections.limit,
            max_connections,
            files,
        )
    loop.set_exception_handler(connections.on_loop_error)
    try:
        server = await _listen(connections, host, port, min(BACKLOG, spare // 4))
        watch = asyncio.create_task(connections.end_late_ones())
        try:
            yield _base_url(server)
        finally:
            server.close()
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
    finally:
        loop.set_exception_handler(None)
        await runner.cleanup()


async def _listen(connections: "_Connections", host: str, port: int, backlog: int) -> asyncio.Server:
    """Accept connections; the event loop takes up to ``backlog`` of them before it does anything else."""
    try:
        loop = asyncio.get_running_loop()
        return await loop.create_server(connections.connection, host, port, backlog=backlog)
    except OSError as error:
        raise AddressInUseError(
            f"can't listen on {host}:{port}: {error.strerror or error};"
            " choose another address with --host and --port, or RETRYSCOPE_HOST and RETRYSCOPE_PORT"
            " (a worker: RETRYSCOPE_WORKER_PORT)"
        ) from error


def _base_url(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _raise_file_limit(wanted: int) -> int:
    """How many files this process may open now: as many as are wanted, if the hard limit lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(soft, most)


class _Connections:
    """All open connections.

    Where there are too many, those that have been silent longest make room; where all of them are busy with a
    request, a further one is answered 503.
    """

    def __init__(self, server: web.Server, limit: int) -> None:
        self.limit = limit
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._handler: Handler = server.request_handler
        self._open: set[_Connection] = set()
        self._told = -TELL_SECONDS
        server.request_handler = self._handle

    def connection(self) -> "_Connection":
        """The protocol of a new connection."""
        return _Connection(self._server, self, self._loop)

    def add(self, connection: "_Connection") -> None:
        """It has been accepted."""
        self._open.add(connection)
        if len(self._open) > self.limit:
            self._tell(
                "%d connections are open (RETRYSCOPE_MAX_CONNECTIONS): idle ones make room", self.limit
            )
            connection.surplus = not self._make_room()

    def remove(self, connection: "_Connection") -> None:
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
        assert isinstance(connection, _Connection)
        if connection.surplus:
            detail = "All connections are busy; RETRYSCOPE_MAX_CONNECTIONS sets how many there are."
            problem = Problem(
                503, "too-many-connections", "Too many connections", detail, headers={"Retry-After": "1"}
            )
            return _refuse(request, problem)
        if request.headers.get("Expect", "100-continue").strip().lower() not in ("", "100-continue"):
            detail = "The only expectation that is met is 100-continue."
            return _refuse(request, Problem(417, "expectation-failed", "Expectation failed", detail))
        return await self._handler(request)


_NO_MORE_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class _Connection(web.RequestHandler):
    """One connection.

    Attributes:
        heard: When something came last.
        surplus: There was no room for it.
    """

    __slots__ = ("_connections", "_head_begun", "_head_since", "_newest_body", "heard", "surplus")

    def __init__(
        self, server: web.Server, connections: _Connections, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            access_log=None,  # type: ignore[arg-type]
            max_line_size=MAX_TARGET_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            auto_decompress=False,
        )
        self._connections = connections
        self._head_begun = False
        self._head_since: float | None = loop.time()
        self._newest_body: StreamReader | None = None
        self.heard = loop.time()
        self.surplus = False

    @property
    def waiting(self) -> bool:
        """It waits for a request, or for the rest of its head."""
        return self._waiter is not None and not self._waiter.done()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if data:
            self.heard = self._loop.time()
        super().data_received(data)
        self._head_begun = self.waiting
        if not self._head_begun:
            self._head_since = None
        elif self._head_since is None:
            self._head_since = self.heard
        if self._messages:
            self._end_broken_body()

    def _end_broken_body(self) -> None:
        """Tell who reads a body that it is malformed.

        aiohttp only queues an error; what is queued behind a body that has no end can be nothing else.
        """
        bodies = [self._newest_body, *(body for _, body in self._messages)]
        for body in bodies[:-1]:
            if body is not None and not body.is_eof() and body.exception() is None:
                body.set_exception(web.RequestPayloadError("the body is malformed"))
        self._newest_body = bodies[-1]

    def is_late(self, now: float) -> bool:
        """The head of its next request should be here by now."""
        return self.waiting and self._head_since is not None and now >= self._head_since + HEAD_SECONDS

    def end_late(self) -> None:
        """Say so, if a request has begun, and close it."""
        if self._head_begun:
            problem = Problem(
                408,
                "request-timeout",
                "Request timeout",
                f"The head was not there within {HEAD_SECONDS:g} s.",
            )
            _count(problem, self.peername[0] if self.peername else None)
            if self.transport is not None:
                self.transport.write(_raw(problem))
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refuses; its words, which repeat what was sent, are for nobody's log."""
        if isinstance(exc, HttpProcessingError):
            return _refuse(request, _problem(exc))
        super().handle_error(request, status, exc, message)
        detail = "The service has a bug; its log has the details."
        return _response(request, Problem(500, "internal-error", "Internal error", detail))

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """aiohttp reads the rest of a body after the answer, and calls a broken one a bug."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)


def _problem(error: HttpProcessingError) -> Problem:
    if isinstance(error, LineTooLong) and error.args[1] == MAX_TARGET_BYTES:
        return Problem(
            414, "uri-too-long", "URI too long", f"The target is longer than {MAX_TARGET_BYTES} bytes."
        )
    if isinstance(error, LineTooLong) or error.message.startswith("Too many headers"):
        return Problem(
            431,
            "request-header-fields-too-large",
            "Request header fields too large",
            f"A header is longer than {MAX_FIELD_BYTES} bytes, or there are too many.",
        )
    return Problem(
        400,
        "malformed-request",
        "Malformed request",
        "This is no HTTP/1.1 request; often the Host header is missing, a header has a blank before its colon"
        " or a control character in it, or it was meant for a port with TLS.",
    )


def _refuse(request: web.BaseRequest, problem: Problem) -> web.Response:
    _count(problem, request.remote)
    return _response(request, problem)


def _response(request: web.BaseRequest, problem: Problem) -> web.Response:
    response = problem.response(request)
    response.force_close()
    return response


def _count(problem: Problem, remote: object) -> None:
    count_refused(problem.status)
    _log.info("refused a request from %s: %d %s", remote, problem.status, problem.title)


def _raw(problem: Problem) -> bytes:
    """The response to a request that has no end."""
    body = problem.document("/")
    head = (
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
        f"Content-Type: {CONTENT_TYPE}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join((*head, "", "")).encode() + body
