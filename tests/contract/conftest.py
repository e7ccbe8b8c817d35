"""The repository as git sees it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, cannot_run


@pytest.fixture(scope="session")
def git(system_tool: Callable[[str], Path]) -> Callable[..., list[str]]:
    """Runs git in the repository and returns the NUL-separated names that it prints."""
    program = system_tool("git")
    if not (ROOT / ".git").exists():
        cannot_run("needs a git checkout")

    def run(*arguments: str) -> list[str]:
        command = [str(program), "-c", f"safe.directory={ROOT}", *arguments]
        output = subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout
        return output.split("\0")[:-1]

    return run


@pytest.fixture(scope="session")
def files(git: Callable[..., list[str]]) -> list[Path]:
    """Every file that is, or with the next commit may be, part of the repository."""
    names = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    found = [path for path in (ROOT / name for name in names) if path.is_file()]
    assert Path(__file__) in found
    return found
