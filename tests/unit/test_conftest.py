"""The helpers of tests/conftest.py: a check that is skipped silently is no check."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MISSING = "no-such-program"


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
