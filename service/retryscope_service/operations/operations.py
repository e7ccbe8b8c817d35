"""The operations that workflows call: simulated, or one of the real kinds, which a process opens once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from retryscope import RetryBudget
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

    @property
    def errors(self) -> tuple[type[Exception], ...]: ...

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
        self._budgets: dict[Kind, RetryBudget] = {}

    def by(self, params: OperationParams) -> "Performer":
        """What performs the tasks of a run with these parameters."""
        return Performer(self._real, params)

    def budget(self, kind: Kind) -> RetryBudget:
        """The retry budget that all runs of this process share which call this kind."""
        return self._budgets.setdefault(kind, RetryBudget())


class Performer:
    """Performs the tasks of a run by the kind of operation that its parameters name.

    Args:
        real: The kinds beside ``simulated``, by name.
        params: The run's parameters.
    """

    def __init__(self, real: Mapping[str, RealOperation], params: OperationParams) -> None:
        self._real = real
        self._params = params

    async def perform(self, stand_in: Simulated, task: Task, kind: Kind | None = None) -> Any:
        """Perform a task by the run's kind of operation, or by another; ``stand_in`` simulates it."""
        kind = kind or self._params.operation
        if kind == "simulated":
            return await stand_in(task)
        return await self._real[kind](task, getattr(self._params, kind))

    def errors(self, kind: Kind | None = None) -> tuple[type[Exception], ...]:
        """What a task fails with when what it calls fails."""
        kind = kind or self._params.operation
        return simulated.ERRORS if kind == "simulated" else self._real[kind].errors

    def is_transient(self, error: Exception) -> bool:
        """Whether another attempt of a task may succeed."""
        kind = self._params.operation
        if kind == "simulated":
            return isinstance(error, simulated.ERRORS)
        return self._real[kind].is_transient(error)
