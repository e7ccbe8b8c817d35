"""The operations that workflows call: simulated, or one of the real kinds, which a process opens once."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Protocol, Self, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from retryscope import RetryBudget
from retryscope_service.operations import simulated
from retryscope_service.operations.file import FileParams
from retryscope_service.operations.http import HttpParams
from retryscope_service.operations.parameters import Parameters
from retryscope_service.operations.shop.compensation import Shop
from retryscope_service.operations.sql import SqlParams
from retryscope_service.operations.task import Simulated, Task

Kind: TypeAlias = Literal["simulated", "http", "sql", "file"]
"""What performs a task."""
REAL: Final = tuple(kind for kind in get_args(Kind) if kind != "simulated")
"""Each has a section of the parameters by its name."""
S = TypeVar("S", bound=BaseModel)
Section: TypeAlias = Annotated[S | None, Field(exclude_if=lambda value: value is None)]
"""The parameters of a kind; they are left out of what is stored and shown, unless they are given."""


class OperationParams(Parameters):
    """Which kind performs the tasks of a run, and the parameters of that kind."""

    operation: Kind = Field("simulated", description="What performs the tasks.")

    http: Section[HttpParams] = Field(None, description="Where a request over HTTP performs them.")
    sql: Section[SqlParams] = Field(None, description="Where a database performs them.")
    file: Section[FileParams] = Field(None, description="Where the parser of a file performs them.")

    @model_validator(mode="after")
    def _each_section_is_read(self) -> Self:
        for kind in REAL:
            if getattr(self, kind) is not None and kind not in self.kinds():
                raise PydanticCustomError(
                    "unread_section",
                    "it has parameters, but performs nothing here: operation would have to be {field}",
                    {"field": kind},
                )
        return self

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

    def check(self, params: Any) -> None:
        """Refuse what may not be performed here.

        Raises:
            RefusedParameterError: Which value, and why.
        """


class Operations:
    """What workflows call.

    Args:
        real: The kinds beside ``simulated``, by name.
        shop: What `checkout` buys from; None: there is nothing.
    """

    def __init__(
        self, real: Mapping[str, RealOperation] = MappingProxyType({}), shop: Shop | None = None
    ) -> None:
        self._real = real
        self.shop = shop
        self._budgets: dict[Kind, RetryBudget] = {}

    def by(self, params: OperationParams) -> "Performer":
        """What performs the tasks of a run with these parameters."""
        return Performer(self._real, params)

    def check(self, params: BaseModel) -> None:
        """Refuse the parameters of a run which may not be performed here.

        Raises:
            RefusedParameterError: Which value, and why.
        """
        if isinstance(params, OperationParams):
            for kind in params.kinds() & self._real.keys():
                self._real[kind].check(getattr(params, kind))

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
