"""A folder as the root of a process: its own mounts, another user, a read-only tree.

It stands in for a container engine, and needs root and util-linux for that: a mount namespace and chroot.
The programs of the machine are mounted into it, and the Python that runs this, at its own path, because it
may look for its libraries there.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import cannot_run, find_system_tool

_BASE = Path(sys.base_prefix)
_HOST = ("usr", "etc", "bin", "sbin", "lib", "lib32", "lib64", "dev", "proc")
_EMPTY = ("home", "opt", "root", "run", "tmp", "var")


def need_namespaces() -> None:
    """Skip the test where this process may not make a mount namespace; in CI, fail it."""
    find_system_tool("unshare")
    if os.geteuid() != 0:
        cannot_run("needs root, to run a process as another user on a root of its own")
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:  # noqa: S607
        cannot_run("needs to be allowed a mount namespace (CAP_SYS_ADMIN)")


@dataclass(frozen=True)
class Root:
    """A folder that can be run in.

    Attributes:
        folder: Where it is.
        mounts: What else of the machine is seen in it, by the path in it.
    """

    folder: Path
    mounts: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def with_python(cls, folder: Path) -> "Root":
        """A new one in which `python` and `pip` are on PATH, as in the official images."""
        folder.mkdir(parents=True)
        for name in _EMPTY:
            (folder / name).mkdir()
        mounts: dict[str, Path] = {}
        for name in _HOST:
            place = Path("/", name)
            if place.is_symlink():
                (folder / name).symlink_to(place.readlink())
            elif place.is_dir():
                mounts[f"/{name}"] = place
        if not _BASE.is_relative_to("/usr"):
            mounts[str(_BASE)] = _BASE
        settings = Path("~/.config/pip").expanduser()
        if settings.is_dir():
            mounts["/home/.config/pip"] = settings
        # Where pip's settings may point to: packages that lie on this machine.
        mounts.update({f"/opt/{place.name}": place for place in Path("/opt").glob("*") if place.is_dir()})
        root = cls(folder, mounts)
        root.run([f"{_BASE}/bin/python3", "-m", "venv", "/image"], {})
        return root

    def copy_to(self, folder: Path) -> "Root":
        """Another one that begins with what is in this one."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Root(folder, self.mounts)

    def path(self, inside: str) -> Path:
        """Where on the machine a path of it is."""
        return self.folder / inside.lstrip("/")

    def command(
        self,
        words: Sequence[str],
        variables: Mapping[str, str],
        *,
        workdir: str = "/",
        user: str = "0:0",
        read_only: bool = False,
        mounts: Mapping[str, Path] | None = None,
    ) -> list[str]:
        """What to start on the machine, so that these words run in it; the process stays one and the same."""
        top = shlex.quote(str(self.folder))
        script = ["set -e", f"mount --bind {top} {top}"]
        for inside, outside in {**self.mounts, **(mounts or {})}.items():
            place = self.path(inside)
            place.mkdir(parents=True, exist_ok=True)
            script.append(f"mount --rbind {shlex.quote(str(outside))} {shlex.quote(str(place))}")
        script.append(f"mount -t tmpfs -o mode=1777 tmpfs {top}/tmp")  # noqa: S108 - its own
        if read_only:
            script.append(f"mount -o remount,bind,ro {top}")
        inner = ["env", "-i", f"--chdir={workdir}", *(f"{name}={value}" for name, value in variables.items())]
        enter = ["setpriv", "--no-new-privs", "chroot", f"--userspec={user}", "--groups=", str(self.folder)]
        script.append(f"exec {shlex.join([*enter, *inner, *words])}")
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(script)]

    def run(
        self,
        words: Sequence[str],
        variables: Mapping[str, str],
        *,
        workdir: str = "/",
        mounts: Mapping[str, Path] | None = None,
    ) -> str:
        """Run a step of a build in it, with this machine's ways to the package registries."""
        ways = ("NODE_EXTRA_", "PIP_", "SSL_", "npm_config_")
        passed = {name: value for name, value in os.environ.items() if name.startswith(ways)}
        passed |= {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
        done = subprocess.run(
            self.command(words, {"HOME": "/home", **passed, **variables}, workdir=workdir, mounts=mounts),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
        )
        assert done.returncode == 0, f"{shlex.join(words)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout
