"""What a workflow is: a name, validated parameters, a coroutine."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Generic, ParamSpec, TypeVar

from pydantic import Field

from retryscope import Report
from retryscope_service.operations.operations import Kind, OperationParams, Operations
from retryscope_service.operations.parameters import SEED_BITS, Seed
from retryscope_service.operations.task import Simulated, Task


class WorkflowParams(OperationParams):
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

    async def perform(self, stand_in: Simulated, task: Task, kind: Kind | None = None) -> Any:
        """Perform a task by the run's kind of operation, or by another; ``stand_in`` simulates it."""
        return await self.operations.perform(kind or self.params.operation, self.params, stand_in, task)

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What a task fails with when what it calls fails."""
        return self.operations.errors(self.params.operation)

    def is_transient(self, error: Exception) -> bool:
        """Whether another attempt of a task may succeed."""
        return self.operations.is_transient(self.params.operation, error)

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
