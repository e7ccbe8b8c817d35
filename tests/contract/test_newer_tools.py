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


class Archive:
    """Stand-ins for apt-get and dpkg-deb: an archive whose tools need a newer C library."""

    VERSIONS = {  # noqa: RUF012
        "usr/libexec/docker/cli-plugins/docker-compose": "12.0.1",
        "usr/bin/promtool": "promtool, version 13.5.3",
        "usr/bin/kubectl": "Kustomize Version: v15.8.1",
    }

    def __init__(self, folder: Path) -> None:
        self.path = folder / "stand-ins"
        self.root = folder / "unpacked"
        for name, says in self.VERSIONS.items():
            self.add(
                self.root / name,
                f'[ "$LOADED" ] || {{ echo "GLIBC_9.99 not found"; exit 1; }}\necho "{says}"',
            )
        loader = self.root / "usr" / "lib" / "machine" / "ld-linux-machine.so.2"
        self.add(loader, '[ "$1" = --library-path ] && [ -d "$2" ] && LOADED=1 exec sh "$3"')
        codename = "$(. /etc/os-release && echo $VERSION_CODENAME)"
        sources = f"""*--print-uris*) echo "'http://archive/dists/{codename}/InRelease' x" ;;"""
        self.add(self.path / "apt-get", f'case "$*" in {sources} *download*) : > x.deb ;; esac')
        self.add(self.path / "dpkg-deb", f'mkdir -p "$3" && cp -a {self.root}/. "$3"')

    def add(self, place: Path, script: str) -> None:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"#!/bin/sh\n{script}\n")
        place.chmod(0o755)


def test_tools_of_a_later_day_run_with_the_c_library_that_they_need(tmp_path: Path) -> None:
    """And a major version more counts as new enough, although its number has two digits."""
    top = tmp_path / "a clone"
    top.mkdir()
    archive = Archive(tmp_path)
    done = run(top, PATH=f"{archive.path}:{os.environ['PATH']}")
    assert (done.returncode, done.stderr) == (0, "")
    places = [Path(line) for line in done.stdout.splitlines()]
    assert [place.name for place in places] == list(TOOLS)
    asked = [subprocess.run([place], check=False, capture_output=True, text=True).stdout for place in places]
    assert asked == [f"{says}\n" for says in archive.VERSIONS.values()]
    assert run(top, PATH="/usr/bin:/bin").returncode == 0
