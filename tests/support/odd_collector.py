"""A collector that answers with any bytes whatever, and with as many as are asked for."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PROTOBUF = "Content-Type: application/x-protobuf"
BUFFERED = 4_000_000
"""What the sockets of both ends may hold of an answer that nobody reads."""


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    """An answer of HTTP."""
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""])
    return head.encode("latin-1") + body


class Collector:
    """Answers every request with the same bytes, and then with as many more as are asked for."""

    def __init__(self, data: bytes, repeat: bytes = b"", times: int = 0) -> None:
        self.requests = self.sent = 0
        self._data, self._repeat, self._times = data, repeat, times
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}/v1/traces"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with connection, suppress(OSError):
                    connection.settimeout(0.5)  # some clients leave a broken answer open
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65_536)
            if not piece:
                return
            received += piece
        self.requests += 1
        for data in (self._data, *(self._repeat for _ in range(self._times))):
            connection.sendall(data)
            self.sent += len(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass

    def stop(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@contextmanager
def collector(data: bytes, repeat: bytes = b"", times: int = 0) -> Iterator[Collector]:
    running = Collector(data, repeat, times)
    try:
        yield running
    finally:
        running.stop()
