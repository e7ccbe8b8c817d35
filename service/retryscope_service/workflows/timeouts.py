"""Chapter "Timeout Management": operations one after the other, each with its own limit."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from retryscope import Operation, semconv, timeout
from retryscope_service.operations.simulated import slow_operation
from retryscope_service.workflows.definition import (
    PositiveSeconds,
    RunContext,
    Seconds,
    WorkflowDefinition,
    WorkflowParams,
)

DATABASE_QUERY = Operation("Database Query", workflow="timeouts")
API_CALL = Operation("API Call", workflow="timeouts")
OTHER = Operation(semconv.OTHER, workflow="timeouts")
FILE_PROCESSING = Operation("File Processing", workflow="timeouts")


class LimitedOperation(BaseModel):
    """One operation and its limit."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str = Field(
        min_length=1,
        max_length=100,
        description="Database Query, API Call and File Processing are counted by name, others as _OTHER.",
    )
    duration: Seconds = Field(3.0, description="Seconds that the operation takes.")
    timeout: PositiveSeconds = Field(description="Seconds that it may take.")


class TimeoutsParams(WorkflowParams):
    """Three operations of 3 seconds, with limits of 2.5, 1.5 and 4 seconds."""

    operations: Annotated[list[LimitedOperation], Field(min_length=1, max_length=100)] = Field(
        [
            LimitedOperation(name=DATABASE_QUERY.name, duration=3.0, timeout=2.5),
            LimitedOperation(name=API_CALL.name, duration=3.0, timeout=1.5),
            LimitedOperation(name=FILE_PROCESSING.name, duration=3.0, timeout=4.0),
        ],
        description="Operations, run one after the other.",
    )


async def run(params: TimeoutsParams, context: RunContext) -> None:
    """A timeout ends its own operation only."""
    for operation in params.operations:
        try:
            await context.call(operation.name, _operation, operation, context)
        except TimeoutError:
            continue


async def _operation(params: LimitedOperation, context: RunContext) -> dict[str, list[str]]:
    declared = Operation.lookup(params.name, workflow="timeouts")
    async with timeout(declared, context.scaled(params.timeout), name=params.name):
        return await slow_operation(context.scaled(params.duration))


TIMEOUTS = WorkflowDefinition(
    "timeouts", "Operations with a time limit each; some run out of time.", TimeoutsParams, run
)
