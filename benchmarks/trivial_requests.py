"""P2: a request that does nothing, traced, counted and exported, to the bare aiohttp handler's."""

import random
from typing import Final

from .findings import Finding
from .http_server import absent
from .receiver import Receiver
from .requests_compared import Size, loaded_servers, present
from .result import Column, Result
from .rounds import interleave

_SERVERS: Final = ("bare", "contrib", "sdk path", "fast path")


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, size: Size | None = None) -> Result:
    size = size or Size()
    servers = present(_SERVERS)
    with loaded_servers(receiver, "P2", servers, size) as load:
        taken = interleave(servers, lambda name: load(name, "trivial"), rounds=rounds, rng=rng)
    findings = {"P2/bare": Finding.of(taken.ratio("bare", "fast path", "cpu"))}
    if "contrib" in servers:
        findings["P2/contrib"] = Finding.of(taken.ratio("contrib", "fast path", "cpu"))
    return Result(
        title=f"P2  a request that does nothing, {size.connections} connections",
        variants=servers,
        columns=(
            Column("cpu", "CPU us/request", ("bare",), scale=1e6),
            Column("rate", "requests/s", ("bare",)),
        ),
        rounds=taken,
        findings=findings,
        notes=("the share is that of the CPU that a request costs the server, all its threads",),
        absent=absent(),
    )
