"""What performs the tasks of a run: what is simulated, or a dependency."""

from random import Random
from typing import Any

import pytest

from retryscope_service.operations.operations import OperationParams, Operations
from retryscope_service.operations.simulated import ApiUnavailableError
from retryscope_service.operations.task import Task

TASK = Task("Task 1", 0.5)


class BrokenError(Exception):
    """What a dependency of these tests fails with."""


class Dependency:
    """One that answers with what it was asked for."""

    errors: tuple[type[Exception], ...] = (BrokenError,)

    async def __call__(self, task: Task, params: Any) -> Any:
        return task.name, params

    def is_transient(self, error: Exception) -> bool:
        return str(error) == "for a moment"


async def simulated(task: Task) -> str:
    return f"{task.name}, simulated"


OPERATIONS = Operations({"http": Dependency(), "sql": Dependency()})


async def test_by_default_it_is_simulated() -> None:
    """By the workflow's own stand-in."""
    assert await OPERATIONS.by(OperationParams()).perform(simulated, TASK) == "Task 1, simulated"


async def test_a_real_kind_gets_the_task() -> None:
    """And its section of the parameters, where there is one."""
    performer = OPERATIONS.by(OperationParams(operation="http"))
    assert await performer.perform(simulated, TASK) == ("Task 1", None)


async def test_one_task_may_be_performed_by_another_kind() -> None:
    """As in the workflow whose operations differ."""
    performer = OPERATIONS.by(OperationParams(operation="http"))
    assert await performer.perform(simulated, TASK, "simulated") == "Task 1, simulated"
    assert performer.errors("simulated") != performer.errors() == (BrokenError,)


def test_each_kind_says_what_it_fails_with_and_what_is_worth_another_attempt() -> None:
    """A simulated failure always is, a bug never."""
    simulated = OPERATIONS.by(OperationParams())
    assert simulated.errors() == (ValueError, ApiUnavailableError)
    assert simulated.is_transient(ApiUnavailableError()) is True
    assert simulated.is_transient(KeyError()) is False
    real = OPERATIONS.by(OperationParams(operation="http"))
    assert real.is_transient(BrokenError("for a moment")) is True
    assert real.is_transient(BrokenError("for good")) is False


def test_each_dependency_has_a_retry_budget_of_its_own() -> None:
    """Which whoever calls it shares."""
    operations = Operations()
    assert operations.budget("http") is operations.budget("http") is not operations.budget("sql")


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_task_draws_its_failure_from_its_own_source(rate: float) -> None:
    """One draw a call, so that the same seed gives the same outcome."""
    rng = Random(1)
    assert Task("a", 0, rate, rng).fails() is bool(rate)
    twin = Random(1)
    twin.random()
    assert rng.random() == twin.random()
