"""Interleaved rounds, and the ratios of samples taken in the same one."""

import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

Sample = Mapping[str, float]
"""Quantities by name, for example ``{"cpu": 12.5}``."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A median of what each round has found, with its quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True, slots=True)
class Rounds:
    """One sample of every variant in each round."""

    samples: list[Mapping[str, Sample]] = field(default_factory=list)

    def median(self, variant: str, quantity: str) -> float:
        return statistics.median(self._values(variant, quantity))

    def ratio(self, variant: str, baseline: str, quantity: str) -> Ratio:
        """Each round's own ratio, then the median of these: what slows a whole round cancels out."""
        pairs = zip(self._values(variant, quantity), self._values(baseline, quantity), strict=True)
        return Ratio.of([value / base for value, base in pairs])

    def _values(self, variant: str, quantity: str) -> list[float]:
        return [sample[variant][quantity] for sample in self.samples]


def interleave(
    variants: Iterable[str], measure: Callable[[str], Sample], *, rounds: int, rng: random.Random
) -> Rounds:
    """Measure every variant once a round, each round in another order."""
    order = list(variants)
    taken = Rounds()
    for _ in range(rounds):
        rng.shuffle(order)
        taken.samples.append({variant: measure(variant) for variant in order})
    return taken
