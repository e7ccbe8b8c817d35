"""An OTLP/HTTP receiver that only counts spans, in a process of its own: ``python -m benchmarks.receiver``.

A POST to any path is counted under that path, and a GET of it answers with the count. A PUT says how it
treats a path from then on: ``slow`` keeps each request waiting for a second, ``refusing`` answers with 503,
``normal`` is as before. It prints its port, and ends when its standard input does, so that it never outlives
the benchmark.
"""

import http.client
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Receiver:
    """The receiver, seen from the process that is measured."""

    port: int

    def endpoint(self, path: str) -> str:
        """Where spans are sent that are counted under ``path``."""
        return f"http://127.0.0.1:{self.port}/{path}"

    def treat(self, path: str, how: str) -> None:
        """How requests to ``path`` are answered from now on."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("PUT", f"/{path}", how)
            connection.getresponse().read()
        finally:
            connection.close()

    def spans(self, path: str) -> int:
        """Spans that have arrived at ``path``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", f"/{path}")
            return int(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def running_receiver(port: int = 0) -> Iterator[Receiver]:
    """The receiver, on this port or any."""
    command = [sys.executable, "-m", "benchmarks.receiver", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Receiver(int(process.stdout.readline()))
        finally:
            process.stdin.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps the exporter's connection open
    counts: ClassVar[Counter[str]] = Counter()
    treatments: ClassVar[dict[str, str]] = {}
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        treatment = self.treatments.get(self.path, "normal")
        if treatment == "refusing":
            self._answer(b"", "application/x-protobuf", 503)
            return
        if treatment == "slow":
            time.sleep(1.0)
        request = ExportTraceServiceRequest.FromString(body)
        spans = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
        with self.lock:
            self.counts[self.path] += spans
        self._answer(b"", "application/x-protobuf")

    def do_PUT(self) -> None:
        self.treatments[self.path] = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer(b"", "text/plain")

    def do_GET(self) -> None:
        self._answer(str(self.counts[self.path]).encode(), "text/plain")

    def _answer(self, body: bytes, content_type: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing about requests."""


def _serve(port: int) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
