"""The real service as a process of its own: starting it, talking to it, ending it, reading what it left."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.polling import LIMIT, wait_until

COMMAND = Path(sys.executable).with_name("retryscope")

SUSPICIOUS = (
    "Traceback",
    "Task was destroyed",
    "never retrieved",
    "never awaited",
    "Unclosed",
    "Warning:",
    "Fatal Python error",
    "Exception ignored",
)
"""What no output of the service may contain, whatever happens to it."""


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without what would configure the service, and with ``variables``.

    The loop is that of ``make run``, which has no uvloop beside it.
    """
    hidden = ("COV_", "COVERAGE_", "OTEL_", "PYTEST_", "PYTHON", "RETRYSCOPE_")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(hidden) and not name.lower().endswith("_proxy")
    }
    return {**inherited, "PYTHONWARNINGS": "always", "RETRYSCOPE_LOOP": "asyncio", **variables}


def traceparent(trace_id: str, *, sampled: bool = True) -> dict[str, str]:
    """The header of a request that is part of a trace."""
    return {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-{sampled:02d}"}


@dataclass(frozen=True)
class Answer:
    """A response, its JSON decoded."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Call:
    """A request that was sent; its answer is read when a test asks for it, so that many can run at once.

    Args:
        port: Where the service listens.
        method: HTTP method.
        path: Path and query.
        body: Sent as JSON.
        headers: Further headers.
        hold: Send the last byte only with :meth:`release`, so that many requests can arrive at once.
    """

    def __init__(
        self,
        port: int,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        hold: bool = False,
    ) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        all_headers = {"Content-Length": str(len(content)), **(headers or {})}
        if content:
            all_headers["Content-Type"] = "application/json"
        self._held = content[-1:] if hold else b""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
        try:
            self._connection.request(method, path, content.removesuffix(self._held), all_headers)
        except BaseException:
            self._connection.close()
            raise

    def release(self) -> None:
        """Send what was held back."""
        self._connection.send(self._held)

    def answer(self) -> Answer:
        """Wait for the answer."""
        try:
            response = self._connection.getresponse()
            text = response.read()
            is_json = "json" in (response.getheader("Content-Type") or "")
            body = json.loads(text) if is_json else text.decode()
            return Answer(response.status, dict(response.getheaders()), body)
        finally:
            self._connection.close()

    def status(self) -> int:
        """Wait for the head of the answer only, and go away: of a stream nobody knows when it ends."""
        try:
            with self._connection.getresponse() as response:
                return response.status
        finally:
            self._connection.close()

    def disconnect(self) -> None:
        """Go away without waiting for the answer."""
        self._connection.close()


class Service:
    """A running ``retryscope serve``, or ``retryscope worker``, on a free port.

    Args:
        folder: Where its output goes.
        arguments: The command and its options; by default ``serve``.
        variables: Environment variables for it.
    """

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command, *options = arguments or ("serve",)
        self.name = folder.name
        self._is_worker = command == "worker"
        self._stdout = folder / "stdout"
        self._stderr = folder / "stderr"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [COMMAND, command, "--port", "0", *options],
                cwd=folder,
                env=environment(**variables),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,  # a Ctrl-C at the terminal is for the tests, which end it then
            )
        self.port = 0

    def wait_until_ready(self) -> None:
        """Wait until it has printed its address and takes runs."""

        def announced() -> re.Match[str] | None:
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.output}"
            return re.search(r"(?:listens|/health) on http://127\.0\.0\.1:(\d+)\s", self.stderr)

        self.port = int(wait_until(announced, "the service prints its address")[1])
        assert self.get("/health/ready").status == 200

    # Talking to it

    def call(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Call:
        """Send a request without waiting for the answer."""
        return Call(self.port, method, path, body, headers)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET and wait for the answer."""
        return self.call("GET", path, headers=headers).answer()

    def start_run(self, workflow: str, **params: object) -> Call:
        """Start a workflow without waiting for it."""
        return self.call("POST", f"/workflows/{workflow}", params)

    def start_traced_run(self, trace_id: str, workflow: str, **params: object) -> Call:
        """Start a workflow as part of a trace of ours, without waiting for it."""
        return self.call("POST", f"/workflows/{workflow}", params, traceparent(trace_id))

    def run(self, workflow: str, **params: object) -> Answer:
        """Run a workflow to its end."""
        return self.start_run(workflow, **params).answer()

    def trace(self, trace_id: str) -> Any:
        """A trace as OTLP JSON."""
        answer = self.get(f"/traces/{trace_id}")
        assert answer.status == 200, answer
        return answer.body

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all series of that name that have these labels."""
        text = self.get("/metrics").body
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def runs_in_flight(self) -> int:
        """Runs in flight, of a service that is ready."""
        return int(self.get("/health/ready").body["runs_in_flight"])

    def wait_for_runs_in_flight(self, number: int) -> None:
        """Wait until exactly so many runs are in flight."""
        wait_until(lambda: self.runs_in_flight() == number, f"{number} runs are in flight")

    def memory(self) -> float:
        """Megabytes that it has in memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    # Ending it

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, limit: float = LIMIT) -> int:
        """Wait until it has ended, and check what it printed."""
        status = self.process.wait(limit)
        self.check_output()
        return status

    def stop(self) -> None:
        """End it as an init system would; it must end well."""
        self.signal()
        status = self.wait()
        assert status == 0, f"it ended with {status}: {self.output}"

    def kill(self) -> None:
        """End it whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(LIMIT)

    # What it printed

    @property
    def stderr(self) -> str:
        """What it printed for people."""
        return self._stderr.read_text()

    @property
    def output(self) -> str:
        """All that it printed."""
        return f"\n{self.stderr}{self._stdout.read_text()}"

    @property
    def logs(self) -> list[dict[str, Any]]:
        """Its log so far; every complete line must be JSON."""
        lines = self._stdout.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def messages(self, level: str) -> list[str]:
        """The messages of one level so far."""
        return [line["message"] for line in self.logs if line["level"] == level]

    def check_output(self) -> None:
        """Nothing was printed that should not be there."""
        output = self.output
        assert [words for words in SUSPICIOUS if words in output] == [], output
        if self._is_worker:
            assert re.fullmatch(r"Retryscope worker; \S+ and \S+ on \S+\n", self.stderr), output
        else:
            assert self.stderr.count("Retryscope listens on") == 1, output
            assert re.search(r"In a browser: http://\S+/\Z", self.stderr.rstrip()), output
        for line in self.logs:
            assert {"timestamp", "level", "logger", "message", "service.name"} <= line.keys(), line


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    status: int
    stdout: str
    stderr: str


def serve_in_vain(*arguments: str, command: str = "serve", **variables: str) -> Ended:
    """Run a command that must end by itself, at once, because something is wrong."""
    ended = subprocess.run(
        [COMMAND, command, *arguments],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=LIMIT,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)
