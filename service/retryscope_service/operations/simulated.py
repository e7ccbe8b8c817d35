"""Work that only waits and fails at random: the document's own tasks."""

import asyncio
import logging
from random import Random

_log = logging.getLogger("retryscope_service")


class ApiUnavailableError(Exception):
    """The simulated API is down for a moment; another attempt may succeed."""


async def risky_task(name: str, duration: float, failure_rate: float, rng: Random) -> str:
    """Wait ``duration`` seconds, then fail with probability ``failure_rate``."""
    await asyncio.sleep(duration)
    if rng.random() < failure_rate:
        raise ValueError(f"{name} failed!")
    return f"{name} completed"


async def long_running_task(name: str, duration: float) -> str:
    """Work for ``duration`` seconds."""
    await asyncio.sleep(duration)
    return f"{name} result"


async def slow_operation(duration: float) -> dict[str, list[str]]:
    """Answer after ``duration`` seconds."""
    await asyncio.sleep(duration)
    return {"users": ["alice", "bob", "charlie"]}


async def flaky_api_call(duration: float, failure_rate: float, rng: Random) -> dict[str, str]:
    """Answer after ``duration`` seconds, or be unavailable with probability ``failure_rate``."""
    await asyncio.sleep(duration)
    if rng.random() < failure_rate:
        raise ApiUnavailableError("API temporarily unavailable")
    return {"status": "success", "data": "API response"}


async def process(result: str) -> None:
    """Go on with a result: the document prints it, here it is a line in the log."""
    _log.info("processing: %s", result)
