"""Load on one of the servers, from a process of its own: as fast as it answers, or at a constant rate.

Connections are kept open, and what is sent and looked for are a few bytes, so that the load costs a small
part of what the server does. At a constant rate the latency of a request counts from when it was due: one
that had to wait for the one before it on the same connection has waited.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import quantiles

from .rounds import Sample

_OK = b"HTTP/1.1 200 OK\r\n"
_HEAD_END = b"\r\n\r\n"


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
        self._reader = reader
        self._writer = writer
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

    async def get(self) -> None:
        self._writer.write(self._request)
        head = await self._reader.readuntil(_HEAD_END)
        assert head.startswith(_OK), head
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await self._reader.readexactly(int(length))

    def close(self) -> None:
        self._writer.close()


@contextmanager
def open_work(connections: int) -> Iterator[Callable[..., Sample]]:
    with asyncio.Runner() as runner:

        def sample(port: int, path: str, requests: int, rate: float = 0.0) -> Sample:
            return runner.run(_load(port, path, requests, rate, connections))

        yield sample


async def _load(port: int, path: str, requests: int, rate: float, connections: int) -> Sample:
    opened = [
        _Connection(*await asyncio.open_connection("127.0.0.1", port), path) for _ in range(connections)
    ]
    each = requests // connections
    latencies: list[float] = []
    started = time.perf_counter()
    if rate:
        gap = connections / rate
        await asyncio.gather(
            *(
                _at_a_rate(connection, each, started + gap * number / connections, gap, latencies)
                for number, connection in enumerate(opened)
            )
        )
    else:
        await asyncio.gather(*(_at_full_speed(connection, each) for connection in opened))
    seconds = time.perf_counter() - started
    for connection in opened:
        connection.close()
    sample = {"requests": float(each * connections), "rate": each * connections / seconds}
    if not rate:
        return sample
    ordered = quantiles(latencies, n=100)
    return {**sample, "p50": ordered[49], "p99": ordered[98]}


async def _at_full_speed(connection: _Connection, requests: int) -> None:
    for _ in range(requests):
        await connection.get()


async def _at_a_rate(
    connection: _Connection, requests: int, first: float, gap: float, latencies: list[float]
) -> None:
    for number in range(requests):
        due = first + number * gap
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await connection.get()
        latencies.append(time.perf_counter() - due)
