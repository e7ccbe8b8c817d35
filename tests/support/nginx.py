"""A reverse proxy of the tests' own: Debian's nginx, with the block that docs/operations.md has."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT
from tests.support.polling import LIMIT, wait_until

_MAIN = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


def documented_location() -> str:
    """The block for nginx that docs/operations.md tells to use."""
    (block,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL)
    return str(block)


class Nginx:
    """A running nginx on a free port of 127.0.0.1."""

    def __init__(self, program: Path, folder: Path, location: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = int(server.getsockname()[1])
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "nginx.conf"
        config.write_text(_MAIN.format(folder=folder, port=self.port, location=location))
        self._process = subprocess.Popen(
            [program, "-p", folder, "-c", config, "-e", folder / "error.log"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self._listens, "nginx listens")

    def _listens(self) -> bool:
        assert self._process.poll() is None, f"nginx ended with {self._process.returncode}"
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """End it by its process id."""
        self._process.terminate()
        self._process.wait(LIMIT)


@contextmanager
def nginx(program: Path, folder: Path, location: str) -> Iterator[Nginx]:
    """A proxy that runs during the block."""
    proxy = Nginx(program, folder, location)
    try:
        yield proxy
    finally:
        proxy.stop()
