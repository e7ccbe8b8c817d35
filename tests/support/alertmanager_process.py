"""A real Alertmanager, and a webhook that keeps what it delivers."""

import http.client
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.otlp_receiver import reserved_port
from tests.support.polling import LIMIT, wait_until


class Webhook:
    """An address that takes notifications.

    Attributes:
        received: Authorization header and body of each request, in order.
    """

    def __init__(self) -> None:
        self.received: list[tuple[str | None, bytes]] = []
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((self.headers["Authorization"], body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="webhook")
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def alerts(self) -> list[Any]:
        """All alerts of all notifications."""
        return [alert for _, body in self.received for alert in json.loads(body)["alerts"]]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Alertmanager:
    """A running Alertmanager; everything it writes is in ``folder``."""

    def __init__(self, program: Path, folder: Path, port: int, config: Path) -> None:
        self.port = port
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    program,
                    f"--config.file={config}",
                    f"--storage.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    "--cluster.listen-address=",
                ],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        """Wait until it takes alerts."""

        def ready() -> bool:
            assert self.process.poll() is None, f"alertmanager ended: {self._log.read_text()}"
            try:
                return self._call("GET", "/-/ready")[0] == 200
            except OSError:
                return False

        wait_until(ready, "alertmanager is ready")

    def fire(self, *alerts: dict[str, str], annotations: dict[str, str] | None = None) -> None:
        """Have alerts with these labels fire, as Prometheus would."""
        now = datetime.now(UTC)
        body = [
            {
                "labels": labels,
                "annotations": annotations or {},
                "startsAt": now.isoformat(),
                "endsAt": (now + timedelta(hours=1)).isoformat(),
            }
            for labels in alerts
        ]
        status, answer = self._call("POST", "/api/v2/alerts", body)
        assert status == 200, answer

    def states(self) -> list[tuple[dict[str, str], str]]:
        """Labels and state of each alert: unprocessed, active or suppressed."""
        status, answer = self._call("GET", f"/api/v2/alerts?{urlencode({'inhibited': 'true'})}")
        assert status == 200, answer
        return [(alert["labels"], alert["status"]["state"]) for alert in json.loads(answer)]

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(LIMIT)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait(LIMIT)


@contextmanager
def alertmanager(program: Path, folder: Path, config: Path) -> Iterator[Alertmanager]:
    """An Alertmanager that runs during the block."""
    folder.mkdir(parents=True, exist_ok=True)
    with reserved_port() as port:
        started = Alertmanager(program, folder, port, config)
        try:
            started.wait_until_ready()
            yield started
        finally:
            started.stop()
