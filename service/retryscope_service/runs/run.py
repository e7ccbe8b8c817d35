"""One run of a workflow, whoever asked for it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.trace import SpanContext, get_current_span

from retryscope import Report, message_of, workflow
from retryscope.outcome import error_type_of
from retryscope_service import semconv
from retryscope_service.console.run_summary import inline_run_id
from retryscope_service.operations.operations import Operations
from retryscope_service.runs.result import Counts, RunResult, TaskResult
from retryscope_service.workflows.definition import RunContext, WorkflowDefinition, WorkflowParams


class WorkflowRun:
    """One run.

    Args:
        definition: What runs.
        params: Its parameters; a seed that they lack is drawn.
        operations: What it can call.
        run_id: Of a background run; an inline one is named after its span.
        attributes: Further attributes of its span.
        redelivery_of: Span of an earlier try of the same run.

    Attributes:
        params: Its parameters, with the seed: another run with them does the same.
        error: What ended it, unless it returned.
    """

    def __init__(
        self,
        definition: WorkflowDefinition[Any],
        params: WorkflowParams,
        operations: Operations,
        *,
        run_id: str | None = None,
        attributes: Mapping[str, str | int | float | bool] | None = None,
        redelivery_of: SpanContext | None = None,
    ) -> None:
        self._definition = definition
        self._id = run_id
        self.params = params.model_copy(update={"seed": params.seed_or_drawn()})
        self._context = RunContext(self.params, operations)
        deadline = params.run_deadline()
        self._workflow = workflow(
            definition.name,
            deadline=None if deadline is None else self._context.scaled(deadline),
            attributes={**({} if run_id is None else {semconv.RUN_ID: run_id}), **(attributes or {})},
            redelivery_of=redelivery_of,
        )
        self._seconds = 0.0
        self.error: BaseException | None = None

    @property
    def id(self) -> str:
        """What names it; an inline run has no name before it starts."""
        return inline_run_id(self.span) if self._id is None else self._id

    @property
    def workflow(self) -> str:
        """Name of the workflow."""
        return self._definition.name

    @property
    def span(self) -> SpanContext:
        """Ids of its span, once it has started."""
        return self._workflow.span

    async def execute(self, on_start: Callable[["WorkflowRun"], None] = lambda _: None) -> None:
        """Run it; an error is kept, a cancellation raised. ``on_start`` is called before its tasks."""
        try:
            async with self._workflow:
                try:
                    self._context.run_id = self.id
                    on_start(self)
                    await self._definition.run(self.params, self._context)
                finally:
                    self._count_on_span()
        except Exception as error:
            self.error = error
        except asyncio.CancelledError as cancel:
            self.error = cancel
            raise
        finally:
            self._seconds = self._workflow.seconds

    def error_members(self) -> dict[str, str] | None:
        """Why it failed, as JSON members; None after a success or a cancellation."""
        outcome = self._workflow.outcome
        if self.error is None or outcome is None or outcome == "cancelled":
            return None
        return {"type": error_type_of(outcome, self.error), "message": message_of(self.error)}

    def cleanups(self) -> dict[str, int]:
        """How many of its tasks had a cleanup that ended how."""
        ended = [each.cleanup_outcome for each in self._context.reports if each.cleanup_outcome is not None]
        return {outcome: ended.count(outcome) for outcome in sorted(set(ended))}

    def result(self) -> RunResult:
        """Its answer, once it has ended."""
        outcome = self._workflow.outcome
        assert outcome is not None
        span = self.span
        tasks = [TaskResult.of(report) for report in self._ended()]
        return RunResult(
            workflow=self.workflow,
            outcome=outcome,
            trace_id=f"{span.trace_id:032x}" if span.is_valid else None,
            duration_seconds=round(self._seconds, 6),
            counts=Counts.of([task.outcome for task in tasks]),
            tasks=tasks,
        )

    def _ended(self) -> list[Report[Any]]:
        return [report for report in self._context.reports if report.outcome is not None]

    def _count_on_span(self) -> None:
        """Say on the workflow's span what its answer counts: a success may hide failures."""
        span = get_current_span()
        if span.get_span_context() != self.span:  # tracing is off
            return
        ended = self._ended()
        counts = Counts.of([report.outcome for report in ended if report.outcome is not None])
        span.set_attributes(
            {
                semconv.RUN_TASKS_SUCCEEDED: counts.succeeded,
                semconv.RUN_TASKS_FAILED: counts.failed,
                semconv.RUN_TASKS_TIMED_OUT: counts.timed_out,
                semconv.RUN_TASKS_CANCELLED: counts.cancelled,
                semconv.RUN_ATTEMPTS: sum(report.attempts for report in ended),
            }
        )
