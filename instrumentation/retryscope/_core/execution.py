"""One traced execution, at once a level of the scopes: its span, its outcome, its place in the metrics.

Every primitive opens one of these and ends it with whatever exception came out, so that outcome, status,
counts and logs are decided in one place. It needs no event loop: without one its clock is the monotonic one.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

from opentelemetry.trace import SpanContext

from retryscope import semconv
from retryscope._core.cancel_request import CancelRequest
from retryscope._core.ending import Ending, explain
from retryscope._core.marks import end_scope, outcome_of
from retryscope._core.scope import (
    Expiring,
    Level,
    Progress,
    current_scope,
    enclosing,
    reported_around,
    workflow_here,
)
from retryscope._recording.attributes import AttributeSet
from retryscope._recording.recorder import Attributes
from retryscope._recording.telemetry import Telemetry, active
from retryscope.operation import Operation
from retryscope.outcome import OUTCOMES, Outcome, message_of

_log = logging.getLogger("retryscope")

Clock = Callable[[], float]
"""Seconds since some moment; only differences and deadlines count."""


def running_clock() -> Clock:
    """The running event loop's clock; without one the monotonic clock, which a loop's is as a rule, too."""
    try:
        return asyncio.get_running_loop().time
    except RuntimeError:
        return time.monotonic


ENDED_AS: Final[Mapping[Outcome, Attributes]] = {
    outcome: AttributeSet({semconv.OUTCOME: outcome}) for outcome in OUTCOMES
}


class Execution(Level, ABC):
    """Something that runs under a span. Created when it starts; :meth:`end` must be called exactly once.

    Args:
        telemetry: Where it is recorded.
        span_name: ``{primitive} {operation}``.
        attributes: Span attributes known at the start.
        deadline: By which it must end, in seconds of its clock.
        timer: The timer that enforces its own limit.
        workflow: Name of the workflow, if it is one.
        clock: What measures it; by default :func:`running_clock`.
        started: Now, where the caller has read the clock already.
    """

    __slots__ = (
        "_reported",
        "clock",
        "span",
        "started",
        "telemetry",
        "timed_out",
    )

    def __init__(
        self,
        telemetry: Telemetry,
        span_name: str,
        attributes: Attributes,
        *,
        deadline: float = math.inf,
        timer: Expiring | None = None,
        workflow: str | None = None,
        clock: Clock | None = None,
        started: float | None = None,
    ) -> None:
        self.telemetry = telemetry
        self.clock = clock = clock or running_clock()
        self.started = clock() if started is None else started
        self.timed_out = False
        self.span = telemetry.recorder.start(span_name, attributes)
        around = current_scope()
        self._enter(around, deadline, timer, workflow=workflow)
        self._reported = None
        if around is not None:
            self._reported = reported_around(around)
            if (progress := self.progress) is not None and progress.span is None:
                progress.span = self.span.context

    @property
    def execution(self) -> Execution:
        """Itself."""
        return self

    @property
    def by(self) -> SpanContext:
        """Its span."""
        return self.span.context

    @property
    def progress(self) -> Progress | None:
        """Where it writes what becomes of it, as long as somebody wants to know: it may outlive that."""
        return None if self._reported is None else self._reported.report

    def end(self, error: BaseException | None, attributes: Attributes | None = None) -> None:
        """Close the execution: classify, count, log, end the span.

        Args:
            error: What came out of it, or None if it returned.
            attributes: Further span attributes known only now.
        """
        outcome = self._classify(error)
        final = self._final(outcome)
        if attributes:
            final = {**final, **attributes}
        ending = None
        failure = None
        if error is not None:
            ending = explain(
                self.telemetry,
                self.span,
                outcome,
                error,
                inside=self,
                around=enclosing(self),
                started=self.started,
                now=self.clock(),
            )
            final = {**final, **ending.attributes}
            failure = ending.failure
        self._count(outcome, ending)
        if self._reported is not None and (progress := self.progress) is not None:
            progress.execution_ended(outcome, error)
        if error is None:
            self.leave()
        else:
            end_scope(self, error)
        self.telemetry.recorder.end(self.span, final, failure=failure)

    def ran_out(self, limit: float) -> None:
        """Its own limit has ended it: say so on the span, before :meth:`end`.

        Args:
            limit: Seconds, as the caller gave them.
        """
        self.timed_out = True
        self.telemetry.recorder.event(self.span, semconv.EVENT_TIMEOUT, {semconv.TIMEOUT_LIMIT: limit})

    def _classify(self, error: BaseException | None) -> Outcome:
        return "timeout" if self.timed_out else outcome_of(error, self.started, self)

    def _final(self, outcome: Outcome) -> Attributes:
        """Span attributes that are known only now, whatever came out: the outcome, counts."""
        return ENDED_AS[outcome]

    @abstractmethod
    def _count(self, outcome: Outcome, ending: Ending | None) -> None:
        """Count the end, and log what is to be logged; ``ending`` is None where it returned."""


def _task_here() -> object:
    """The asyncio task that runs here; without an event loop the thread, by its identifier."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return threading.get_ident()


def as_run_here(operation: Operation) -> Operation:
    """The operation under the name of the workflow that it runs in; outside of any it is as declared."""
    workflow = workflow_here()
    if workflow is None or workflow == operation.workflow:
        return operation
    return active().metrics.in_workflow(operation, workflow)


class OperationExecution(Execution):
    """A running operation.

    Args:
        operation: It, as :func:`as_run_here` has it; ``attributes`` are its own and further ones.
        span_name: ``{primitive} {operation}``.
        attributes: Span attributes known at the start.
        deadline: By which it must end, in seconds of its clock.
        timer: The timer that enforces its own limit.
        clock: What measures it; by default :func:`running_clock`.
        started: Now, where the caller has read the clock already.
        task: What runs here, where the caller knows that already.
    """

    __slots__ = ("_enclosing", "_runs_in", "attempts", "metrics", "operation")

    is_attempt: ClassVar[bool] = True
    """Without an attempt inside that has counted itself, it was one."""

    def __init__(
        self,
        operation: Operation,
        span_name: str,
        attributes: Attributes,
        *,
        deadline: float = math.inf,
        timer: Expiring | None = None,
        clock: Clock | None = None,
        started: float | None = None,
        task: object = None,
    ) -> None:
        telemetry = active()
        self.operation = operation
        self.attempts = 0
        self.metrics = telemetry.metrics.of(operation)  # first: nothing is open yet if this fails
        super().__init__(
            telemetry,
            span_name,
            attributes,
            deadline=deadline,
            timer=timer,
            clock=clock,
            started=started,
        )
        self._runs_in = _task_here() if task is None else task
        self._enclosing = None if self.parent is None else self._find_enclosing(self.parent)
        if self._enclosing is None:
            self.metrics.started()

    @property
    def host(self) -> OperationExecution:
        """The execution that counts as the operation: an enclosing one of the same operation, or this."""
        return self._enclosing or self

    def leave(self) -> None:
        """It is in force no more, and keeps no task: tasks may start each other for days."""
        self._runs_in = None
        super().leave()

    def _find_enclosing(self, parent: Level) -> OperationExecution | None:
        """An enclosing execution of the same operation.

        A ``timeout`` inside a ``retry`` of the same operation is part of the attempt, not an operation more.
        """
        around = parent.execution
        if (
            isinstance(around, OperationExecution)
            and around.operation is self.operation
            and around._runs_in == self._runs_in
        ):
            return around.host
        return None

    def _count(self, outcome: Outcome, ending: Ending | None) -> None:
        if ending is not None and ending.request is not None:
            self._tell_cancel(ending.request)
        if self._enclosing is not None:
            return
        exemplar = self.span.exemplar
        seconds = self.clock() - self.started
        if self.attempts == 0 and self.is_attempt:
            self.attempts = 1
            if ending is None:
                self.metrics.attempt("success", "", seconds, None)
            else:
                attempt: Outcome = "error" if outcome == "exhausted" else outcome
                self.metrics.attempt(attempt, ending.error_type, seconds, exemplar)
                if ending.request is None and _log.isEnabledFor(logging.DEBUG):
                    extra = {**self.operation.attributes, semconv.OUTCOME: outcome, **ending.attributes}
                    _log.debug("%s failed: %s", self.operation.name, message_of(ending.error), extra=extra)
        self.metrics.ended(outcome, seconds, self.attempts, exemplar)

    def _tell_cancel(self, request: CancelRequest) -> None:
        if self.host is self:
            self.metrics.cancelled(request.cause)
        if _log.isEnabledFor(logging.DEBUG):
            attributes = {**self.operation.attributes, **request.attributes}
            _log.debug("%s %s", self.operation.name, request, extra=attributes)
