"""A run's answer: which members it has, and when."""

from typing import Any

from retryscope import Report
from retryscope.outcome import Outcome
from retryscope_service.runs.result import Counts, RunResult, TaskResult

ALWAYS = {"name", "outcome", "attempts", "backoff_seconds", "cleanup_seconds"}


def report(outcome: Outcome, **known: Any) -> Report[Any]:
    return Report("Task 1", outcome, attempts=1, **known)


def members(outcome: Outcome, **known: Any) -> dict[str, Any]:
    return TaskResult.of(report(outcome, **known)).model_dump(exclude_unset=True)


def test_a_success_has_a_value_and_no_error() -> None:
    """The value may also be null."""
    assert members("success", value={"a": 1}) == {
        "name": "Task 1",
        "outcome": "success",
        "value": {"a": 1},
        "attempts": 1,
        "backoff_seconds": 0,
        "cleanup_seconds": 0,
    }
    assert members("success", value=None)["value"] is None


def test_a_failure_has_an_error_and_no_value() -> None:
    """With the class and the message of the exception."""
    failed = members("error", error=KeyError("sku"))
    assert set(failed) == ALWAYS | {"error"}
    assert failed["error"] == {"type": "KeyError", "message": "'sku'"}
    assert members("exhausted", error=OSError("down"))["error"] == {"type": "OSError", "message": "down"}


def test_the_error_of_a_timeout_has_the_type_timeout() -> None:
    """As its span has it."""
    assert members("timeout", error=TimeoutError("late"))["error"] == {"type": "timeout", "message": "late"}


def test_a_cancelled_task_has_neither() -> None:
    """Nobody failed."""
    assert set(members("cancelled")) == ALWAYS


def test_counts_add_up() -> None:
    """Each task is in exactly one of the four; an exhausted retry has failed."""
    outcomes: list[Outcome] = ["success", "error", "exhausted", "timeout", "timeout", "cancelled"]
    tasks = [TaskResult.of(report(outcome)) for outcome in outcomes]
    counts = Counts.of([task.outcome for task in tasks])
    assert counts == Counts(succeeded=1, failed=2, timed_out=2, cancelled=1)
    assert sum(counts.model_dump().values()) == len(tasks)


def test_a_result_has_all_its_members_also_without_a_trace() -> None:
    """With tracing off the trace is null, not missing."""
    result = RunResult(
        workflow="retry",
        outcome="success",
        trace_id=None,
        duration_seconds=1.5,
        counts=Counts.of([]),
        tasks=[],
    )
    assert result.members() == {
        "workflow": "retry",
        "outcome": "success",
        "trace_id": None,
        "duration_seconds": 1.5,
        "counts": {"succeeded": 0, "failed": 0, "timed_out": 0, "cancelled": 0},
        "tasks": [],
    }
