"""A goal: a measured number and its bound."""

from dataclasses import dataclass
from typing import Literal, Self

from .rounds import Ratio

Sense = Literal["at most", "at least"]
"""How a bound is meant."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A row of the result.

    Attributes:
        name: Number of the goal in the design, or a word.
        claim: What is compared with what.
        value: What was measured, mostly a ratio.
        bound: What it may be at most, or must be at least.
        spread: Quartiles of the ratios, where it is one.
        required: Whether missing it is an error and not only a fact.
        sense: Which of the two the bound is.
    """

    name: str
    claim: str
    value: float
    bound: float
    spread: tuple[float, float] | None = None
    required: bool = False
    sense: Sense = "at most"

    @classmethod
    def of_ratio(
        cls,
        name: str,
        claim: str,
        ratio: Ratio,
        bound: float,
        *,
        required: bool = False,
        sense: Sense = "at most",
    ) -> Self:
        return cls(name, claim, ratio.median, bound, (ratio.low, ratio.high), required, sense)

    @property
    def passed(self) -> bool:
        return self.value <= self.bound if self.sense == "at most" else self.value >= self.bound

    @property
    def verdict(self) -> str:
        return "PASS" if self.passed else "FALL SHORT"
