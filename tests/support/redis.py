"""A Redis of the tests' own, from the system's package: started, stopped, started again on its data."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.polling import LIMIT, wait_until


class RedisServer:
    """A ``redis-server`` on a free port of 127.0.0.1 that loses nothing when it is stopped.

    Args:
        program: Path of redis-server.
        folder: Where its data and its output go.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._program = program
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = int(server.getsockname()[1])
        self.start()

    @property
    def url(self) -> str:
        """What RETRYSCOPE_ENGINE_URL has to be."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, with the data that it had, and wait until it answers."""
        arguments = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(self._folder),
            "--save",
            "",
        ]
        durable = ["--appendonly", "yes", "--appendfsync", "always"]
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [self._program, *arguments, *durable],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_until(lambda: self.command("PING") == "+PONG", "redis-server answers")

    def stop(self) -> None:
        """End it by its process id, as a package upgrade would."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(LIMIT)
            self._process = None

    @property
    def output(self) -> str:
        """What it printed."""
        return (self._folder / "output").read_text()

    def command(self, *words: str) -> str:
        """Send one command; the first line of the answer, empty while nobody answers."""
        request = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        try:
            with socket.create_connection(("127.0.0.1", self.port), LIMIT) as connection:
                connection.sendall(request.encode())
                return connection.recv(10_000).decode().partition("\r\n")[0]
        except OSError:
            return ""


@contextmanager
def redis_server(program: Path, folder: Path) -> Iterator[RedisServer]:
    """A server that runs during the block."""
    server = RedisServer(program, folder)
    try:
        yield server
    finally:
        server.stop()
        sys.stdout.write(server.output)  # pytest shows it where the test fails
