"""Chapter "Handling Multiple Task Failures": all tasks together, all results and exceptions collected."""

from functools import partial
from typing import Any

from pydantic import Field

from retryscope import Operation, gather, step
from retryscope_service.operations.operations import OperationParams, Performer
from retryscope_service.operations.parameters import Integer, Probability, Seconds
from retryscope_service.operations.simulated import process, risky_task
from retryscope_service.operations.task import Task
from retryscope_service.workflows.definition import RunContext, WorkflowDefinition, WorkflowParams

RISKY_TASK = Operation("risky_task", workflow="concurrent", error_types=("ValueError",))
PROCESS_SUCCESS = Operation("process_success", workflow="concurrent")


class ConcurrentParams(OperationParams, WorkflowParams):
    """Ten tasks of half a second at once, of which 30 % fail."""

    tasks: Integer = Field(10, ge=1, le=1000, description="How many tasks run at once.")
    duration: Seconds = Field(0.5, description="Seconds that each task takes.")
    failure_rate: Probability = Field(0.3, description="Probability that a task fails.")


async def run(params: ConcurrentParams, context: RunContext) -> None:
    """No failure stops another task; the successes are processed afterwards."""
    names = [f"Task {number}" for number in range(params.tasks)]
    duration = context.scaled(params.duration)
    tasks = [Task(name, duration, params.failure_rate, context.rng(name)) for name in names]
    performer = context.operations.by(params)
    calls = {task.name: partial(_run, task, performer) for task in tasks}
    reports = await gather(RISKY_TASK, calls, reports=context.reports)
    for report in reports:
        if report.outcome == "success" and report.value is not None:
            async with step(PROCESS_SUCCESS, name=report.name):
                await process(report.value)


async def _run(task: Task, performer: Performer) -> Any:
    async with step(RISKY_TASK, name=task.name):
        return await performer.perform(risky_task, task)


CONCURRENT = WorkflowDefinition(
    "concurrent",
    "Tasks at once; every result and every exception is collected, then the successes are processed.",
    ConcurrentParams,
    run,
)
