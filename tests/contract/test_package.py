"""The wheel that users install: its content, the library alone, and the service, in fresh environments."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import time
import venv
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.conftest import ROOT

START_LIMIT = 30.0
STOP_LIMIT = 15.0


def outside_environment() -> dict[str, str]:
    """The environment without what would let a process see the checkout, or configure the service."""
    hidden = ("COV_", "COVERAGE_", "MAKE", "OTEL_", "PYTEST_", "PYTHON", "RETRYSCOPE_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=outside_environment(),
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def build(target: str, source: Path, into: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", into, cwd=source)
    (built,) = into.iterdir()
    return built


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


SHIPPED = ("deploy/alertmanager/", "deploy/prometheus/", "docs/runbook.md")
"""What the service reads at run time besides its own package; `service/shipped.py` finds it."""


def test_the_wheel_holds_the_two_packages_what_the_service_reads_and_nothing_else(
    wheel: Path, files: list[Path]
) -> None:
    names = {str(path.relative_to(ROOT)) for path in files}
    sources = {name for name in names if name.startswith(("instrumentation/", "service/"))}
    shipped = {f"service/_shipped/{name}" for name in names if name.startswith(SHIPPED)}
    packaged = {name for name in contents(wheel) if ".dist-info/" not in name}
    assert packaged == sources | shipped
    assert {"instrumentation/py.typed", "service/cli/__init__.py", "service/slo/slo.yml"} <= sources
    assert len(shipped) >= len(SHIPPED)


def test_the_wheel_names_its_licence_and_its_command(wheel: Path) -> None:
    files = {name.partition(".dist-info/")[2]: data for name, data in contents(wheel).items()}
    assert files["licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
    assert files["entry_points.txt"].decode() == "[console_scripts]\nretryscope = service.cli:main\n"
    assert b"\nLicense-Expression: Apache-2.0\n" in files["METADATA"]


def test_the_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = build("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (source,) = (tmp_path / "unpacked").iterdir()
    assert contents(build("wheel", source, tmp_path / "wheel")) == contents(wheel)


@pytest.fixture(scope="module")
def library_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`pip install retryscope`, at the versions of the lock."""
    folder = tmp_path_factory.mktemp("library")
    pins = re.findall(r"^\S+==[^\\\n]+", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    (folder / "versions").write_text("\n".join(pins))
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "-qq", "-c", folder / "versions", wheel, cwd=folder)
    return environment


def test_the_library_alone_imports_without_what_the_service_needs(
    library_environment: Path, tmp_path: Path
) -> None:
    program = (
        "import importlib.util, instrumentation as i; print(i.__file__, importlib.util.find_spec('aiohttp'))"
    )
    file, aiohttp = run(library_environment / "bin" / "python", "-c", program, cwd=tmp_path).split()
    assert Path(file).is_relative_to(library_environment)
    assert aiohttp == "None"


def test_the_command_without_the_extra_says_what_to_install(
    library_environment: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [library_environment / "bin" / "retryscope", "serve"],
        cwd=tmp_path,
        env=outside_environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=START_LIMIT,
    )
    assert done.returncode not in {0, -signal.SIGKILL}
    assert "retryscope[service]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def service_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make run` installs, but from the wheel."""
    folder = tmp_path_factory.mktemp("service")
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    pip = (environment / "bin" / "python", "-m", "pip", "install", "-qq")
    run(*pip, "--require-hashes", "-r", ROOT / "requirements.lock", cwd=folder)
    run(*pip, "--no-deps", wheel, cwd=folder)
    return environment


def test_the_help_of_the_command_names_its_commands(service_environment: Path, tmp_path: Path) -> None:
    assert "serve" in run(service_environment / "bin" / "retryscope", "--help", cwd=tmp_path)


class Service:
    """A `retryscope serve` of our own, on a free port."""

    def __init__(self, command: Path, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.output = folder / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [command, "serve", "--port", str(self.port)],
                cwd=folder,
                env=outside_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json"} if sent else {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end:
            assert self.process.poll() is None, f"it ended:\n{self.output.read_text()}"
            try:
                if self.call("GET", "/health/ready")[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        pytest.fail(f"not ready after {START_LIMIT} s:\n{self.output.read_text()}")

    def text(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_LIMIT)


@pytest.fixture
def service(service_environment: Path, tmp_path: Path) -> Iterator[Service]:
    started = Service(service_environment / "bin" / "retryscope", tmp_path)
    try:
        started.wait_until_ready()
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.wait()


def test_the_installed_service_runs_a_workflow_and_ends_on_sigterm(service: Service) -> None:
    status, answer = service.call("POST", "/workflows/retry", {"failure_rate": 0, "time_scale": 0.01})
    assert status == 200
    assert (answer["workflow"], answer["outcome"]) == ("retry", "success")
    assert answer["counts"] == {"succeeded": 1, "failed": 0, "timed_out": 0, "cancelled": 0}
    assert re.fullmatch("[0-9a-f]{32}", answer["trace_id"])
    assert service.stop() == 0, service.output.read_text()


def test_the_installed_service_has_its_runbook(service: Service) -> None:
    assert 'id="failurebudgetburn"' in service.text("/docs/runbook")


def test_the_installed_command_prints_the_rules(service_environment: Path, tmp_path: Path) -> None:
    """Those that are committed, from the definition in the wheel."""
    rules = run(service_environment / "bin" / "retryscope", "rules", cwd=tmp_path)
    assert rules == (ROOT / "deploy/prometheus/rules/retryscope.yml").read_text()


def test_the_installed_command_starts_prometheus_and_alertmanager(
    service: Service, service_environment: Path, tmp_path: Path, system_tool: Callable[[str], Path]
) -> None:
    """With the configuration in the wheel."""
    for tool in ("prometheus", "prometheus-alertmanager"):
        system_tool(tool)
    command = service_environment / "bin" / "retryscope"
    ports = ("--prometheus-port", "0", "--alertmanager-port", "0")
    with subprocess.Popen(
        [command, "stack", "--url", f"http://127.0.0.1:{service.port}", *ports],
        cwd=tmp_path,
        env=outside_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as stack:
        assert stack.stderr is not None
        try:
            first = stack.stderr.readline()
            stack.send_signal(signal.SIGINT)
            rest = stack.communicate(timeout=START_LIMIT)[1]
        finally:
            stack.kill()
    assert first.startswith("Prometheus and Alertmanager watch"), first + rest
    assert stack.returncode == 0, rest
