"""P11: what exporting 4,000 spans a second adds to the slowest hundredth of an event loop's round trips.

On one loop a producer makes spans at that rate, some every two milliseconds, and a client sends a byte to an
echo server in another process, again and again. What is told is the 99th percentile of that round trip, to
the same with spans that go to a processor that does nothing.
"""

import asyncio
import gc
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import Final

from opentelemetry.sdk.trace import SpanProcessor
from prometheus_client import CollectorRegistry

from retryscope import step

from . import child
from .findings import Finding
from .receiver import Receiver
from .result import Column, Result
from .rounds import Sample, interleave
from .variants import absent, open_variant, present
from .variants.operation import FETCH
from .variants.retryscope import set_up
from .variants.variant import Variant

_NO_OP: Final = "no-op"
_EVERY: Final = 0.002
_TRIPS_AT_ONCE: Final = 5
_ECHO: Final = """
import socket, sys, threading
def echo(client):
    while data := client.recv(64):
        client.sendall(data)
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    def serve():
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=echo, args=(client,), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Size:
    """Spans a second, and seconds of a sample."""

    rate: int = 4_000
    seconds: float = 1.2


@contextmanager
def _variant(name: str, endpoint: str) -> Iterator[Variant]:
    if name == _NO_OP:
        with set_up("fast", CollectorRegistry(), [SpanProcessor()]):
            yield Variant(lambda operation, _: operation)
    else:
        with open_variant(name, endpoint) as variant:
            yield variant


@contextmanager
def open_work(
    variant: str, endpoint: str, port: int, size: dict[str, float]
) -> Iterator[Callable[[], Sample]]:
    wanted = Size(int(size["rate"]), size["seconds"])
    with _variant(variant, endpoint) as opened:
        made = 0

        def sample() -> Sample:
            nonlocal made
            gc.collect()
            cpu = time.process_time()
            spans, trips = asyncio.run(_beside_each_other(port, wanted))
            cpu = time.process_time() - cpu
            opened.flush()
            made += spans
            percentiles = quantiles(trips, n=100)
            return {
                "p50": percentiles[49],
                "p99": percentiles[98],
                "cpu": cpu / wanted.seconds,
                "spans": made,
            }

        sample()
        yield sample


async def _beside_each_other(port: int, size: Size) -> tuple[int, list[float]]:
    end = time.perf_counter() + size.seconds
    return await asyncio.gather(_produce(end, size.rate), _round_trips(end, port))


async def _produce(end: float, rate: int) -> int:
    each = max(1, round(rate * _EVERY))
    made, due = 0, time.perf_counter()
    while due < end:
        for _ in range(each):
            async with step(FETCH):
                pass
        made += each
        due += _EVERY
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    return made


async def _round_trips(end: float, port: int) -> list[float]:
    loop = asyncio.get_running_loop()
    trips: list[float] = []
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while len(trips) < 2 or time.perf_counter() < end:
            for _ in range(_TRIPS_AT_ONCE):
                started = time.perf_counter()
                await loop.sock_sendall(client, b"x")
                await loop.sock_recv(client, 1)
                trips.append(time.perf_counter() - started)
            await asyncio.sleep(0.001)
    return trips


@contextmanager
def _echo() -> Iterator[int]:
    command = [sys.executable, "-c", _ECHO]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, size: Size | None = None) -> Result:
    size = size or Size()
    variants = (_NO_OP, *present(["fastotel", "sdk path", "fast path"]))
    paths = {name: f"P11/{name}".replace(" ", "-") for name in variants}
    with _echo() as port:
        tasks = {
            name: {
                "variant": name,
                "endpoint": receiver.endpoint(paths[name]),
                "port": port,
                "size": asdict(size),
            }
            for name in variants
        }
        with child.running("benchmarks.round_trips", tasks) as ask:
            taken = interleave(variants, lambda name: ask[name](), rounds=rounds, rng=rng)
            for name in variants[1:]:
                arrived, made = receiver.spans(paths[name]), taken.samples[-1][name]["spans"]
                assert arrived == made, f"{name}: of {made} spans {arrived} arrived"
    return Result(
        title=f"P11 round trips beside {size.rate:,} spans a second",
        variants=variants,
        columns=(
            Column("p50", "p50 us", (_NO_OP,), scale=1e6),
            Column("p99", "p99 us", (_NO_OP,), scale=1e6),
            Column("cpu", "CPU %", scale=100),
        ),
        rounds=taken,
        findings={"P11": Finding.of(taken.ratio("fast path", _NO_OP, "p99"))},
        notes=("all are steps of the library, counted; no-op records them by the fast path",),
        absent=absent(),
    )
