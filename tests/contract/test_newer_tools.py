"""`scripts/newer-debian-tools`: tools of a newer Debian, without installing anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, find_system_tool
from tests.support.newer_tools import newer_debian_tool

NAME = "newer-debian-tools"
TOOLS = ("docker-compose", "promtool", "kubectl")


def run(top: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The script of the repository, with another folder as its top."""
    script = top / "scripts" / NAME
    if not script.exists():
        script.parent.mkdir()
        shutil.copy2(ROOT / "scripts" / NAME, script)
    return subprocess.run(
        [script],
        cwd=top,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )


def test_it_prints_where_the_tools_are_and_fetches_nothing_again() -> None:
    there = [newer_debian_tool(name) for name in TOOLS]
    before = [path.stat().st_mtime_ns for path in there]
    done = run(ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [str(path) for path in there]
    assert [path.stat().st_mtime_ns for path in there] == before


@pytest.fixture
def without_sources(tmp_path: Path) -> Path:
    """Settings for an apt that has no sources."""
    find_system_tool("apt-get")
    settings = tmp_path / "apt.conf"
    settings.write_text('Dir::Etc::SourceList "/dev/null";\nDir::Etc::SourceParts "/dev/null";\n')
    return settings


def test_without_a_debian_archive_among_the_sources_it_says_so(tmp_path: Path, without_sources: Path) -> None:
    done = run(tmp_path, APT_CONFIG=str(without_sources))
    assert (done.returncode, done.stdout) == (1, "")
    assert "no Debian archive" in done.stderr
    assert not (tmp_path / ".tools").exists()


def test_a_tool_that_is_too_old_does_not_count_as_there(tmp_path: Path, without_sources: Path) -> None:
    """Left over from an earlier version of the script, or of another machine."""
    tools = tmp_path / ".tools" / "bin"
    tools.mkdir(parents=True)
    for name, says in {
        "docker-compose": "2.40.3",
        "promtool": "promtool, version 2.42.0",
        "kubectl": "",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (tools / name).chmod(0o755)
    done = run(tmp_path, APT_CONFIG=str(without_sources))
    assert (done.returncode, done.stdout) == (1, "")
