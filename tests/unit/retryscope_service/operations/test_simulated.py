"""The document's own tasks: how long they take, when they fail, and how."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from retryscope_service.operations.simulated import (
    ApiUnavailableError,
    flaky_api_call,
    long_running_task,
    process,
    risky_task,
    slow_operation,
)
from retryscope_service.operations.task import Task


async def test_a_risky_task_succeeds_or_fails_as_in_the_document() -> None:
    """With its texts."""
    assert await risky_task(Task("Task 3", 0.5)) == "Task 3 completed"
    with pytest.raises(ValueError, match=r"^Task 3 failed!$"):
        await risky_task(Task("Task 3", 0.5, 1))
    assert asyncio.get_running_loop().time() == 1


async def test_a_flaky_call_succeeds_or_fails_as_in_the_document() -> None:
    """With its answer and its text."""
    assert await flaky_api_call(Task("call", 0.2)) == {"status": "success", "data": "API response"}
    with pytest.raises(ApiUnavailableError, match=r"^API temporarily unavailable$"):
        await flaky_api_call(Task("call", 0.2, 1))


async def test_a_long_running_task_and_a_slow_operation_take_their_time() -> None:
    """3 s each, by the clock."""
    assert await long_running_task(Task("Task-A", 3)) == "Task-A result"
    assert asyncio.get_running_loop().time() == 3
    assert await slow_operation(Task("Database Query", 3)) == {"users": ["alice", "bob", "charlie"]}
    assert asyncio.get_running_loop().time() == 6


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.6, 1.0])
async def test_failures_come_at_their_rate(rate: float) -> None:
    """Of 2,000 draws from one source; 0 never fails, 1 always does."""
    task = Task("Task", 0, rate, Random(42))

    async def fails(call: Callable[[], Awaitable[object]]) -> bool:
        try:
            await call()
        except (ValueError, ApiUnavailableError):
            return True
        return False

    failures = sum([await fails(lambda: risky_task(task)) for _ in range(1000)])
    failures += sum([await fails(lambda: flaky_api_call(task)) for _ in range(1000)])
    assert failures == pytest.approx(2000 * rate, abs=0 if rate in {0, 1} else 80)


async def test_processing_a_result_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The document prints it."""
    with caplog.at_level(logging.INFO, "retryscope_service"):
        await process("Task 1 completed")
    assert caplog.messages == ["processing: Task 1 completed"]
