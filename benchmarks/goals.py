"""A goal: a measured number and its bound."""

from dataclasses import dataclass
from typing import Self

from .rounds import Ratio


@dataclass(frozen=True, slots=True)
class Goal:
    """A row of the result.

    Attributes:
        name: Number of the goal in the design, or a word.
        claim: What is compared with what.
        value: What was measured, mostly a ratio.
        bound: What it may be at most.
        spread: Quartiles of the ratios, where it is one.
        required: Whether missing it is an error and not only a fact.
    """

    name: str
    claim: str
    value: float
    bound: float
    spread: tuple[float, float] | None = None
    required: bool = False

    @classmethod
    def of_ratio(cls, name: str, claim: str, ratio: Ratio, bound: float, *, required: bool = False) -> Self:
        return cls(name, claim, ratio.median, bound, (ratio.low, ratio.high), required)

    @property
    def passed(self) -> bool:
        return self.value <= self.bound

    @property
    def verdict(self) -> str:
        return "PASS" if self.passed else "FALL SHORT"
