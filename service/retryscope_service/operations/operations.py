"""The operations that workflows call: simulated, or one of the real kinds, which a process opens once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from retryscope_service.operations import simulated
from retryscope_service.operations.task import Simulated, Task

Kind: TypeAlias = Literal["simulated", "http", "sql", "file"]
"""What performs a task."""


class OperationParams(BaseModel):
    """Which kind performs the tasks of a run, and the parameters of that kind."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    operation: Kind = Field("simulated", description="What performs the tasks.")

    def kinds(self) -> frozenset[Kind]:
        """Those that the run uses."""
        return frozenset({self.operation})


class RealOperation(Protocol):
    """A dependency that really takes its time, and really fails.

    Attributes:
        errors: What it raises when the dependency fails.
    """

    errors: tuple[type[Exception], ...]

    async def __call__(self, task: Task, params: Any) -> Any:
        """Perform the task; ``params`` is the kind's section of the parameters, None for its defaults."""

    def is_transient(self, error: Exception) -> bool:
        """Whether another attempt may succeed."""


class Operations:
    """What workflows call.

    Args:
        real: The kinds beside ``simulated``, by name.
    """

    def __init__(self, real: Mapping[str, RealOperation] = MappingProxyType({})) -> None:
        self._real = real

    async def perform(self, kind: Kind, params: OperationParams, stand_in: Simulated, task: Task) -> Any:
        """Perform a task.

        Args:
            kind: By what.
            params: The run's parameters.
            stand_in: Performs it where it is simulated.
            task: It.
        """
        if kind == "simulated":
            return await stand_in(task)
        return await self._real[kind](task, getattr(params, kind))

    def errors(self, kind: Kind) -> tuple[type[Exception], ...]:
        """What a task of this kind fails with."""
        return simulated.ERRORS if kind == "simulated" else self._real[kind].errors

    def is_transient(self, kind: Kind, error: Exception) -> bool:
        """Whether another attempt of a task of this kind may succeed."""
        if kind == "simulated":
            return isinstance(error, simulated.ERRORS)
        return self._real[kind].is_transient(error)
