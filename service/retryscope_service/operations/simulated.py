"""Work that only waits and fails at random: the document's own tasks."""

import asyncio
import logging

from retryscope_service.operations.task import Task

_log = logging.getLogger("retryscope_service")


class ApiUnavailableError(Exception):
    """The simulated API is down for a moment; another attempt may succeed."""


async def risky_task(task: Task) -> str:
    """Take its time, then fail or complete."""
    await asyncio.sleep(task.seconds)
    if task.fails():
        raise ValueError(f"{task.name} failed!")
    return f"{task.name} completed"


async def long_running_task(task: Task) -> str:
    """Work for its time."""
    await asyncio.sleep(task.seconds)
    return f"{task.name} result"


async def slow_operation(task: Task) -> dict[str, list[str]]:
    """Answer after its time."""
    await asyncio.sleep(task.seconds)
    return {"users": ["alice", "bob", "charlie"]}


async def flaky_api_call(task: Task) -> dict[str, str]:
    """Answer after its time, or be unavailable."""
    await asyncio.sleep(task.seconds)
    if task.fails():
        raise ApiUnavailableError("API temporarily unavailable")
    return {"status": "success", "data": "API response"}


async def process(result: object) -> None:
    """Go on with a result: the document prints it, here it is a line in the log."""
    _log.info("processing: %s", result)


ERRORS = (ValueError, ApiUnavailableError)
"""What they fail with."""
