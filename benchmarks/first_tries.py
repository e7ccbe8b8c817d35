"""P1s: the calls of P1, every one of which succeeds on its first attempt."""

import random
from dataclasses import replace

from .findings import Finding
from .receiver import Receiver
from .result import Result
from .retries import Size, compare, shown


def measure(receiver: Receiver, *, rounds: int, rng: random.Random, size: Size | None = None) -> Result:
    size = replace(size or Size(), fail_every=0)
    taken = compare(receiver, "P1s", rounds=rounds, rng=rng, size=size)
    return shown(
        f"P1s {size.callers} tasks at once, none failing, {size.spans / size.calls:g} spans per call",
        taken,
        {"P1s/tenacity": Finding.of(taken.ratio("fast path", "tenacity", "cpu"))},
    )
