"""A workflow: the root of what one request or job does."""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Self

from opentelemetry.trace import SpanContext

from retryscope import semconv
from retryscope._core.ending import Ending
from retryscope._core.execution import Execution
from retryscope._recording.recorder import Attributes
from retryscope._recording.telemetry import active
from retryscope.metrics import WorkflowMetrics
from retryscope.operation import require_name
from retryscope.outcome import Outcome
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
        ValueError: ``deadline`` is out of bounds, or ``name`` is no name.
        TimeoutError: The deadline was reached.

    >>> import asyncio
    >>> async def main():
    ...     async with workflow("nightly") as run:
    ...         await asyncio.sleep(0)
    ...     return run.outcome
    >>> asyncio.run(main())
    'success'
    """

    __slots__ = ("_attributes", "_deadline", "_execution", "_name", "_redelivery_of", "_timer")

    def __init__(
        self,
        name: str,
        *,
        deadline: float | None = None,
        attributes: Attributes | None = None,
        redelivery_of: SpanContext | None = None,
    ) -> None:
        self._name = require_name("workflow name", name)
        self._attributes = attributes or {}
        self._redelivery_of = redelivery_of
        self._deadline = None if deadline is None else require_seconds("workflow deadline", deadline)

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
        limit = self._deadline
        when = math.inf if limit is None else asyncio.get_running_loop().time() + limit
        self._timer = asyncio.timeout_at(None if limit is None else when)
        await self._timer.__aenter__()
        execution = _WorkflowExecution(self._name, self._attributes, limit, when, self._timer)
        if self._redelivery_of is not None:
            recorder = execution.telemetry.recorder
            recorder.link(execution.span, self._redelivery_of, semconv.LINK_REDELIVERY_OF)
        self._execution = execution
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        execution = self._execution
        try:
            await self._timer.__aexit__(kind, error, tb)
        except TimeoutError as expired:
            assert self._deadline is not None
            what = f"workflow {self._name} ran past its deadline of {self._deadline:g} s"
            execution.ran_out(expired, what, self._deadline)
            execution.end(expired)
            raise
        execution.end(error)


class _WorkflowExecution(Execution):
    __slots__ = ("_metrics", "outcome")

    def __init__(
        self,
        name: str,
        further: Attributes,
        limit: float | None,
        deadline: float,
        timer: asyncio.Timeout,
    ) -> None:
        telemetry = active()
        attributes = {semconv.WORKFLOW: name, **further}
        if limit is not None:
            attributes[semconv.DEADLINE] = limit
        span_name = f"{semconv.SPAN_WORKFLOW} {name}"
        super().__init__(telemetry, span_name, attributes, deadline=deadline, timer=timer, workflow=name)
        self.outcome: Outcome | None = None
        self._metrics: WorkflowMetrics = telemetry.metrics.of_workflow(name)
        self._metrics.started()

    def _count(self, outcome: Outcome, ending: Ending | None) -> None:
        # The operations inside count the cause of a cancel; a workflow is counted by its outcome.
        self.outcome = outcome
        self._metrics.ended(outcome, self.clock() - self.started, self.span.exemplar)
