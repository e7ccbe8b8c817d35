"""P10: a request with a retry in it, traced, counted and exported.

To the bare handler with the hand-written loop in it, which does the same and records nothing; and to the same
service with tenacity in it instead, whose request is traced and whose retry is not. Two further rows have
tenacity in the bare handler, and in one that the contrib instrumentation traces.
"""

import random
from typing import Final

from .findings import Finding
from .http_server import absent
from .receiver import Receiver
from .requests_compared import Size, loaded_servers, present
from .result import Column, Result
from .rounds import Sample, interleave

_SERVERS: Final = ("bare", "tenacity", "contrib", "fast+tenacity", "sdk path", "fast path")


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, size: Size | None = None) -> Result:
    size = size or Size(requests=1_000)
    servers = present(_SERVERS)
    with loaded_servers(receiver, "P10", servers, size) as load:

        def sample(name: str) -> Sample:
            success, failure = load(name, "success"), load(name, "failure")
            return {"success": success["cpu"], "failure": failure["cpu"], "rate": success["rate"]}

        taken = interleave(servers, sample, rounds=rounds, rng=rng)
    return Result(
        title=f"P10 a request with a retry in it, {size.connections} connections",
        variants=servers,
        columns=(
            Column("success", "CPU us, success", ("bare",), scale=1e6),
            Column("failure", "CPU us, failure", ("bare",), scale=1e6),
            Column("rate", "successes/s", ("bare",)),
        ),
        rounds=taken,
        findings={
            "P10/success": Finding.of(taken.ratio("bare", "fast path", "success")),
            "P10/failure": Finding.of(taken.ratio("bare", "fast path", "failure")),
            "P10/tenacity": Finding.of(taken.ratio("fast+tenacity", "fast path", "success")),
        },
        notes=(
            "contrib and fast+tenacity trace the request, not the retry in it; tenacity and bare nothing",
        ),
        absent=absent(),
    )
