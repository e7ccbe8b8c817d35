"""What a workflow asks an operation for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Task:
    """One call of an operation.

    Attributes:
        name: Of the task in its run.
        seconds: How long it takes, on the run's clock.
        failure_rate: Probability that it fails.
        rng: Draws whether it does: its own, so that the same seed gives the same outcome.
    """

    name: str
    seconds: float
    failure_rate: float = 0.0
    rng: Random = field(default_factory=Random)

    def fails(self) -> bool:
        """Draw whether it fails; once a call."""
        return self.rng.random() < self.failure_rate


Simulated: TypeAlias = Callable[[Task], Awaitable[Any]]
"""What stands for a dependency while none is asked for."""
