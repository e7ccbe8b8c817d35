"""One run in short: how far it is, what it counts, what went wrong in it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from retryscope import semconv
from retryscope.outcome import FAILED, OUTCOMES
from retryscope_service import semconv as service_semconv
from retryscope_service.console.run_errors import RunErrors
from retryscope_service.traces.span_json import error_of
from retryscope_service.traces.span_parts import said_at_end

_NOT_FAILED: Final = frozenset(OUTCOMES) - frozenset(FAILED)
_COUNTED: Final = {
    "succeeded": service_semconv.RUN_TASKS_SUCCEEDED,
    "failed": service_semconv.RUN_TASKS_FAILED,
    "timed_out": service_semconv.RUN_TASKS_TIMED_OUT,
    "cancelled": service_semconv.RUN_TASKS_CANCELLED,
}
"""Attributes of a workflow's span by the fields of the tasks."""


@dataclass(slots=True)
class TaskCounts:
    """Tasks by how far they are: while the run goes on its operations, at its end what its answer counts."""

    running: int = 0
    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    cancelled: int = 0

    def ended(self, outcome: str | None) -> None:
        """One of those that ran has ended."""
        self.running -= 1
        if outcome == "success":
            self.succeeded += 1
        elif outcome == "timeout":
            self.timed_out += 1
        elif outcome == "cancelled":
            self.cancelled += 1
        else:
            self.failed += 1


@dataclass(slots=True)
class RunSummary:
    """A run; its fields are the members of the JSON but for the times, which are in nanoseconds."""

    id: str
    kind: str
    workflow: str
    trace_id: str
    span_id: str
    started_at: int
    state: str = "running"
    outcome: str | None = None
    ended_at: int | None = None
    attempts: int = 0
    retries: int = 0
    failures: int = 0
    cancel_cause: str | None = None
    cancel_requested_at: int | None = None
    tasks: TaskCounts = field(default_factory=TaskCounts)
    errors: RunErrors = field(default_factory=RunErrors)

    @classmethod
    def of(cls, span: ReadableSpan) -> "RunSummary":
        """The run whose workflow's span has started."""
        assert span.context is not None
        assert span.start_time is not None
        attributes = span.attributes or {}
        trace_id, span_id = f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"
        background = attributes.get(service_semconv.RUN_ID)
        return cls(
            id=inline_run_id(span.context) if background is None else str(background),
            kind="inline" if background is None else "background",
            workflow=str(attributes.get(semconv.WORKFLOW, semconv.OTHER)),
            trace_id=trace_id,
            span_id=span_id,
            started_at=span.start_time,
        )

    def as_json(self) -> dict[str, Any]:
        """As the page gets it; times are seconds since the epoch."""
        return {
            "id": self.id,
            "kind": self.kind,
            "workflow": self.workflow,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "state": self.state,
            "outcome": self.outcome,
            "started_at": self.started_at / 1e9,
            "ended_at": _seconds(self.ended_at),
            "attempts": self.attempts,
            "retries": self.retries,
            "failures": self.failures,
            "cancel_cause": self.cancel_cause,
            "cancel_requested_at": _seconds(self.cancel_requested_at),
            "tasks": asdict(self.tasks),
            "error": self.errors.last,
            "error_types": list(self.errors.types),
        }

    def attempt_ended(self, said: Mapping[str, Any]) -> None:
        """An attempt, a span or an event, has ended; that it failed need not matter."""
        if said.get(semconv.OUTCOME) not in _NOT_FAILED:
            self.failures += 1
            error_type = said.get(semconv.ERROR_TYPE)
            if error_type is not None:
                self.errors.add_type(str(error_type))

    def operation_ended(self, span: ReadableSpan, attempts: int) -> None:
        """An operation has ended, in which so many attempts have been counted."""
        outcome = said_at_end(span).get(semconv.OUTCOME)
        failed = outcome not in _NOT_FAILED
        self.tasks.ended(outcome)
        if attempts == 0:  # what is not retried is one
            self.attempts += 1
            self.failures += failed
        if failed:
            self.errors.add(error_of(span))

    def ended(self, span: ReadableSpan) -> None:
        """Its own span has ended; where that says what the run's answer counts, that is what counts."""
        attributes: Mapping[str, Any] = span.attributes or {}
        self.state = "ended"
        self.outcome = attributes.get(semconv.OUTCOME)
        self.ended_at = span.end_time
        cause = attributes.get(semconv.CANCEL_CAUSE)
        self.cancel_cause = None if cause is None else str(cause)
        if self.outcome not in _NOT_FAILED:
            self.errors.add(error_of(span))
        self.tasks.running = 0
        for name, attribute in _COUNTED.items():
            if attribute in attributes:
                setattr(self.tasks, name, attributes[attribute])
        attempts = attributes.get(service_semconv.RUN_ATTEMPTS)
        if isinstance(attempts, int):
            self.attempts = attempts


def inline_run_id(span: SpanContext) -> str:
    """An inline run is the span of a workflow, and has no other id."""
    return f"{span.trace_id:032x}-{span.span_id:016x}"


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9
