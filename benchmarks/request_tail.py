"""P3: the slowest hundredth of the requests, at half of the rate that the bare handler reaches."""

import random
from typing import Final

from .findings import Finding
from .http_server import absent
from .receiver import Receiver
from .requests_compared import Size, loaded_servers, present
from .result import Column, Result
from .rounds import interleave

_SERVERS: Final = ("bare", "contrib", "sdk path", "fast path")
_LOOKS = 3
"""At the rate that the bare handler reaches; the best counts."""


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, size: Size | None = None) -> Result:
    size = size or Size()
    servers = present(_SERVERS)
    with loaded_servers(receiver, "P3", servers, size) as load:
        rate = max(load("bare", "trivial")["rate"] for _ in range(_LOOKS)) / 2
        taken = interleave(servers, lambda name: load(name, "trivial", rate=rate), rounds=rounds, rng=rng)
    return Result(
        title=f"P3  latency at {rate:,.0f} requests a second, half of what the bare handler can",
        variants=servers,
        columns=(
            Column("p50", "p50 ms", ("bare",), scale=1e3),
            Column("p99", "p99 ms", ("bare",), scale=1e3),
            Column("rate", "requests/s"),
        ),
        rounds=taken,
        findings={"P3": Finding.of(taken.ratio("fast path", "bare", "p99"))},
        notes=("a server that can't keep up has fewer requests a second, and a latency that only grows",),
        absent=absent(),
    )
