"""The tests of what records spans, on each release of OpenTelemetry that we support: ``make otel-releases``.

Our spans stand in for the SDK's by parts of it that are not public. Here their tests run, among them those
that compare both: on the oldest release that pyproject.toml allows, and on the newest patch of each minor one
since, each in an environment of its own, with the client instrumentations of its day.
"""

import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-dev.lock"
UV = (str(Path(sys.executable).with_name("uv")), "--no-config")
SDK = "opentelemetry-sdk"
TESTS = (
    "tests/unit/retryscope/_recording",
    "tests/unit/retryscope/adapters/test_aiohttp_client.py",
    "tests/unit/retryscope/test_contrib.py",
)
SECONDS = 1800

NEEDED = (
    "aiohttp",
    "httpx",
    "hypothesis",
    "looptime",
    "opentelemetry-instrumentation-aiohttp-client>=0.60b0",
    "opentelemetry-instrumentation-httpx>=0.60b0",
    "pytest",
    "pytest-asyncio",
    "pytest-randomly",
    "pytest-xdist",
    "uvloop",
)
"""What these tests use. The instrumentations of before that did not say which SDK they are for."""

LET_PASS = ("-W", "ignore:SelectableGroups dict interface is deprecated:DeprecationWarning")
"""1.42's own, at its import on Python 3.11."""


class UnavailableError(Exception):
    """A release can't be had."""


@dataclass(frozen=True)
class Outcome:
    """What came of the tests on one release."""

    release: str
    passed: int
    failed: int
    skipped: int
    output: str = ""

    @property
    def good(self) -> bool:
        return self.passed > 0 and not self.failed and not self.skipped


def declared() -> list[str]:
    """The library's own requirements."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return list(project["dependencies"])


def oldest(requirements: list[str]) -> str:
    """The oldest release of the SDK that they allow."""
    (found,) = (each for each in requirements if each.startswith(f"{SDK}>="))
    return found.partition(">=")[2]


def wanted(first: str, newest: str) -> list[str]:
    """The oldest release itself, then each minor one."""
    major, minor = first.split(".")[:2]
    last = newest.split(".")
    if last[0] != major:
        raise UnavailableError(f"{SDK} {newest} is another major release than {first}: say here what to test")
    exact = first if first.count(".") == 2 else f"{first}.0"
    return [exact, *(f"{major}.{each}.*" for each in range(int(minor), int(last[1]) + 1))]


def uv(*arguments: str, given: str = "") -> str:
    """What uv prints.

    Raises:
        UnavailableError: It fails.
    """
    done = subprocess.run(
        [*UV, *arguments], input=given, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode != 0:
        raise UnavailableError(f"uv {' '.join(arguments[:2])} failed: {done.stderr.strip()}")
    return done.stdout


def pinned(lock: str) -> str:
    """The release of the SDK in a lock."""
    found = re.search(rf"^{SDK}==(\S+)", lock, re.MULTILINE)
    if found is None:
        raise UnavailableError(f"uv has resolved no {SDK}")
    return found[1]


def newest() -> str:
    """The newest release that there is."""
    return pinned(uv("pip", "compile", "--quiet", "--no-deps", "-", given=SDK))


def environment(release: str, folder: Path) -> tuple[str, Path]:
    """Make one in the folder; which release it holds, and its Python.

    All else is as in the lock, unless this release needs another: what uv finds in the output is preferred.
    """
    lock = folder / "requirements.txt"
    lock.write_text(LOCK.read_text())
    asked = "\n".join((*declared(), *NEEDED, f"{SDK}=={release}"))
    uv("pip", "compile", "--quiet", "--generate-hashes", "--output-file", str(lock), "-", given=asked)
    venv = folder / "venv"
    uv("venv", "--quiet", "--python", sys.executable, str(venv))
    python = venv / "bin" / "python"
    uv("pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(lock))
    return pinned(lock.read_text()), python


def run(release: str, python: Path, folder: Path) -> Outcome:
    """Run the tests there."""
    report = folder / "report.xml"
    options = ("-q", "-p", "no:cacheprovider", f"--junitxml={report}", *LET_PASS)
    done = subprocess.run(
        (str(python), "-m", "pytest", *options, *TESTS),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "instrumentation"), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if not report.exists():
        return Outcome(release, 0, 1, 0, done.stdout)
    return outcome(release, report.read_text(), done.stdout)


def outcome(release: str, report: str, output: str) -> Outcome:
    """By pytest's report."""
    (suite,) = ET.fromstring(report).iter("testsuite")  # noqa: S314  (pytest has just written it)
    failed, skipped = (
        int(suite.attrib["failures"]) + int(suite.attrib["errors"]),
        int(suite.attrib["skipped"]),
    )
    return Outcome(release, int(suite.attrib["tests"]) - failed - skipped, failed, skipped, output)


def outcomes() -> Iterator[Outcome]:
    """One after the other; each environment is gone before the next is made."""
    seen: set[str] = set()
    for each in wanted(oldest(declared()), newest()):
        with TemporaryDirectory() as name:
            folder = Path(name)
            release, python = environment(each, folder)
            if release not in seen:
                seen.add(release)
                yield run(release, python, folder)


def main() -> int:
    good = True
    print(f"{'release':<10}{'passed':>8}{'failed':>8}{'skipped':>8}", flush=True)
    try:
        for each in outcomes():
            print(f"{each.release:<10}{each.passed:>8}{each.failed:>8}{each.skipped:>8}", flush=True)
            if not each.good:
                print(each.output, file=sys.stderr)
            good = good and each.good
    except (UnavailableError, subprocess.TimeoutExpired) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
