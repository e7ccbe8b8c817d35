"""Chapter "Exception Propagation": tasks one after the other, each with its own try/except."""

from typing import Any

from pydantic import Field

from retryscope import Operation, step
from retryscope_service.operations.operations import OperationParams, Performer
from retryscope_service.operations.parameters import Integer, Probability, Seconds
from retryscope_service.operations.simulated import risky_task
from retryscope_service.operations.task import Task
from retryscope_service.workflows.definition import RunContext, WorkflowDefinition, WorkflowParams

RISKY_TASK = Operation("risky_task", workflow="sequential", error_types=("ValueError",))


class SequentialParams(OperationParams, WorkflowParams):
    """Five tasks of half a second, of which 30 % fail."""

    tasks: Integer = Field(5, ge=1, le=1000, description="How many tasks run.")
    duration: Seconds = Field(0.5, description="Seconds that each task takes.")
    failure_rate: Probability = Field(0.3, description="Probability that a task fails.")


async def run(params: SequentialParams, context: RunContext) -> None:
    """An error ends its own task only: it is caught, and the next task runs."""
    performer = context.operations.by(params)
    for number in range(params.tasks):
        name = f"Task {number}"
        task = Task(name, context.scaled(params.duration), params.failure_rate, context.rng(name))
        try:
            await context.call(name, _run, task, performer)
        except performer.errors():
            continue


async def _run(task: Task, performer: Performer) -> Any:
    async with step(RISKY_TASK, name=task.name):
        return await performer.perform(risky_task, task)


SEQUENTIAL = WorkflowDefinition(
    "sequential", "Tasks one after the other; each error is caught by itself.", SequentialParams, run
)
