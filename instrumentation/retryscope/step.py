"""A plain unit of work: one attempt, traced and counted."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from retryscope import semconv
from retryscope._core.execution import OperationExecution, as_run_here
from retryscope.entry import first_entry
from retryscope.operation import Operation, require_operation, require_task_name
from retryscope.printable import shown


class step:  # noqa: N801  (reads like asyncio.timeout)
    """Trace and count a block of code as one execution of an operation, without retry or limit.

    An async context manager; errors pass through.

    Args:
        operation: The declared operation.
        name: Name of this one, on the span; may be variable.

    Raises:
        TypeError: ``operation`` is no operation, or ``name`` no text.
        RuntimeError: It was entered before.

    >>> import asyncio
    >>> parsing = Operation("parsing", workflow="docs")
    >>> async def main():
    ...     async with step(parsing, name="page 7"):
    ...         return "done"
    >>> asyncio.run(main())
    'done'
    """

    __slots__ = ("_execution", "_name", "_operation")

    def __init__(self, operation: Operation, *, name: str | None = None) -> None:
        self._operation = require_operation("step", operation)
        self._name = require_task_name("step", name)
        self._execution: OperationExecution | None = None

    async def __aenter__(self) -> Self:
        first_entry(self._execution, "step")
        self._execution = start_step(self._operation, self._name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._execution is not None
        self._execution.end(error)


def start_step(operation: Operation, name: str | None) -> OperationExecution:
    """Open the execution of a step; whoever opens it ends it."""
    operation = as_run_here(operation)
    attributes = operation.attributes
    if name is not None:
        attributes = {**attributes, semconv.TASK_NAME: shown(name)}
    return OperationExecution(operation, f"{semconv.SPAN_TASK} {operation.name}", attributes)
