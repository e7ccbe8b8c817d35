"""What one measurement found."""

from dataclasses import dataclass, field

from .goals import Goal
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
    baselines: tuple[str, ...]
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """One table.

    Attributes:
        title: What was measured.
        variants: The rows, in order.
        columns: What each row shows.
        rounds: The samples.
        goals: What was aimed at.
        notes: Facts that belong with the numbers.
    """

    title: str
    variants: tuple[str, ...]
    columns: tuple[Column, ...]
    rounds: Rounds
    goals: tuple[Goal, ...]
    notes: tuple[str, ...] = field(default=())
