"""`scripts/environment`, on a project of two distributions and three packages, with an index of its own."""

import fcntl
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.chroot import need_namespaces
from tests.support.polling import LIMIT
from tests.support.wheels import lock_entry, make_wheel

SCRIPTS = ("environment", "find-python", "progress.py", "set_up.py")
PROJECT = """
[project]
name = "{name}"
version = "1.0"
dependencies = ["{needs}"]
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """
import sys, pathlib
sys.path.insert(0, {tests!r})
from tests.support.wheels import make_wheel

def build_editable(folder, config_settings=None, metadata_directory=None):
    return make_wheel(pathlib.Path(folder), {name!r}, "1.0", [{needs!r}]).name
"""
PAGE = """
import pathlib, sys
built = pathlib.Path("page")
if not built.exists():
    print("  building the page", file=sys.stderr)
    built.touch()
"""


class Project:
    """A clone with blanks and other letters in its path; its lock is of a day when `plugin` was at 1.0."""

    def __init__(self, folder: Path) -> None:
        self.top = folder / "a clone for übung & co"
        self.index = folder / "index"
        (self.top / "scripts").mkdir(parents=True)
        for name in SCRIPTS:
            shutil.copy2(ROOT / "scripts" / name, self.top / "scripts")
        (self.top / "scripts" / "build_page.py").write_text(PAGE)
        (self.top / "service").mkdir()
        for place, name, needs in ((".", "project", "framework>=1"), ("service", "daemon", "project==1.0")):
            (self.top / place / "pyproject.toml").write_text(PROJECT.format(name=name, needs=needs))
            backend = BACKEND.format(tests=str(ROOT), name=name, needs=needs)
            (self.top / place / "backend.py").write_text(backend)
        framework = self.wheel("framework", "1.0", ["plugin[fast]>=1"])
        plugin = self.wheel("plugin", "1.0", ["engine>=1; extra == 'fast'"], ["fast"])
        engine = self.wheel("engine", "1.0")
        self.lock("run", framework, plugin, engine)
        self.lock("dev", framework, plugin, engine, self.wheel("checker", "1.0"))

    def wheel(
        self, name: str, version: str, requires: Sequence[str] = (), extras: Sequence[str] = ()
    ) -> Path:
        return make_wheel(self.index, name, version, requires, extras)

    def release_all_anew(self) -> None:
        for name in ("framework", "engine", "checker", "project", "daemon", "pip", "setuptools"):
            self.wheel(name, "9999")
        self.wheel("plugin", "9999", extras=["fast"])

    def lock(self, kind: str, *wheels: Path) -> None:
        name = {"run": "requirements.lock", "dev": "requirements-dev.lock"}[kind]
        (self.top / name).write_text("".join(map(lock_entry, wheels)))

    def environment(self, **variables: str) -> dict[str, str]:
        pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.index.as_uri()}
        given = {"PATH": os.environ["PATH"], "HOME": str(self.top.parent), "PYTHON": sys.executable}
        return {**given, **pip, **variables}

    def away(self, port: int) -> dict[str, str]:
        """Variables for an index at a port of this machine instead."""
        return {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": f"http://127.0.0.1:{port}/simple"}

    def set_up(self, kind: str, *before: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*before, str(self.top / "scripts" / "environment"), kind],
            check=False,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def must_set_up(self, kind: str, **variables: str) -> list[str]:
        """The lines that it prints."""
        done = self.set_up(kind, **variables)
        assert done.returncode == 0, done.stdout
        return done.stdout.splitlines()

    @property
    def packages(self) -> Path:
        (found,) = (self.top / ".venv" / "lib").glob("python*/site-packages")
        return found

    @property
    def installed(self) -> set[str]:
        names = {path.name.removesuffix(".dist-info") for path in self.packages.glob("*.dist-info")}
        return {name for name in names if not name.startswith(("pip-", "setuptools-"))}

    @property
    def is_stamped(self) -> bool:
        return any((self.top / ".venv").glob(".stamp-*"))


RUN = {"framework-1.0", "plugin-1.0", "engine-1.0", "project-1.0", "daemon-1.0"}
DEV = RUN | {"checker-1.0"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def read_only(folder: Path) -> tuple[str, ...]:
    """What runs a command where the folder can't be written to, not even by root."""
    need_namespaces()
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(folder))


# What is installed


@dataclass(frozen=True)
class Made:
    """A set-up: what it printed, and what was there afterwards."""

    printed: list[str]
    installed: set[str]
    inodes: dict[Path, int]


@dataclass
class LaterDay:
    """Set-ups on a day when every package has a newer release, one after the other."""

    project: Project
    run: Made
    dev: Made
    again: list[str]


@pytest.fixture(scope="module")
def later_day(tmp_path_factory: pytest.TempPathFactory) -> LaterDay:
    project = Project(tmp_path_factory.mktemp("later"))
    project.release_all_anew()

    def made(kind: str) -> Made:
        printed = project.must_set_up(kind)
        inodes = {path: path.stat().st_ino for path in project.packages.iterdir()}
        return Made(printed, project.installed, inodes)

    run, dev = made("run"), made("dev")
    project.index.rename(project.index.with_name("gone"))
    return LaterDay(project, run, dev, [*project.must_set_up("run"), *project.must_set_up("dev")])


def test_newer_releases_change_nothing(later_day: LaterDay) -> None:
    """Among them one of a package that another one wants with an extra, which pip would look up anew."""
    assert later_day.run.installed == RUN
    assert later_day.dev.installed == DEV


def test_it_says_what_it_does(later_day: LaterDay) -> None:
    assert re.fullmatch(
        r"Setting up \.venv by requirements\.lock with Python 3\.\d+\.\S+ \(/.*\): takes .*",
        later_day.run.printed[0],
    )
    assert later_day.run.printed[1:] == [
        "[1/5] making .venv",
        "[2/5] installing 3 packages",
        "[3/5] installing this project",
        "[4/5] checking that all fits together",
        "[5/5] the console's page",
        "  building the page",
    ]


def test_what_tests_need_is_added_under_a_service_that_runs(later_day: LaterDay) -> None:
    assert later_day.dev.printed[1:] == [
        "[1/3] installing 4 packages",
        "[2/3] checking that all fits together",
    ]
    assert later_day.run.inodes.items() <= later_day.dev.inodes.items()


def test_what_is_done_is_not_done_again_and_nothing_is_said(later_day: LaterDay) -> None:
    """The index is gone by then."""
    assert later_day.again == []


def test_what_is_done_needs_no_folder_that_can_be_written_to(later_day: LaterDay) -> None:
    done = later_day.project.set_up("run", *read_only(later_day.project.top))
    assert (done.returncode, done.stdout) == (0, "")


def test_on_such_a_day_pip_fails_if_it_may_resolve(project: Project) -> None:
    """Otherwise newer releases would prove nothing: this is what set-up did."""
    project.release_all_anew()
    pip = (sys.executable, "-m", "pip", "install", "--target", project.top / "installed")
    done = subprocess.run(
        [*pip, "--require-hashes", "--requirement", project.top / "requirements.lock"],
        check=False,
        env=project.environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "In --require-hashes mode, all requirements must have their versions pinned" in done.stderr


def test_settings_of_the_machines_pip_and_python_change_nothing(project: Project, tmp_path: Path) -> None:
    """Neither constraints, nor an install for the user, nor a copy of a package on PYTHONPATH."""
    constraints = tmp_path / "constraints"
    constraints.write_text("plugin<1\n")
    copies = tmp_path / "copies"
    shutil.unpack_archive(project.index / "engine-1.0-py3-none-any.whl", copies, "zip")
    project.must_set_up(
        "run", PIP_CONSTRAINT=str(constraints), PIP_USER="1", PYTHONPATH=str(copies), PYTHONHOME=""
    )
    assert project.installed == RUN


# What goes wrong


def test_a_lock_whose_packages_do_not_fit_together_stops_it_and_says_what_to_do(project: Project) -> None:
    lock = (project.top / "requirements.lock").read_text()
    project.lock("run", *project.index.glob("framework*"))
    done = project.set_up("run")
    assert done.returncode == 1
    assert "framework 1.0 requires plugin, which is not installed" in done.stdout
    assert "`make lock` renews it" in done.stdout
    assert not project.is_stamped
    (project.top / "requirements.lock").write_text(lock)
    assert "[1/5] making .venv" in project.must_set_up("run")
    assert project.installed == RUN


def test_without_a_network_it_says_so_without_a_traceback(project: Project) -> None:
    with socket.socket() as closed:  # bound, so that nobody else gets the port, but not listening
        closed.bind(("127.0.0.1", 0))
        done = project.set_up("run", PIP_RETRIES="1", **project.away(closed.getsockname()[1]))
    assert done.returncode == 1
    assert "Connection refused" in done.stdout
    assert "is the network there" in done.stdout
    assert "Traceback" not in done.stdout
    assert done.stdout.count("WARNING: Retrying") == 1
    assert not project.is_stamped


def test_a_folder_that_cannot_be_written_to_is_named(project: Project) -> None:
    done = project.set_up("run", *read_only(project.top))
    assert done.returncode == 1
    assert f"error: .venv can't be made anew in {project.top}: Read-only file system" in done.stdout
    assert "Traceback" not in done.stdout


@contextmanager
def silent_index() -> Iterator[socket.socket]:
    """An index that takes a connection and says nothing: set-up is in the middle of installing then."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT)
        yield server


def start(project: Project, kind: str, index: socket.socket, output: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [project.top / "scripts" / "environment", kind],
        env=project.environment(TERM="xterm", **project.away(index.getsockname()[1])),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        # The tests may run where it is ignored, as in the background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def end(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """As a terminal does it: to all that runs there."""
    os.killpg(process.pid, number)
    process.wait(LIMIT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_an_end_in_the_middle_leaves_the_next_one_repairs(
    project: Project, number: signal.Signals, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    with silent_index() as index, output.open("wb") as file:
        process = start(project, "run", index, file.fileno())
        with index.accept()[0]:
            end(process, number)
    assert not project.is_stamped
    if number is not signal.SIGKILL:
        assert process.returncode == 128 + signal.SIGINT
        assert output.read_text().endswith(
            "\nSet-up was interrupted. The next `make run` or `make test` repairs what is half made.\n"
        )
    project.must_set_up("run")
    assert project.installed == RUN


def test_an_end_while_adding_leaves_the_service_and_the_next_one_begins_anew(
    project: Project, tmp_path: Path
) -> None:
    """A package may be half there, and pip would take it for installed."""
    project.must_set_up("run")
    with silent_index() as index, (tmp_path / "output").open("wb") as file:
        process = start(project, "dev", index, file.fileno())
        with index.accept()[0]:
            end(process, signal.SIGINT)
    assert project.must_set_up("run") == []
    assert "[1/5] making .venv" in project.must_set_up("dev")
    assert project.installed == DEV


def test_on_a_terminal_it_shows_that_it_still_goes_on(project: Project) -> None:
    ours, theirs = pty.openpty()
    shown = b""
    with silent_index() as index:
        process = start(project, "run", index, theirs)
        os.close(theirs)
        while not re.search(rb"\r\x1b\[K\[2/5\] installing 3 packages: [^\r]+  [1-9]\d* s", shown):
            shown += os.read(ours, 1000)  # ends with an error if the process has ended
        end(process, signal.SIGTERM)
    os.close(ours)
    assert b"[1/5] making .venv" in shown


def test_two_at_once_do_it_one_after_the_other(project: Project) -> None:
    folder = os.open(project.top, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with subprocess.Popen(
        [project.top / "scripts" / "environment", "run"],
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "Waiting for another command that sets up this folder ...\n"
        assert not (project.top / ".venv").exists()
        os.close(folder)
        process.stderr.read()
    assert process.returncode == 0
    assert project.installed == RUN


def test_another_word_is_refused(project: Project) -> None:
    done = project.set_up("deploy")
    assert (done.returncode, done.stdout) == (2, "usage: scripts/environment run|dev\n")
