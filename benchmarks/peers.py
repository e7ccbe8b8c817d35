"""Peers that the development lock can't hold: in a folder of their own, by a lock of their own.

The contrib instrumentation names the exact release of OpenTelemetry's conventions that it was made with,
which is seldom that of the newest SDK; so the development lock overrides what it asks for, and every peer
runs on the same SDK. They are fetched when something is to be measured, for nothing else needs them. Where
that fails, their rows say so.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
LOCK: Final = ROOT / "requirements-peers.lock"
FOLDER: Final = ROOT / ".peers"
_STAMP: Final = FOLDER / ".stamp"
ABSENT: Final = "not installed; `make bench` fetches it by requirements-peers.lock"


def are_installed() -> bool:
    return _STAMP.is_file() and _STAMP.read_text() == _fingerprint()


def install() -> None:
    """Fetch them, unless they are there; what fails is said by pip, and in the rows."""
    if are_installed():
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    command = (sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet")
    options = ("--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(FOLDER))
    done = subprocess.run((*command, "install", *options, "--requirement", str(LOCK)), check=False)
    if done.returncode == 0:
        _STAMP.write_text(_fingerprint())


def make_importable() -> None:
    """Behind everything else, so that nothing of it stands in for what the environment has."""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))


def _fingerprint() -> str:
    return hashlib.sha256(f"{sys.version} {ROOT}".encode() + LOCK.read_bytes()).hexdigest()
