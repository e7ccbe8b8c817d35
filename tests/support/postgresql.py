"""A PostgreSQL of the tests' own, from the system's package, with a database for each test."""

import getpass
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.support.polling import LIMIT, wait_until

PACKAGED = Path("/usr/lib/postgresql")
"""Debian's folder of its versions; none of them is on PATH."""


def find_programs() -> Path | None:
    """The folder with ``postgres`` and ``initdb``: that on PATH, else the newest one of Debian's."""
    on_path = shutil.which("initdb")
    folders = [] if on_path is None else [Path(on_path).resolve().parent]
    folders += sorted(PACKAGED.glob("*/bin"), key=lambda each: -float(each.parent.name))
    return next(
        (each for each in folders if (each / "initdb").exists() and (each / "postgres").exists()), None
    )


class PostgresServer:
    """A server that only a socket in its folder leads to; it runs as another user where tests run as root.

    Args:
        programs: Where ``postgres`` and ``initdb`` are.
        folder: Where its data and its output go: a short path, for that of the socket.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._user = _another_user()
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            os.chown(folder, self._user, -1)
        folder.chmod(0o700)
        name = getpass.getuser() if self._user is None else pwd.getpwuid(self._user).pw_name
        self._name = name
        self._run("initdb", "--pgdata", "data", "--auth", "trust", "--no-sync", "--username", name)
        self.start()

    def start(self) -> None:
        """Start it, with the data that it had, and wait until it answers."""
        arguments = ["-D", "data", "-k", str(self._folder), "-h", "", "-F", "-c", "max_connections=200"]
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [self._programs / "postgres", *arguments],
                cwd=self._folder,
                user=self._user,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_until(lambda: self.sql("SELECT 1", check=False) == "1", "PostgreSQL answers")

    def stop(self) -> None:
        """End it by its process id, without waiting for its clients."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(LIMIT)
            self._process = None

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return f"postgresql://{self._name}@/{name}?host={quote(str(self._folder), safe='')}"

    def sql(self, query: str, database: str = "postgres", *, check: bool = True) -> str:
        """What a query of one value answers; empty where nobody answers, and nobody has to."""
        psql = [
            str(self._programs / "psql"),
            "-h",
            str(self._folder),
            "-U",
            self._name,
            "-d",
            database,
            "-Atqc",
            query,
        ]
        done = subprocess.run(psql, capture_output=True, text=True, check=False, timeout=LIMIT)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout.strip()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self._folder,
            user=self._user,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
        assert done.returncode == 0, done.stderr


def _another_user() -> int | None:
    """Whom to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise AssertionError("there is no user postgres or nobody to run PostgreSQL as")


@contextmanager
def postgres_server(programs: Path) -> Iterator[PostgresServer]:
    """A server that runs during the block."""
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        server = PostgresServer(programs, Path(folder))
        try:
            yield server
        finally:
            server.stop()
