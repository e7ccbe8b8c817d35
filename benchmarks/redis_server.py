"""A real Redis of the benchmark's own, on a free port, that keeps nothing on disk."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis import Redis
from redis.exceptions import ConnectionError as NotConnectedError

PROGRAM: Final = "redis-server"
_START_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class RedisServer:
    """The server, seen from the benchmark."""

    port: int
    pid: int

    def url(self, database: int) -> str:
        return f"redis://127.0.0.1:{self.port}/{database}"

    def client(self, database: int = 0) -> Redis:
        return Redis(host="127.0.0.1", port=self.port, db=database)


def is_installed() -> bool:
    return shutil.which(PROGRAM) is not None


@contextmanager
def running_redis() -> Iterator[RedisServer]:
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="benchmark-redis-") as folder:
        settings = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
        command = [PROGRAM, *(word for name, value in settings.items() for word in (f"--{name}", str(value)))]
        with (Path(folder) / "log").open("wb") as log, subprocess.Popen(command, stdout=log) as process:
            try:
                server = RedisServer(port, process.pid)
                _wait_until_it_answers(server)
                yield server
            finally:
                process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_answers(server: RedisServer) -> None:
    end = time.monotonic() + _START_SECONDS
    with server.client() as client:
        while True:
            try:
                client.ping()
                return
            except NotConnectedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
