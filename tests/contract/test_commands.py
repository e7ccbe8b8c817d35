"""The commands of the repository: make, .ci/run and the scripts behind them, run with stand-ins on PATH."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

SERVICE = {"run", "load", "stack"}
DEVELOPMENT = {
    "test",
    "lint",
    "generate",
    "screenshots",
    "dashboard-pictures",
    "tools",
    "bench",
    "mutants",
    "otel-releases",
    "peer-suites",
    "lock",
    "clean",
    "help",
}
COMMANDS = SERVICE | DEVELOPMENT


class Machine:
    """A PATH that holds nothing but what a test puts there, and a record of the stand-ins called."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bin"
        self.record = folder / "calls"
        self.path.mkdir()
        self.record.touch()
        for tool in ("bash", "dirname", "env", "mktemp", "rm"):
            found = shutil.which(tool)
            assert found
            (self.path / tool).symlink_to(found)

    def add(self, name: str, script: str) -> None:
        (self.path / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.path / name).chmod(0o755)

    def add_recorded(self, name: str, then: str = "exit 0") -> None:
        caches = "$PIP_CACHE_DIR $npm_config_cache $UV_CACHE_DIR"
        line = f'echo "{name} $* CI=$CI DEBIAN_FRONTEND=$DEBIAN_FRONTEND caches={caches}" >> {self.record}'
        self.add(name, f"{line}\n{then}")

    def add_python(self, name: str = "python3") -> None:
        self.add(name, f'exec {sys.executable} "$@"')

    def add_old_python(self, name: str = "python3") -> None:
        self.add(name, f"exec {sys.executable} -c 'import sys; sys.version_info = (3, 10); '\"$2\"")

    def add_python_without_venv(self, name: str = "python3") -> None:
        self.add(name, f'exec {sys.executable} -c \'import sys; sys.modules["ensurepip"] = None; \'"$2"')

    def run(self, script: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [ROOT / script],
            check=False,
            env={"PATH": str(self.path), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def calls(self) -> list[str]:
        return self.record.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


class TestMake:
    @pytest.fixture
    def make(self, system_tool: Callable[[str], Path]) -> Callable[..., str]:
        program = system_tool("make")
        # The tests themselves run under make: its flags are not for this one.
        inherited = {name: value for name, value in os.environ.items() if "MAKE" not in name}

        def run(*arguments: str) -> str:
            command = [str(program), *arguments]
            return subprocess.run(
                command, cwd=ROOT, env=inherited, check=True, text=True, stdout=-1, stderr=subprocess.STDOUT
            ).stdout

        return run

    def test_help_lists_every_command_and_is_the_default(self, make: Callable[..., str]) -> None:
        text = make("help")
        assert set(re.findall(r"^  make ([\w-]+) +\S", text, re.MULTILINE)) == COMMANDS
        assert make() == text

    @pytest.mark.parametrize("command", sorted(COMMANDS))
    def test_every_command_that_help_lists_can_be_made(self, command: str, make: Callable[..., str]) -> None:
        assert make("--dry-run", command).strip()

    def test_arguments_are_passed_on_to_the_service(self, make: Callable[..., str]) -> None:
        assert make("--dry-run", "run", "ARGS=--port 9000").endswith("retryscope serve --port 9000\n")

    def test_clean_removes_all_that_git_ignores(self, make: Callable[..., str]) -> None:
        """So that `.ci/run`, which begins with it, can use nothing of an earlier run."""
        removed = make("--dry-run", "clean").split()
        ignored = (ROOT / ".gitignore").read_text().splitlines()
        names = [line.strip("/") for line in ignored if not line.startswith("#") and line != "/uv.lock"]
        assert len(names) > 10
        assert [name for name in names if name not in removed] == []

    def test_generate_writes_what_is_committed(self, make: Callable[..., str]) -> None:
        """Each file that a test compares with what it is generated from."""
        text = make("--dry-run", "generate")
        assert "python -m grafana" in text
        for name in ("prometheus/rules/retryscope.yml", "kubernetes/generated/prometheusrule.yml"):
            assert re.search(rf"retryscope rules .*> deploy/{name}$", text, re.MULTILINE)
            assert (ROOT / "deploy" / name).is_file()


class TestFindPython:
    def test_takes_the_first_that_fits(self, machine: Machine) -> None:
        machine.add_old_python()
        machine.add_python_without_venv("python3.13")
        machine.add_python("python3.12")
        result = machine.run("scripts/find-python")
        assert result.returncode == 0
        assert Path(result.stdout.rstrip("\n")).samefile(getattr(sys, "_base_executable"))  # noqa: B009

    def test_a_python_that_is_asked_for_by_name_is_the_only_one_tried(self, machine: Machine) -> None:
        machine.add_python()
        machine.add_old_python("mine")
        result = machine.run("scripts/find-python", PYTHON="mine")
        assert result.returncode == 1
        assert "PYTHON=mine is missing or older than Python 3.11" in result.stdout

    def test_without_any_it_says_what_to_install(self, machine: Machine) -> None:
        result = machine.run("scripts/find-python")
        assert result.returncode == 1
        assert "apt-get install python3 python3-venv" in result.stdout

    def test_without_the_venv_module_it_says_what_to_install(self, machine: Machine) -> None:
        machine.add_python_without_venv()
        result = machine.run("scripts/find-python")
        assert result.returncode == 1
        assert "python3 lacks the modules venv and ensurepip" in result.stdout
        assert "apt-get install python3-venv" in result.stdout

    def test_its_minimum_is_that_of_the_project(self) -> None:
        minimum = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
        assert minimum
        text = (ROOT / "scripts/find-python").read_text()
        assert set(re.findall(r"version_info < \(3, (\d+)\)|older than Python 3\.(\d+)", text)) == {
            (minimum[1], ""),
            ("", minimum[1]),
        }


TOOLS = ("chromium", "nginx", "prometheus", "prometheus-alertmanager", "redis-server", "pg_ctlcluster")
STEPS = ["clean", "tools", "test"]


class TestCi:
    @pytest.fixture(autouse=True)
    def debian(self, machine: Machine) -> None:
        machine.add_recorded("apt-get")
        machine.add("sudo", 'test "$1" = -n && shift && exec "$@"')
        # Each cache is to be one that can be written to, and is not there afterwards.
        caches = '"$PIP_CACHE_DIR" "$npm_config_cache" "$UV_CACHE_DIR"'
        use = f'for cache in {caches}; do : > "$cache" || exit 9; done'
        machine.add_recorded("make", f"""{use}; test "$1" != test || {{ echo '3 passed'; exit 7; }}""")
        machine.add("git", "exit 0")

    def test_from_nothing_runs_make_test_and_ends_as_it_ends(self, machine: Machine) -> None:
        machine.add_python()
        for tool in TOOLS:
            machine.add(tool, "exit 0")
        result = machine.run(".ci/run")
        assert (result.returncode, result.stdout) == (7, "3 passed\n")
        assert [call.partition(" DEBIAN")[0] for call in machine.calls] == [
            f"make {each} CI=true" for each in STEPS
        ]

    def test_uses_caches_of_its_own_that_are_gone_afterwards(self, machine: Machine, tmp_path: Path) -> None:
        machine.add_python()
        own = {"PIP_CACHE_DIR": "/mine", "npm_config_cache": "/mine", "UV_CACHE_DIR": "/mine"}
        machine.run(".ci/run", TMPDIR=str(tmp_path), **own)
        used = [call.partition(" caches=")[2].split() for call in machine.calls if call.startswith("make ")]
        assert len(used) == len(STEPS)
        for caches in used:
            assert len(set(caches)) == len(own)
            assert all(Path(cache).is_relative_to(tmp_path) for cache in caches)
            assert [cache for cache in caches if Path(cache).parent.exists()] == []

    def test_installs_what_is_missing_first(self, machine: Machine) -> None:
        machine.add_python_without_venv()
        result = machine.run(".ci/run", CI="1")
        assert result.returncode == 7
        update, install, *steps = machine.calls
        assert update.startswith("apt-get update ")
        assert install.startswith("apt-get install --yes ")
        servers = "nginx-light prometheus prometheus-alertmanager redis-server postgresql"
        assert f" chromium {servers} fonts-dejavu-core python3 python3-venv " in install
        assert "DEBIAN_FRONTEND=noninteractive" in install
        assert [step.partition(" DEBIAN")[0] for step in steps] == [f"make {each} CI=1" for each in STEPS]

    @pytest.mark.parametrize("step", STEPS)
    def test_stops_where_a_step_fails(self, machine: Machine, step: str) -> None:
        machine.add_python()
        machine.add_recorded("make", f'test "$1" != {step} || exit 2')
        assert machine.run(".ci/run").returncode == 2
        assert machine.calls[-1].startswith(f"make {step} ")

    def test_stops_when_a_tool_cannot_be_installed(self, machine: Machine) -> None:
        machine.add_python()
        machine.add_recorded("apt-get", "exit 100")
        assert machine.run(".ci/run").returncode == 100
        assert [call.split()[0] for call in machine.calls] == ["apt-get"]
