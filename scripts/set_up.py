"""Makes .venv hold exactly what a lock names, and this project itself (editable), with its page built.

Nothing is resolved anew: a lock names every package with its hashes, so it does not matter what else an index
has on another day. Does nothing when all is there: stamps, written last, record from what it was made.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.progress import SetUpError, Steps

ROOT = Path(__file__).resolve().parents[1]
SERVICE = ROOT / "service"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = {"run": ROOT / "requirements.lock", "dev": ROOT / "requirements-dev.lock"}

PIP = (str(PYTHON), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input")
INSTALL = (*PIP, "install", "--no-deps", "--progress-bar", "off")
BY_LOCK = (*INSTALL, "--require-hashes", "--only-binary", ":all:", "--requirement")
"""Source distributions are left out because what builds them is in no lock."""

PIP_SETTINGS = {"PIP_USER": "0", "PIP_CONSTRAINT": os.devnull}
"""What pip's settings on this machine may not do: install elsewhere, or ask for other versions."""

UNFINISHED = "unfinished"
REPAIR = "The next `make run` or `make test` repairs what is half made."


# Whether it is made


def fingerprint(kind: str) -> str:
    """Of all that decides what is installed; of the path too, because .venv cannot be moved."""
    total = hashlib.sha256(f"{platform.python_version()} {sys.executable} {ROOT}".encode())
    for file in (ROOT / "pyproject.toml", SERVICE / "pyproject.toml", LOCKS[kind]):
        total.update(file.read_bytes())
    return total.hexdigest()


def stamp(kind: str) -> Path:
    return VENV / f".stamp-{kind}"


def is_made(kind: str) -> bool:
    return stamp(kind).is_file() and stamp(kind).read_text() == fingerprint(kind)


def can_be_added_to() -> bool:
    """Whether what `run` made is whole, and `dev` has not begun to add to it.

    The development lock holds all of the other at the same versions: a service that runs from there goes on.
    """
    return is_made("run") and not stamp("dev").exists()


# What makes it


def make(kind: str, lock: int) -> Steps:
    """Make the environment; the steps that it returns lack the last one, the page.

    Raises:
        SetUpError: It can't be made.
    """
    adds = kind == "dev" and can_be_added_to()
    names = LOCKS[kind].name
    count = len(re.findall(r"^[\w.-]+==", LOCKS[kind].read_text(), re.MULTILINE))
    version = platform.python_version()
    print(
        f"Setting up .venv by {names} with Python {version} ({sys.executable}): takes a minute or more",
        file=sys.stderr,
    )
    steps = Steps(3 if adds else 5, lock)
    if adds:
        stamp("dev").write_text(UNFINISHED)
    else:
        remove()
        failed = f"{sys.executable} can't make a virtual environment, see above."
        steps.run("making .venv", sys.executable, "-I", "-m", "venv", str(VENV), failed=failed)
    steps.run(
        f"installing {count} packages",
        *BY_LOCK,
        str(LOCKS[kind]),
        failed=f"The packages of {names} can't be installed, see above. They come from PyPI, or from the"
        f" index that pip's settings name: is the network there, and room on the disk? {REPAIR}",
    )
    if not adds:
        steps.run(
            "installing this project",
            *INSTALL,
            "--no-build-isolation",
            *(word for folder in (ROOT, SERVICE) for word in ("--editable", str(folder))),
            failed=f"The project itself can't be installed, see above. {REPAIR}",
            RETRYSCOPE_UI="skip",
        )
    steps.run(
        "checking that all fits together",
        *PIP,
        "check",
        failed=f"What {names} names does not fit together, see above. `git status` tells whether it or"
        " pyproject.toml was changed here: then `make lock` renews it. If not, please report it.",
    )
    for each in {"run", kind}:
        stamp(each).write_text(fingerprint(each))
    return steps


def remove() -> None:
    """Begin from scratch, so that nothing stays that the lock no longer names.

    Raises:
        SetUpError: This folder can't be written to.
    """
    try:
        for kind in LOCKS:
            stamp(kind).unlink(missing_ok=True)
        if VENV.is_symlink():
            VENV.unlink()
        elif VENV.exists():
            shutil.rmtree(VENV)
        VENV.mkdir()
    except OSError as error:
        raise SetUpError(
            f".venv can't be made anew in {ROOT}: {error.strerror} ({error.filename})."
            " Put the clone where you may write."
        ) from None


@contextmanager
def alone() -> Iterator[int]:
    """Wait until nobody else sets up this folder: `make run` and `make load` may be started at once."""
    lock = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another command that sets up this folder ...", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in LOCKS:
        print(f"usage: scripts/environment {'|'.join(LOCKS)}", file=sys.stderr)
        return 2
    (kind,) = arguments
    os.environ.update(PIP_SETTINGS)
    # As Ctrl-C does it, so that what was started ends as well.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        with alone() as lock:
            steps = Steps(1, lock) if is_made(kind) else make(kind, lock)
            return steps.pass_on("the console's page", str(PYTHON), str(ROOT / "scripts" / "build_page.py"))
    except SetUpError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nSet-up was interrupted. {REPAIR}", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
