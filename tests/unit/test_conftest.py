"""The helpers of tests/conftest.py: a check that is skipped silently is no check."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from retryscope_service.api.openapi import openapi_document
from tests.conftest import ROOT
from tests.support.polling import LIMIT
from tests.support.process import environment

MISSING = "no-such-program"


def pytest_on(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Another pytest, in that folder; its conftest.py may import ours."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *arguments],
        cwd=folder,
        env=environment(PYTHONPATH=str(ROOT)),
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )


def operations() -> list[str]:
    """Of the API, but for the stream, whose answer does not end."""
    paths = openapi_document(version("retryscope"))["paths"]
    return [method for path, methods in paths.items() if path != "/console/stream" for method in methods]


def test_a_system_tool_that_is_there_is_returned_as_a_path(system_tool: Callable[[str], Path]) -> None:
    assert system_tool("sh").name == "sh"


def test_a_missing_system_tool_skips_and_says_what_to_install(
    system_tool: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=f"apt-get install {MISSING}"):
        system_tool(MISSING)


def test_a_missing_system_tool_fails_in_ci(
    system_tool: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=MISSING):
        system_tool(MISSING)


@pytest.mark.parametrize("processes", ["0", "1"])
def test_signals_that_whoever_started_the_suite_ignores_are_heard_by_what_it_starts(processes: str) -> None:
    """As in a job that a shell runs in the background; here in this process and in one of pytest-xdist."""
    file = "tests/unit/retryscope_service/cli/test_main.py"
    ctrl_c = f"{file}::test_ctrl_c_while_it_starts_ends_it_without_a_traceback"
    pytest_ = f"{sys.executable} -m pytest -q -p no:cacheprovider -n {processes} {ctrl_c}"
    done = subprocess.run(
        ["/bin/sh", "-c", f"trap '' INT TERM HUP QUIT CHLD; exec {pytest_}"],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_what_a_test_leaves_behind_fails_it(tmp_path: Path) -> None:
    """Each of these; the tests after it would depend on it."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import _the_process_is_left_as_it_was as _\n")
    (tmp_path / "test_it.py").write_text(
        "import logging, os, pytest, signal\n"
        "@pytest.mark.parametrize('leave', [\n"
        "    lambda: os.environ.update(LEFT='behind'),\n"
        "    lambda: os.environ.pop('PATH'),\n"
        "    lambda: os.chdir('/'),\n"
        "    lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),\n"
        "    lambda: logging.getLogger('retryscope_service').setLevel(7),\n"
        "    lambda: logging.getLogger().addHandler(logging.NullHandler()),\n"
        "])\n"
        "def test_it(leave): leave()\n"
        "def test_nothing(): pass\n"
    )
    done = pytest_on(tmp_path)
    assert "7 passed, 6 errors" in done.stdout, done.stdout + done.stderr


def test_each_operation_of_the_api_is_a_test_of_its_own() -> None:
    """Under one id pytest-xdist ran one of them, and nobody saw that the others did not run."""
    listed = pytest_on(ROOT, "tests/integration/test_openapi.py", "--collect-only").stdout.splitlines()
    tests = [line for line in listed if "::test_every_answer_is_documented[" in line]
    assert len(tests) == len(set(tests)) == len(operations())


def test_tests_that_share_an_id_are_refused(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests.conftest import give_ids_of_their_own\n"
        "def pytest_collection_modifyitems(items):\n"
        "    items.append(items[0])\n"
        "    give_ids_of_their_own(items)\n"
    )
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n")
    done = pytest_on(tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "several tests share an id, of which pytest-xdist runs one: ['test_it.py::test_it']" in done.stderr


async def test_the_option_eager_tasks_reaches_the_loop(pytestconfig: pytest.Config) -> None:
    """With --eager-tasks a task runs up to its first await inside create_task, without it not at all."""
    steps = []

    async def child() -> None:
        steps.append("child")

    task = asyncio.create_task(child())
    steps.append("parent")
    await task
    eager = bool(pytestconfig.getoption("--eager-tasks"))
    assert steps == (["child", "parent"] if eager else ["parent", "child"])


async def test_asyncio_debug_mode_reaches_the_loop() -> None:
    """`make test` runs the unit tests once with PYTHONASYNCIODEBUG=1."""
    asked_for = sys.flags.dev_mode or bool(os.environ.get("PYTHONASYNCIODEBUG"))
    assert asyncio.get_running_loop().get_debug() == asked_for
