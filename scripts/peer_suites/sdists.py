"""The tests of a package, from the source distribution of the version that the lock pins."""

import hashlib
import io
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path, PurePosixPath
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements-dev.lock"
UV = Path(sys.executable).with_name("uv")
SECONDS = 120


class FetchError(Exception):
    """The source distribution can't be had."""


def fetch_tests(name: str, folder: Path) -> str:
    """Unpack its folder `tests` into this one; which version it is of.

    uv says where the file is; pip would build the package, with tools that no lock names, before it handed
    it out.

    Raises:
        FetchError: There is none, it can't be fetched, or it is not the one in the lock.
    """
    pinned = re.search(rf"^{name}==(\S+)((?: \\\n +--hash=sha256:\w+)+)", LOCK.read_text(), re.MULTILINE)
    if pinned is None:
        raise FetchError(f"{LOCK.name} has no {name}")
    version = pinned[1]
    try:
        with urlopen(_url(name, version), timeout=SECONDS) as answer:  # noqa: S310  (uv's answer; hash below)
            archive = answer.read()
    except OSError as error:
        raise FetchError(f"{name} {version} can't be fetched: {error}") from error
    if hashlib.sha256(archive).hexdigest() not in re.findall(r"sha256:(\w+)", pinned[2]):
        raise FetchError(f"what was fetched as {name} {version} is not what {LOCK.name} has")
    _unpack(archive, folder)
    return version


def _url(name: str, version: str) -> str:
    command = (
        str(UV),
        "--no-config",
        "pip",
        "compile",
        "--quiet",
        "--no-deps",
        "--format",
        "pylock.toml",
        "-",
    )
    asked = f"{name}=={version}"
    found = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=SECONDS, check=False)
    if found.returncode != 0:
        raise FetchError(f"uv can't find {asked}: {found.stderr.strip()}")
    (package,) = tomllib.loads(found.stdout)["packages"]
    if "sdist" not in package:
        raise FetchError(f"{asked} has no source distribution")
    return str(package["sdist"]["url"])


def _unpack(archive: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            inner = PurePosixPath(member.name).parts[1:]
            if inner[:1] == ("tests",) and ".." not in inner and member.isfile():
                content = members.extractfile(member)
                assert content is not None
                path = folder.joinpath(*inner)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
