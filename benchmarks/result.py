"""What one measurement found."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .findings import Findings
from .rounds import Rounds


@dataclass(frozen=True, slots=True)
class Column:
    """A measured quantity.

    Attributes:
        quantity: Its name in the samples.
        heading: With its unit; absolute numbers only show the scale.
        baselines: Variants that the others are compared with.
        scale: What a quantity is multiplied by to be in that unit.
    """

    quantity: str
    heading: str
    baselines: tuple[str, ...] = ()
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """One table.

    Attributes:
        title: What was measured.
        variants: The rows, in order.
        columns: What each row shows.
        rounds: The samples.
        findings: What is said of the targets.
        notes: Facts that belong with the numbers.
        absent: Variants that could not be measured, and why.
    """

    title: str
    variants: tuple[str, ...]
    columns: tuple[Column, ...]
    rounds: Rounds
    findings: Findings
    notes: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
