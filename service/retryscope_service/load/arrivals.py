"""When requests are sent: the schedule of an open loop, made without looking at any answer."""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Final, Literal, get_args

Arrivals = Literal["poisson", "constant"]
ARRIVALS: Final[tuple[Arrivals, ...]] = get_args(Arrivals)


def schedule(arrivals: Arrivals, rate: float, rng: Random) -> Iterator[float]:
    """Seconds after the start, without an end.

    Args:
        arrivals: ``poisson``: independent users, with exponentially distributed gaps; ``constant``: the
            same gap every time.
        rate: Requests per second on average, > 0.
        rng: Source of the gaps.
    """
    if arrivals == "constant":
        # A product rather than a sum of gaps: an hour later the rounding errors have not added up.
        yield from (number / rate for number in count())
        return
    time = 0.0
    while True:
        time += rng.expovariate(rate)
        yield time
