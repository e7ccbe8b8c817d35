"""A workflow: the root of what one request or job does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from opentelemetry.trace import SpanContext

from retryscope import semconv
from retryscope._core.ending import Ending
from retryscope._core.execution import Execution
from retryscope._core.timer import Timer, running_task
from retryscope._recording.recorder import Attributes
from retryscope._recording.telemetry import active
from retryscope.entry import first_entry
from retryscope.metrics import WorkflowMetrics
from retryscope.operation import require_name
from retryscope.outcome import Outcome
from retryscope.printable import described, encodable
from retryscope.timeout import require_seconds


class workflow:  # noqa: N801  (reads like asyncio.timeout)
    """Trace and count a workflow, optionally within a deadline that everything inside respects.

    An async context manager; errors pass through.

    Args:
        name: Name of the workflow, from a small fixed set.
        deadline: Seconds that it may take, > 0; None: no limit.
        attributes: Further span attributes, known at the start.
        redelivery_of: Span of an earlier try of the same work, to be linked to.

    Raises:
        TypeError: ``name`` is no text, ``deadline`` no number, or ``attributes`` no mapping of names.
        ValueError: ``deadline`` is out of bounds, or ``name`` is no name.
        TimeoutError: The deadline was reached.
        RuntimeError: It was entered before, or has a deadline and is outside of a task.

    >>> import asyncio
    >>> async def main():
    ...     async with workflow("nightly") as run:
    ...         await asyncio.sleep(0)
    ...     return run.outcome
    >>> asyncio.run(main())
    'success'
    """

    __slots__ = ("_attributes", "_deadline", "_entered", "_name", "_redelivery_of", "_timer")

    def __init__(
        self,
        name: str,
        *,
        deadline: float | None = None,
        attributes: Attributes | None = None,
        redelivery_of: SpanContext | None = None,
    ) -> None:
        self._name = require_name("workflow name", name)
        self._attributes = {
            encodable(key): encodable(value) if isinstance(value, str) else value
            for key, value in _checked(attributes).items()
        }
        self._redelivery_of = redelivery_of
        self._deadline = None if deadline is None else require_seconds("workflow deadline", deadline)
        self._entered: _WorkflowExecution | None = None

    @property
    def _execution(self) -> _WorkflowExecution:
        if self._entered is None:
            raise RuntimeError(f"workflow {self._name} has not been entered")
        return self._entered

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it runs."""
        return self._execution.outcome

    @property
    def span(self) -> SpanContext:
        """Ids of its span."""
        return self._execution.span.context

    @property
    def seconds(self) -> float:
        """Time since it started, in seconds."""
        return self._execution.clock() - self._execution.started

    async def __aenter__(self) -> Self:
        first_entry(self._entered, "workflow")
        limit = self._deadline
        timer: Timer | None = None
        if limit is not None:
            task = running_task("workflow")
            timer = Timer(task, task.get_loop().time() + limit)
        execution = _WorkflowExecution(self._name, self._attributes, limit, timer)
        if self._redelivery_of is not None:
            recorder = execution.telemetry.recorder
            recorder.link(execution.span, self._redelivery_of, semconv.LINK_REDELIVERY_OF)
        self._entered = execution
        self._timer = timer
        if timer is not None:
            timer.span = execution.span.context
            timer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._timer is not None and self._timer.stop(error):
            raise self._ran_out() from error
        self._execution.end(error)

    def _ran_out(self) -> TimeoutError:
        """End it so; what is to be raised, which no local of the caller's may hold."""
        assert self._deadline is not None
        expired = TimeoutError(f"workflow {self._name} ran past its deadline of {self._deadline:g} s")
        self._execution.ran_out(self._deadline)
        self._execution.end(expired)
        return expired


def _checked(attributes: Attributes | None) -> Attributes:
    given: object = {} if attributes is None else attributes
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise TypeError(f"workflow attributes must be a mapping of names to values, got {described(given)}")
    return given


class _WorkflowExecution(Execution):
    __slots__ = ("_metrics", "outcome")

    def __init__(
        self,
        name: str,
        further: Attributes,
        limit: float | None,
        timer: Timer | None,
    ) -> None:
        telemetry = active()
        attributes = {semconv.WORKFLOW: name, **further}
        if limit is not None:
            attributes[semconv.DEADLINE] = limit
        span_name = f"{semconv.SPAN_WORKFLOW} {name}"
        self.outcome: Outcome | None = None
        self._metrics: WorkflowMetrics = telemetry.metrics.of_workflow(name)  # first: nothing is open yet
        deadline = math.inf if timer is None else timer.when
        super().__init__(telemetry, span_name, attributes, deadline=deadline, timer=timer, workflow=name)
        self._metrics.started()

    def _count(self, outcome: Outcome, ending: Ending | None) -> None:
        # The operations inside count the cause of a cancel; a workflow is counted by its outcome.
        self.outcome = outcome
        self._metrics.ended(outcome, self.clock() - self.started, self.span.exemplar)
