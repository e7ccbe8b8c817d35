"""One traced execution: its span, its scope, its outcome, and for an operation its place in the metrics.

Every primitive opens one of these and ends it with whatever exception came out, so that outcome, status,
counts and logs are decided in one place.
"""

from __future__ import annotations

import asyncio
import logging
import math
from abc import ABC, abstractmethod

from . import semconv
from .cancel_request import CancelRequest, cancel_request
from .operation import Operation
from .outcome import (
    GiveUpReason,
    Outcome,
    error_type_of,
    mark_exhausted,
    mark_recorded,
    message_of,
    outcome_of,
    recorded_since,
)
from .recording import Attributes
from .scope import Scope, current_scope, leave_scope
from .telemetry import Telemetry, active

_log = logging.getLogger("instrumentation")
_Final = dict[str, str | int | float | bool]


class Execution(ABC):
    """Something that runs under a span. Created when it starts; :meth:`end` must be called exactly once.

    Args:
        telemetry: Where it is recorded.
        span_name: ``{primitive} {operation}``.
        attributes: Span attributes known at the start.
        deadline: Absolute ``loop.time()`` in seconds by which it must end.
        timer: The timer that enforces its own limit.
        workflow: Name of the workflow, if it is one.
    """

    __slots__ = (
        "_scope_token",
        "giveup",
        "loop",
        "report",
        "scope",
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
        timer: asyncio.Timeout | None = None,
        workflow: str | None = None,
    ) -> None:
        self.telemetry = telemetry
        self.loop = asyncio.get_running_loop()
        self.started = self.loop.time()
        self.timed_out = False
        self.giveup: GiveUpReason | None = None
        self.span = telemetry.recorder.start(span_name, attributes)
        self.scope = Scope(
            current_scope.get(),
            execution=self,
            deadline=deadline,
            timer=timer,
            span=self.span.context,
            workflow=workflow,
        )
        self.report = self.scope.report
        if self.report is not None and self.report.span is None:
            self.report.span = self.span.context
        self._scope_token = current_scope.set(self.scope)

    def end(self, error: BaseException | None, attributes: Attributes | None = None) -> None:
        """Close the execution: classify, count, log, end the span.

        Args:
            error: What came out of it, or None if it returned.
            attributes: Further span attributes known only now.
        """
        outcome = self._classify(error)
        final: _Final = {semconv.OUTCOME: outcome}
        if attributes:
            final.update(attributes)
        failure = None if error is None else self._explain(error, outcome, final)
        self._count(outcome, error)
        if self.report is not None:
            self.report.execution_ended(outcome, error)
        abandoned = isinstance(error, GeneratorExit)
        if not abandoned:
            leave_scope(self._scope_token)
        self.scope.execution = None  # a cycle would keep every span alive until the next garbage collection
        self.telemetry.recorder.end(self.span, final, failure=failure, abandoned=abandoned)

    def _classify(self, error: BaseException | None) -> Outcome:
        if self.timed_out:
            return "timeout"
        if self.giveup == "non_retryable":
            return "error"
        return "exhausted" if self.giveup is not None else outcome_of(error, self.started)

    def _explain(self, error: BaseException, outcome: Outcome, final: _Final) -> str | None:
        """Put the reason on the span; returns the description of the status ERROR, if it gets that."""
        recorder = self.telemetry.recorder
        if outcome == "cancelled":
            request = cancel_request(error, self.scope.parent)
            final.update(request.attributes)
            recorder.event(self.span, semconv.EVENT_CANCEL_REQUESTED, request.attributes, request.time_ns)
            if request.by is not None:
                recorder.link(self.span, request.by)
            self._count_cancel(request)
            return None
        final[semconv.ERROR_TYPE] = error_type_of(outcome, error)
        if outcome == "exhausted":
            mark_exhausted(error, self.loop.time())
        elif outcome == "error" and not recorded_since(error, self.started):
            recorder.exception(self.span, error)
        mark_recorded(error, self.loop.time())  # a timeout's record is its event
        return message_of(error) if self.telemetry.is_failure(outcome) else None

    @abstractmethod
    def _count(self, outcome: Outcome, error: BaseException | None) -> None:
        """Count the end."""

    @abstractmethod
    def _count_cancel(self, request: CancelRequest) -> None:
        """Count the cause of a cancel."""


def as_run_here(operation: Operation) -> Operation:
    """The operation under the name of the workflow that it runs in; outside of any it is as declared."""
    scope = current_scope.get()
    if scope is None or scope.workflow is None or scope.workflow == operation.workflow:
        return operation
    return active().metrics.in_workflow(operation, scope.workflow)


class OperationExecution(Execution):
    """A running operation.

    Args:
        operation: It, as :func:`as_run_here` has it; ``attributes`` are its own and further ones.
        span_name: ``{primitive} {operation}``.
        attributes: Span attributes known at the start.
        deadline: Absolute ``loop.time()`` in seconds by which it must end.
        timer: The timer that enforces its own limit.
    """

    __slots__ = ("_enclosing", "attempts", "metrics", "operation")

    def __init__(
        self,
        operation: Operation,
        span_name: str,
        attributes: Attributes,
        *,
        deadline: float = math.inf,
        timer: asyncio.Timeout | None = None,
    ) -> None:
        telemetry = active()
        super().__init__(telemetry, span_name, attributes, deadline=deadline, timer=timer)
        self.operation = operation
        self.attempts = 0
        self.metrics = telemetry.metrics.of(operation)
        self._enclosing = self._find_enclosing()
        if self._enclosing is None:
            self.metrics.started()

    @property
    def host(self) -> OperationExecution:
        """The execution that counts as the operation: an enclosing one of the same operation, or this."""
        return self._enclosing or self

    def _find_enclosing(self) -> OperationExecution | None:
        """An enclosing execution of the same operation.

        A ``timeout`` inside a ``retry`` of the same operation is part of the attempt, not an operation more.
        """
        parent = self.scope.parent
        enclosing = None if parent is None else parent.execution
        if (
            isinstance(enclosing, OperationExecution)
            and enclosing.operation is self.operation
            and enclosing.scope.task is self.scope.task
        ):
            return enclosing.host
        return None

    def _count(self, outcome: Outcome, error: BaseException | None) -> None:
        if self.host is not self:
            return
        exemplar = self.span.exemplar
        seconds = self.loop.time() - self.started
        if self.attempts == 0:  # no retry inside has counted its own: the execution was one attempt
            self.attempts = 1
            attempt: Outcome = "error" if outcome == "exhausted" else outcome
            kind = error_type_of(outcome, error)
            self.metrics.attempt(attempt, kind, seconds, None if error is None else exemplar)
            if error is not None and outcome != "cancelled" and _log.isEnabledFor(logging.DEBUG):
                self._log_failure(error, outcome, kind)
        self.metrics.ended(outcome, seconds, self.attempts, exemplar)

    def _log_failure(self, error: BaseException, outcome: Outcome, kind: str) -> None:
        attributes = {**self.operation.attributes, semconv.OUTCOME: outcome, semconv.ERROR_TYPE: kind}
        _log.debug("%s failed: %s", self.operation.name, message_of(error), extra=attributes)

    def _count_cancel(self, request: CancelRequest) -> None:
        if self.host is self:
            self.metrics.cancelled(request.cause)
        if _log.isEnabledFor(logging.DEBUG):
            attributes = {**self.operation.attributes, **request.attributes}
            _log.debug("%s %s", self.operation.name, request, extra=attributes)
