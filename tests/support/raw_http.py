"""HTTP byte by byte: requests that no client would send, and whatever comes back."""

import http.client
import json
import socket
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tests.support.polling import LIMIT


@dataclass(frozen=True)
class RawAnswer:
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def content_type(self) -> str:
        """Without its parameters."""
        return self.headers.get_content_type()

    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)


def connect(port: int, limit: float = LIMIT) -> socket.socket:
    """A connection to the service on this machine."""
    return socket.create_connection(("127.0.0.1", port), timeout=limit)


def read_answer(connection: socket.socket, method: str = "GET") -> RawAnswer | None:
    """The next response; None where the server has closed the connection without one."""
    with closing(http.client.HTTPResponse(connection, method=method)) as response:
        try:
            response.begin()
            return RawAnswer(response.status, response.headers, response.read())
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return None


def exchange(port: int, sent: bytes, *, method: str = "GET") -> RawAnswer | None:
    """Send these bytes on a connection of their own, and read the first response."""
    with connect(port) as connection:
        connection.sendall(sent)
        return read_answer(connection, method)


def hang_up(port: int, sent: bytes) -> None:
    """Send these bytes, and go away without waiting."""
    with connect(port) as connection:
        connection.sendall(sent)
