"""Chapter "Timeout Management": operations one after the other, each with its own limit."""

from typing import Annotated, Any

from pydantic import Field

from retryscope import Operation, semconv, timeout
from retryscope_service.operations.operations import Kind, OperationParams, Performer
from retryscope_service.operations.parameters import Parameters, PositiveSeconds, Seconds
from retryscope_service.operations.simulated import slow_operation
from retryscope_service.operations.task import Task
from retryscope_service.workflows.definition import RunContext, WorkflowDefinition, WorkflowParams

DATABASE_QUERY = Operation("Database Query", workflow="timeouts")
API_CALL = Operation("API Call", workflow="timeouts")
OTHER = Operation(semconv.OTHER, workflow="timeouts")
FILE_PROCESSING = Operation("File Processing", workflow="timeouts")


class LimitedOperation(Parameters):
    """One operation and its limit."""

    name: str = Field(
        min_length=1,
        max_length=100,
        description="Database Query, API Call and File Processing are counted by name, others as _OTHER.",
    )
    duration: Seconds = Field(3.0, description="Seconds that the operation takes.")
    timeout: PositiveSeconds = Field(description="Seconds that it may take.")
    operation: Kind | None = Field(
        None,
        description="What performs it; by default what performs all of them.",
        exclude_if=lambda value: value is None,
    )


class TimeoutsParams(OperationParams, WorkflowParams):
    """Three operations of 3 seconds, with limits of 2.5, 1.5 and 4 seconds."""

    operations: Annotated[list[LimitedOperation], Field(min_length=1, max_length=100)] = Field(
        [
            LimitedOperation(name=DATABASE_QUERY.name, duration=3.0, timeout=2.5),
            LimitedOperation(name=API_CALL.name, duration=3.0, timeout=1.5),
            LimitedOperation(name=FILE_PROCESSING.name, duration=3.0, timeout=4.0),
        ],
        description="Operations, run one after the other.",
    )

    def kinds(self) -> frozenset[Kind]:
        """Those that the run uses."""
        return frozenset(each.operation or self.operation for each in self.operations)


async def run(params: TimeoutsParams, context: RunContext) -> None:
    """A timeout ends its own operation only; so does a failure, where what it calls is real."""
    performer = context.operations.by(params)
    for operation in params.operations:
        task = Task(operation.name, context.scaled(operation.duration))
        limit = context.scaled(operation.timeout)
        caught: tuple[type[Exception], ...] = (TimeoutError, *performer.errors(operation.operation))
        try:
            await context.call(operation.name, _run, task, limit, operation.operation, performer)
        except caught:
            continue


async def _run(task: Task, limit: float, kind: Kind | None, performer: Performer) -> Any:
    async with timeout(Operation.lookup(task.name, workflow="timeouts"), limit, name=task.name):
        return await performer.perform(slow_operation, task, kind)


TIMEOUTS = WorkflowDefinition(
    "timeouts", "Operations with a time limit each; some run out of time.", TimeoutsParams, run
)
