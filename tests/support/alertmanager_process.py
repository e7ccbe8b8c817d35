"""A real Alertmanager, and a webhook that keeps what it delivers."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.alertmanager import AlertmanagerApi
from tests.support.ending import end
from tests.support.otlp_receiver import reserved_port
from tests.support.polling import wait_until


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


class Alertmanager(AlertmanagerApi):
    """A running Alertmanager; everything it writes is in ``folder``."""

    def __init__(self, program: Path, folder: Path, port: int, config: Path) -> None:
        super().__init__(port)
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

    @property
    def log(self) -> str:
        """What it printed."""
        return self._log.read_text()

    def wait_until_ready(self) -> None:
        """Wait until it takes alerts."""

        def ready() -> bool:
            assert self.process.poll() is None, f"alertmanager ended: {self.log}"
            try:
                return self.call("GET", "/-/ready")[0] == 200
            except OSError:
                return False

        wait_until(ready, "alertmanager is ready")

    def stop(self) -> None:
        """End it."""
        end(self.process)


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
            sys.stdout.write(started.log)  # pytest shows it where the test fails
