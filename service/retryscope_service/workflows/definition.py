"""What a workflow is: a name, validated parameters, a coroutine."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Annotated, Any, Generic, ParamSpec, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from retryscope import Report

MAX_SECONDS = 3600.0
MIN_LIMIT = 0.001
"""Seconds; times the smallest time scale it is still more than no time at all."""
SEED_BITS = 53
"""As many as every reader of JSON keeps of a whole number."""


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Integer = Annotated[int, BeforeValidator(_whole)]
"""As JSON Schema has it: 4.0 is one too."""
Seed = Annotated[int, Field(ge=0, le=2**SEED_BITS - 1), BeforeValidator(_whole)]
Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(ge=MIN_LIMIT, le=MAX_SECONDS, allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class WorkflowParams(BaseModel):
    """Parameters that every workflow takes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    seed: Seed | None = Field(None, description="The same seed gives the same outcome; by default a new one.")
    time_scale: float = Field(
        1.0,
        ge=0.0001,
        le=10,
        allow_inf_nan=False,
        description="Factor on every duration: 0.01 makes a demo 100 times shorter.",
    )

    def seed_or_drawn(self) -> int:
        """Their seed, or a new one: whoever draws it keeps it with them, so that the run can be repeated."""
        return secrets.randbits(SEED_BITS) if self.seed is None else self.seed

    def run_deadline(self) -> float | None:
        """Seconds, not yet scaled, that the workflow as a whole may take; None: no limit."""
        return None


P = TypeVar("P", bound=WorkflowParams)
A = ParamSpec("A")
T = TypeVar("T")


@dataclass(slots=True)
class RunContext:
    """What one run has besides its parameters.

    ``reports`` says what became of each task, also of those still running when the run is cancelled.
    """

    seed: int
    time_scale: float
    reports: list[Report[Any]] = field(default_factory=list)

    def rng(self, key: str) -> Random:
        """A random source of its own for each task, so that the order of events changes nothing."""
        return Random(f"{self.seed}/{key}")

    def scaled(self, seconds: float) -> float:
        """A duration of the document on this run's clock."""
        return seconds * self.time_scale

    async def call(self, name: str, fn: Callable[A, Awaitable[T]], /, *args: A.args, **kwargs: A.kwargs) -> T:
        """Await ``fn`` as a task of the run, reported also where it is cancelled; an error is raised."""
        report: Report[T] = Report(name)
        self.reports.append(report)
        await report.run(fn, *args, **kwargs)
        return report.result()


@dataclass(frozen=True, slots=True)
class WorkflowDefinition(Generic[P]):
    """A workflow that can be run by name."""

    name: str
    summary: str
    params: type[P]
    run: Callable[[P, RunContext], Awaitable[None]]
