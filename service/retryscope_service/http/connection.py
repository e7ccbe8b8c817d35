"""One connection: when it is silent, late, or broken.

aiohttp hands a request that its parser refuses to no middleware: it answers with plain text and logs a stack
trace, in which the raw header is.
"""

import asyncio
from typing import Any, Final, Protocol

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from retryscope_service.http.problems import Problem
from retryscope_service.http.refusal import (
    MAX_FIELD_BYTES,
    MAX_TARGET_BYTES,
    closing,
    note,
    problem_of_parser,
    raw,
    refuse,
)

KEEP_ALIVE_SECONDS: Final = 75.0
"""How long a connection may be idle between two requests: longer than reverse proxies keep theirs."""
HEAD_SECONDS: Final = 15.0
"""How long a client may take for the head of a request, and to begin with its first one."""


class Holder(Protocol):
    """Who has to know of the connections that are open.

    Attributes:
        counted: Whether refused requests count as those of the API.
    """

    counted: bool

    def add(self, connection: "Connection") -> None:
        """It has been accepted."""

    def remove(self, connection: "Connection") -> None:
        """It is closed."""


class Connection(web.RequestHandler):
    """One connection.

    Attributes:
        heard: When something came last.
        surplus: There was no room for it.
    """

    __slots__ = ("_head_begun", "_head_since", "_holder", "_newest_body", "heard", "surplus")

    def __init__(self, server: web.Server, holder: Holder, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            access_log=None,  # type: ignore[arg-type]
            max_line_size=MAX_TARGET_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            auto_decompress=False,
        )
        self._holder = holder
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
        self._holder.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._holder.remove(self)
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
            remote = self.peername[0] if self.peername else None
            note(problem, remote, counted=self._holder.counted)
            if self.transport is not None:
                self.transport.write(raw(problem))
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
            return refuse(request, problem_of_parser(exc), counted=self._holder.counted)
        super().handle_error(request, status, exc, message)
        detail = "The service has a bug; its log has the details."
        return closing(request, Problem(500, "internal-error", "Internal error", detail))

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """aiohttp reads the rest of a body after the answer, and calls a broken one a bug."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)
