"""P11: the same spans are made in every variant, and those that are exported arrive."""

import random

from benchmarks import round_trips
from benchmarks.receiver import Receiver


def test_each_variant_makes_the_spans_and_the_round_trips(receiver: Receiver) -> None:
    """What does not arrive fails inside."""
    size = round_trips.Size(rate=1_000, seconds=0.01)
    result = round_trips.measure(receiver, rounds=1, rng=random.Random(1), size=size)
    assert set(result.findings) == {"P11"}
    (samples,) = result.rounds.samples
    assert set(samples) == set(result.variants) >= {"no-op", "sdk path", "fast path"}
    assert all(sample["spans"] > 0 and sample["p99"] > 0 for sample in samples.values())
