"""Listening for HTTP: at which address, for how many connections, and until when."""

import asyncio
import logging
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from aiohttp import web

from retryscope_service.http.connections import EVICTED, Connections

UNFINISHED_SECONDS: Final = 2.0
"""How long a shutdown waits, after the runs, for requests that are still being sent or answered."""
RESERVED_FILES: Final = 40
"""Files that a process needs beside its connections; at least a quarter of all."""
BACKLOG: Final = 128

_log = logging.getLogger("retryscope_service")


class AddressInUseError(Exception):
    """The port is taken, or the address is not this machine's."""


@asynccontextmanager
async def listening(
    app: web.Application, host: str, port: int, max_connections: int, *, counted: bool = True
) -> AsyncIterator[str]:
    """Serve the application; gives the base URL.

    Args:
        app: The application.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        max_connections: Open connections at a time; fewer where the process may not open so many files.
        counted: Whether requests that the application never sees, as they are no HTTP, count as the API's.

    Raises:
        AddressInUseError: The address can't be listened on.
    """
    loop = asyncio.get_running_loop()
    # A client that goes away cancels its run: aiohttp's default is to let the handler go on.
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=UNFINISHED_SECONDS)
    await runner.setup()
    assert runner.server is not None
    files = _raise_file_limit(2 * max_connections)
    spare = max(RESERVED_FILES, files // 4)
    connections = Connections(
        runner.server, min(max_connections, max(files - spare, EVICTED)), counted=counted
    )
    if connections.limit < max_connections:
        _log.warning(
            "at most %d connections at a time, not the %d of RETRYSCOPE_MAX_CONNECTIONS:"
            " the process may open %d files (ulimit -n)",
            connections.limit,
            max_connections,
            files,
        )
    before = loop.get_exception_handler()  # that of an upstream which listens in the same process
    loop.set_exception_handler(connections.on_loop_error)
    try:
        server = await _listen(connections, host, port, min(BACKLOG, spare // 4))
        watch = asyncio.create_task(connections.end_late_ones())
        try:
            yield _base_url(server)
        finally:
            server.close()
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
    finally:
        loop.set_exception_handler(before)
        await runner.cleanup()


async def _listen(connections: "Connections", host: str, port: int, backlog: int) -> asyncio.Server:
    """Accept connections; the event loop takes up to ``backlog`` of them before it does anything else."""
    try:
        loop = asyncio.get_running_loop()
        return await loop.create_server(connections.connection, host, port, backlog=backlog)
    except OSError as error:
        raise AddressInUseError(
            f"can't listen on {host}:{port}: {error.strerror or error};"
            " choose another address with --host and --port, or RETRYSCOPE_HOST and RETRYSCOPE_PORT"
            " (a worker: RETRYSCOPE_WORKER_PORT; the upstream: RETRYSCOPE_UPSTREAM_PORT)"
        ) from error


def _base_url(server: asyncio.Server) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _raise_file_limit(wanted: int) -> int:
    """How many files this process may open now: as many as are wanted, if the hard limit lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(soft, most)
