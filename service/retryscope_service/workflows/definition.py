"""What a workflow is: a name, validated parameters, a coroutine."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Generic, ParamSpec, TypeVar

from pydantic import Field

from retryscope import Report
from retryscope_service.operations.operations import Operations
from retryscope_service.operations.parameters import SEED_BITS, Parameters, Seed


class WorkflowParams(Parameters):
    """Parameters that every workflow takes."""

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
    """What one run has besides its own parameters.

    Attributes:
        params: Those that every run has, with the seed.
        operations: What it can call.
        run_id: What names it, the same for each delivery of a background run.
        reports: What became of each task, also of those still running when the run is cancelled.
    """

    params: WorkflowParams
    operations: Operations
    run_id: str = ""
    reports: list[Report[Any]] = field(default_factory=list)

    def rng(self, key: str) -> Random:
        """A random source of its own for each task, so that the order of events changes nothing."""
        return Random(f"{self.params.seed}/{key}")

    def scaled(self, seconds: float) -> float:
        """A duration of the document on this run's clock."""
        return seconds * self.params.time_scale

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
