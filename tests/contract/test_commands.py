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
DEVELOPMENT = {"test", "lint", "generate", "screenshots", "tools", "bench", "lock", "clean", "help"}
COMMANDS = SERVICE | DEVELOPMENT


class Machine:
    """A PATH that holds nothing but what a test puts there, and a record of the stand-ins called."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bin"
        self.record = folder / "calls"
        self.path.mkdir()
        self.record.touch()
        for tool in ("bash", "dirname", "env"):
            found = shutil.which(tool)
            assert found
            (self.path / tool).symlink_to(found)

    def add(self, name: str, script: str) -> None:
        (self.path / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.path / name).chmod(0o755)

    def add_recorded(self, name: str, then: str = "exit 0") -> None:
        line = f'echo "{name} $* CI=$CI DEBIAN_FRONTEND=$DEBIAN_FRONTEND" >> {self.record}'
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
        assert set(re.findall(r"^  make (\w+) +\S", text, re.MULTILINE)) == COMMANDS
        assert make() == text

    @pytest.mark.parametrize("command", sorted(COMMANDS))
    def test_every_command_that_help_lists_can_be_made(self, command: str, make: Callable[..., str]) -> None:
        assert make("--dry-run", command).strip()

    def test_arguments_are_passed_on_to_the_service(self, make: Callable[..., str]) -> None:
        assert make("--dry-run", "run", "ARGS=--port 9000").endswith("retryscope serve --port 9000\n")

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


class TestCi:
    @pytest.fixture(autouse=True)
    def debian(self, machine: Machine) -> None:
        machine.add_recorded("apt-get")
        machine.add("sudo", 'test "$1" = -n && shift && exec "$@"')
        machine.add_recorded("make", """test "$1" = tools || { echo '3 passed'; exit 7; }""")
        machine.add("git", "exit 0")

    def test_runs_make_test_and_ends_as_it_ends(self, machine: Machine) -> None:
        machine.add_python()
        for tool in ("chromium", "prometheus", "prometheus-alertmanager", "redis-server"):
            machine.add(tool, "exit 0")
        result = machine.run(".ci/run")
        assert (result.returncode, result.stdout) == (7, "3 passed\n")
        assert machine.calls == [f"make {each} CI=true DEBIAN_FRONTEND=" for each in ("tools", "test")]

    def test_installs_what_is_missing_first(self, machine: Machine) -> None:
        machine.add_python_without_venv()
        result = machine.run(".ci/run", CI="1")
        assert result.returncode == 7
        update, install, newer, test = machine.calls
        assert update.startswith("apt-get update ")
        assert install.startswith("apt-get install --yes ")
        tools = "chromium prometheus prometheus-alertmanager redis-server fonts-dejavu-core"
        assert f" {tools} python3 python3-venv " in install
        assert install.endswith("DEBIAN_FRONTEND=noninteractive")
        assert newer.startswith("make tools CI=1 ")
        assert test.startswith("make test CI=1 ")

    def test_stops_when_a_newer_tool_cannot_be_had(self, machine: Machine) -> None:
        machine.add_python()
        machine.add_recorded("make", "exit 2")
        assert machine.run(".ci/run").returncode == 2
        assert machine.calls[-1].startswith("make tools ")

    def test_stops_when_a_tool_cannot_be_installed(self, machine: Machine) -> None:
        machine.add_python()
        machine.add_recorded("apt-get", "exit 100")
        assert machine.run(".ci/run").returncode == 100
        assert [call.split()[0] for call in machine.calls] == ["apt-get"]
