"""What a run answers."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field

from retryscope import Outcome, Report, message_of
from retryscope.outcome import FAILED, error_type_of


class ErrorInfo(BaseModel):
    """Why a task failed."""

    type: str = Field(description="Class of the exception, or timeout.")
    message: str


class TaskResult(BaseModel):
    """What became of one task: a value, or an error."""

    name: str
    outcome: Outcome
    value: Any = Field(None, description="What the task returned; only after success.")
    error: ErrorInfo | None = Field(None, description="Why it failed; only after a failure.")
    attempts: int
    backoff_seconds: float = Field(description="Seconds waited between attempts.")
    cleanup_seconds: float = Field(description="Seconds of cleanup after a cancellation.")

    @classmethod
    def of(cls, report: Report[Any]) -> "TaskResult":
        """The result of an ended task."""
        assert report.outcome is not None
        known: dict[str, Any] = {}
        if report.outcome == "success":
            known["value"] = report.value
        elif report.outcome != "cancelled" and report.error is not None:
            kind = error_type_of(report.outcome, report.error)
            known["error"] = ErrorInfo(type=kind, message=message_of(report.error))
        return cls(
            name=report.name,
            outcome=report.outcome,
            attempts=report.attempts,
            backoff_seconds=round(report.backoff_seconds, 6),
            cleanup_seconds=round(report.cleanup_seconds, 6),
            **known,
        )


class Counts(BaseModel):
    """How many tasks ended how."""

    succeeded: int = 0
    failed: int = Field(0, description="Errors and exhausted retries.")
    timed_out: int = 0
    cancelled: int = 0

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> "Counts":
        """Count the outcomes of tasks."""
        return cls(
            succeeded=outcomes.count("success"),
            failed=sum(outcome in FAILED for outcome in outcomes) - outcomes.count("timeout"),
            timed_out=outcomes.count("timeout"),
            cancelled=outcomes.count("cancelled"),
        )


class RunResult(BaseModel):
    """The answer of a workflow."""

    workflow: str
    outcome: Outcome = Field(description="Of the workflow as a whole; it may succeed though tasks failed.")
    trace_id: str | None = Field(description="Its trace, at /traces/{trace_id}; null if tracing is off.")
    duration_seconds: float
    counts: Counts
    tasks: list[TaskResult]

    def members(self) -> dict[str, Any]:
        """As JSON members, without those that don't apply."""
        return self.model_dump(mode="json", exclude_unset=True)
