"""Chapter "Task Cancellation and Cleanup": what still runs is cancelled, and cleans up."""

import asyncio
from functools import partial
from string import ascii_uppercase
from typing import Annotated

from pydantic import Field

from retryscope import Operation, cancel_on_exit, cancellable
from retryscope_service.operations.operations import OperationParams
from retryscope_service.operations.parameters import Seconds
from retryscope_service.operations.simulated import long_running_task
from retryscope_service.operations.task import Task
from retryscope_service.workflows.definition import RunContext, WorkflowDefinition, WorkflowParams

LONG_RUNNING_TASK = Operation("long_running_task", workflow="cancellation")
CLEANUP_TIMEOUT = 5.0
"""Seconds; a longer cleanup is cut off and shown as timed out."""


class CancellationParams(OperationParams, WorkflowParams):
    """Tasks of 3, 5 and 2 seconds; after 2.5 seconds the rest is cancelled."""

    durations: Annotated[list[Seconds], Field(min_length=1, max_length=100)] = Field(
        [3.0, 5.0, 2.0], description="Seconds that each task takes."
    )
    cancel_after: Seconds = Field(
        2.5, description="Seconds after which the tasks still running are cancelled."
    )
    cleanup: Seconds = Field(
        0.1, description="Seconds that the cleanup of a cancelled task takes; cut off at 5."
    )


async def run(params: CancellationParams, context: RunContext) -> None:
    """The tasks never outlive the block, whether it ends by itself or is cancelled from outside."""
    performer = context.operations.by(params)
    asked = [Task(_name(n), context.scaled(duration)) for n, duration in enumerate(params.durations)]
    tasks = [
        cancellable(
            LONG_RUNNING_TASK,
            partial(performer.perform, long_running_task, task),
            name=task.name,
            on_cancel=partial(asyncio.sleep, context.scaled(params.cleanup)),
            cleanup_timeout=context.scaled(CLEANUP_TIMEOUT),
        )
        for task in asked
    ]
    context.reports.extend(running.report for running in tasks)
    async with cancel_on_exit(tasks):
        await asyncio.sleep(context.scaled(params.cancel_after))


def _name(number: int) -> str:
    """Task-A to Task-Z, as in the document, then Task-27 and so on."""
    return f"Task-{ascii_uppercase[number]}" if number < len(ascii_uppercase) else f"Task-{number + 1}"


CANCELLATION = WorkflowDefinition(
    "cancellation", "Tasks of which the unfinished ones are cancelled and clean up.", CancellationParams, run
)
