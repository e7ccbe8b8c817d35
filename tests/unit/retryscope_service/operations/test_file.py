"""The `file` operation: a real file, parsed on a real thread."""

import asyncio
import os
import random
import stat
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from retryscope_service.operations.file import FileOperation, FileParams, MalformedRowError
from retryscope_service.operations.task import Task
from retryscope_service.operations.threads import NoThreadError
from tests.support.polling import until

REAL_LOOP = True


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def operation(registry: CollectorRegistry) -> AsyncIterator[FileOperation]:
    async with FileOperation(registry) as operation:
        yield operation
        await until(lambda: operation.threads.running == 0, "no thread is left")


async def test_it_parses_its_rows_in_about_the_tasks_time(operation: FileOperation) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await operation(Task("file", 0.05), FileParams(rows=5)) == {"rows": 5, "amount": 10}
    assert loop.time() - began >= 0.05


async def test_without_parameters_it_has_its_defaults(operation: FileOperation) -> None:
    assert await operation(Task("file", 0.0), None) == {"rows": 1000, "amount": 499_500}


async def test_a_drawn_failure_is_a_malformed_row_by_its_line(operation: FileOperation) -> None:
    with pytest.raises(MalformedRowError, match=r"^line 7 is no order") as failed:
        await operation(Task("file", 0.0, 1.0), FileParams(rows=7))
    assert isinstance(failed.value, (ValueError, *operation.errors))
    assert operation.is_transient(failed.value)


async def test_the_same_seed_fails_the_same_times(operation: FileOperation) -> None:
    async def outcomes() -> list[bool]:
        rng = random.Random(5)
        tasks = [Task("file", 0.0, 0.5, rng) for _ in range(20)]
        return [not isinstance(await _error_of(operation, each), MalformedRowError) for each in tasks]

    first = await outcomes()
    assert set(first) == {True, False}
    assert await outcomes() == first


async def _error_of(operation: FileOperation, task: Task) -> Exception | None:
    try:
        await operation(task, FileParams(rows=1))
    except MalformedRowError as error:
        return error
    return None


async def test_a_cancelled_task_has_no_thread_left(
    operation: FileOperation, registry: CollectorRegistry
) -> None:
    running = asyncio.create_task(operation(Task("file", 3600.0), None))
    await until(lambda: operation.threads.running)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert operation.threads.running == 0
    assert registry.get_sample_value("retryscope_threads_abandoned_total") == 0


async def test_a_deaf_parser_goes_on_after_its_time_and_is_counted(
    operation: FileOperation, registry: CollectorRegistry
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await operation(Task("file", 0.5), FileParams(rows=1, deaf=True, stop_seconds=0))
    assert operation.threads.abandoned == 1
    assert registry.get_sample_value("retryscope_threads_abandoned_total") == 1


async def test_its_files_are_this_users_and_gone_at_the_end(registry: CollectorRegistry) -> None:
    async with FileOperation(registry) as operation:
        folder = operation._folder.name
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700  # noqa: PTH116
    assert not os.path.exists(folder)  # noqa: PTH110, ASYNC240


@pytest.mark.parametrize("error", [NoThreadError(), OSError()], ids=["no thread", "disk"])
def test_another_attempt_may_find_a_thread_and_a_disk(error: Exception, registry: CollectorRegistry) -> None:
    assert FileOperation(registry).is_transient(error)
    assert not FileOperation(CollectorRegistry()).is_transient(KeyError())


@pytest.mark.parametrize(
    "wrong", [{"rows": 0}, {"rows": 10_001}, {"stop_seconds": 61.0}, {"stop_seconds": -1.0}, {"path": "x"}]
)
def test_its_parameters_are_bounded(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FileParams.model_validate(wrong)
