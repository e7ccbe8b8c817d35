"""What was measured, and what that says of a target."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from .rounds import Ratio
from .targets import Target

NOT_MEASURED = "NOT MEASURED"


@dataclass(frozen=True, slots=True)
class Finding:
    """A measured number, with quartiles where it is one of many rounds."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, ratio: Ratio) -> Self:
        return cls(ratio.median, ratio.low, ratio.high)


Findings = Mapping[str, Finding]
"""By the keys of their targets."""


def reaches(value: float, limit: float, target: Target) -> bool:
    return value <= limit if target.sense == "at most" else value >= limit


def verdict(target: Target, finding: Finding | None) -> str:
    """``PASS`` speaks of the bound; ``GOAL`` of both."""
    if finding is None:
        return NOT_MEASURED
    if not reaches(finding.value, target.bound, target):
        return "FALL SHORT"
    return "PASS, GOAL" if reaches(finding.value, target.goal, target) else "PASS"
