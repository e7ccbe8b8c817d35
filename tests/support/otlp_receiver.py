"""A collector of our own: takes OTLP over HTTP as asked, or refuses, dawdles, hangs."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.support.polling import wait_until
from tests.support.spans import SpanData, from_protobuf


class OtlpReceiver:
    """An OTLP/HTTP endpoint for traces on a thread of its own.

    Attributes:
        status: What it answers; only with 200 it keeps what it was sent.
        delay: Seconds that it takes for each answer.
        requests: Requests so far, refused ones included.
    """

    def __init__(self, port: int = 0) -> None:
        self.status = 200
        self.delay = 0.0
        self.requests = 0
        self._batches: list[ExportTraceServiceRequest] = []
        self._lock = threading.Lock()
        self._may_answer = threading.Event()
        self._may_answer.set()
        self._gone = threading.Event()
        self._answering = 0
        self._connections: set[socket.socket] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="otlp-receiver")
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What OTEL_EXPORTER_OTLP_ENDPOINT has to be."""
        return f"http://127.0.0.1:{self.port}"

    def hang(self) -> None:
        """Take requests, and don't answer them until :meth:`go_on`."""
        self._may_answer.clear()

    def go_on(self) -> None:
        """Answer again."""
        self._may_answer.set()

    def spans(self) -> list[SpanData]:
        """Every span received."""
        with self._lock:
            return [span for batch in self._batches for span in from_protobuf(batch)]

    def trace(self, trace_id: str) -> list[SpanData]:
        """The spans of one trace received so far."""
        return [span for span in self.spans() if span.trace_id == trace_id]

    def wait_for(self, name: str, trace_id: str) -> list[SpanData]:
        """Wait for a span of that name, the last of its trace to end, and return the trace."""

        def arrived() -> list[SpanData]:
            spans = self.trace(trace_id)
            return spans if any(span.name == name for span in spans) else []

        return wait_until(arrived, f"{name!r} of trace {trace_id} is exported")

    def stop(self) -> None:
        """Close the port and every connection: the collector is gone."""
        self._gone.set()
        self.go_on()
        self._server.shutdown()
        self._thread.join()
        wait_until(lambda: self._answering == 0, "every request is answered")
        with self._lock:
            open_connections = list(self._connections)
        for connection in open_connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # the client was faster
                continue
        self._server.server_close()

    def _handler(receiver: "OtlpReceiver") -> type[BaseHTTPRequestHandler]:  # noqa: N805 - `self` is the handler
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                with receiver._lock:
                    receiver._connections.add(self.connection)

            def finish(self) -> None:
                with receiver._lock:
                    receiver._connections.discard(self.connection)
                try:
                    super().finish()
                except OSError:  # nobody waits for the answer any more
                    return

            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        return Handler

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        with self._lock:
            self.requests += 1
            self._answering += 1
        try:
            self._answer(request, body)
        except OSError:  # nobody waits for the answer any more
            request.close_connection = True
        finally:
            with self._lock:
                self._answering -= 1

    def _answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self._gone.wait(self.delay)
        self._may_answer.wait()
        status = self.status
        if (request.path, request.headers["Content-Type"]) != ("/v1/traces", "application/x-protobuf"):
            status = 400
        content = b""
        if status == 200:
            batch = ExportTraceServiceRequest.FromString(body)
            with self._lock:
                self._batches.append(batch)
            content = ExportTraceServiceResponse().SerializeToString()
        request.send_response(status)
        request.send_header("Content-Type", "application/x-protobuf")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


@contextmanager
def otlp_receiver(port: int = 0) -> Iterator[OtlpReceiver]:
    """A receiver that runs during the block."""
    receiver = OtlpReceiver(port)
    try:
        yield receiver
    finally:
        receiver.stop()


@contextmanager
def reserved_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections and that nobody else gets, until a test listens on it."""
    with socket.socket() as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind(("127.0.0.1", 0))
        yield int(reservation.getsockname()[1])
