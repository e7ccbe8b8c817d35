"""What performs the tasks of a run: what is simulated, or a dependency."""

from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from retryscope_service.operations.operations import OperationParams, Operations
from retryscope_service.operations.parameters import RefusedParameterError
from retryscope_service.operations.simulated import ApiUnavailableError
from retryscope_service.operations.sql import SqlParams
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

    def check(self, params: Any) -> None:
        if params is not None:
            raise RefusedParameterError("sql.rows", str(params.rows), "too many")


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


def test_a_section_that_nobody_would_read_is_refused() -> None:
    """Whoever gives it has forgotten to choose its kind."""
    with pytest.raises(
        ValidationError, match="it has parameters, but performs nothing here: operation would have to be sql"
    ):
        OperationParams(operation="http", sql=SqlParams())


def test_what_is_not_given_is_not_stored() -> None:
    """Three sections would stand in the record of every run."""
    assert OperationParams().model_dump() == {"operation": "simulated"}
    given = OperationParams(operation="sql", sql=SqlParams(rows=3))
    assert given.model_dump() == {"operation": "sql", "sql": {"rows": 3}}


def test_a_dependency_may_refuse_what_is_valid_by_itself() -> None:
    """Before anything starts; only what the run uses is asked."""
    OPERATIONS.check(OperationParams())
    OPERATIONS.check(OperationParams(operation="sql"))
    with pytest.raises(RefusedParameterError) as refused:
        OPERATIONS.check(OperationParams(operation="sql", sql=SqlParams(rows=7)))
    assert (refused.value.field, refused.value.value, str(refused.value)) == ("sql.rows", "7", "too many")


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
