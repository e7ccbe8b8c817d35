"""One attempt of a retry: its span or event, its timer, its count."""

from __future__ import annotations

import asyncio
import logging
import math

from . import semconv
from .cancel_request import cancel_request
from .execution import OperationExecution
from .outcome import (
    Outcome,
    error_type_of,
    mark_recorded,
    message_of,
    recorded_since,
)
from .recording import Attributes, OpenSpan
from .scope import Scope, current_scope, leave_scope

_log = logging.getLogger("instrumentation")
_SUCCEEDED: Attributes = {semconv.OUTCOME: "success"}


class Attempt:
    """A running attempt. Created when it starts; :meth:`end` must be called exactly once.

    Args:
        execution: The retry that it belongs to.
        number: From 1.
        span_name: ``attempt {operation}``.
        attributes: Span attributes, the number among them.
        limit: Seconds that this attempt may take; None: only until the execution's deadline.
    """

    __slots__ = (
        "_attributes",
        "_execution",
        "_number",
        "_own_span",
        "_scope_token",
        "_span",
        "_started",
        "timed_out",
        "timer",
    )

    def __init__(
        self,
        execution: OperationExecution,
        number: int,
        span_name: str,
        attributes: Attributes,
        limit: float | None,
    ) -> None:
        self._execution = execution
        self._number = number
        self._attributes = attributes
        self._started = execution.loop.time()
        self.timed_out = False
        deadline = execution.scope.deadline
        when = deadline if limit is None else min(deadline, self._started + limit)
        self.timer = asyncio.timeout_at(when) if when < math.inf else None
        self._own_span: OpenSpan | None = None
        if execution.telemetry.attempts == "spans":
            self._own_span = execution.telemetry.recorder.start(span_name, attributes)
        self._span = self._own_span or execution.span
        scope = Scope(
            execution.scope,
            execution=execution,
            deadline=when,
            timer=self.timer,
            span=self._span.context,
            attempt=number,
        )
        self._scope_token = current_scope.set(scope)

    def end(self, error: BaseException | None) -> None:
        """Close the attempt: classify, count, log, end the span."""
        execution = self._execution
        seconds = execution.loop.time() - self._started
        execution.host.attempts += 1
        if execution.report is not None:
            execution.report.attempts += 1
        abandoned = isinstance(error, GeneratorExit)
        if not abandoned:
            leave_scope(self._scope_token)
        if error is None:
            execution.metrics.attempt("success", "", seconds, None)
            self._close(seconds, _SUCCEEDED)
            return
        outcome = self._classify(error)
        kind = error_type_of(outcome, error)
        final: dict[str, str] = {semconv.OUTCOME: outcome}
        failure = None
        if outcome == "cancelled":
            final.update(cancel_request(error, execution.scope).attributes)
        else:
            final[semconv.ERROR_TYPE] = kind
            self._record(error, outcome, kind)  # first: it gives a timeout its message
            failure = message_of(error) if execution.telemetry.is_failure(outcome) else None
        execution.metrics.attempt(outcome, kind, seconds, self._span.exemplar)
        self._close(seconds, final, failure=failure, abandoned=abandoned)

    def _close(
        self, seconds: float, final: Attributes, *, failure: str | None = None, abandoned: bool = False
    ) -> None:
        execution = self._execution
        recorder = execution.telemetry.recorder
        if self._own_span is not None:
            recorder.end(self._own_span, final, failure=failure, abandoned=abandoned)
            return
        event = {**self._attributes, **final, semconv.ATTEMPT_ELAPSED: seconds}
        recorder.event(execution.span, semconv.EVENT_ATTEMPT, event)

    def _classify(self, error: BaseException) -> Outcome:
        if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            return "cancelled"  # wins over a timer that fired at the same time
        if isinstance(error, TimeoutError) and self.timer is not None and self.timer.expired():
            return "timeout"
        return "error"

    def _record(self, error: BaseException, outcome: Outcome, kind: str) -> None:
        execution = self._execution
        recorder = execution.telemetry.recorder
        now = execution.loop.time()
        if outcome == "timeout":
            self.timed_out = True
            limit = self._limit()
            error.args = (
                f"attempt {self._number} of {execution.operation.name} timed out after {limit:g} s",
            )
            recorder.event(
                execution.span,
                semconv.EVENT_TIMEOUT,
                {semconv.ATTEMPT_NUMBER: self._number, semconv.TIMEOUT_LIMIT: limit},
            )
        elif not recorded_since(error, self._started):
            recorder.exception(self._span, error)
        mark_recorded(error, now)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug(
                "attempt %d of %s failed: %s",
                self._number,
                execution.operation.name,
                message_of(error),
                extra={
                    **execution.operation.attributes,
                    semconv.ATTEMPT_NUMBER: self._number,
                    semconv.OUTCOME: outcome,
                    semconv.ERROR_TYPE: kind,
                },
            )

    def _limit(self) -> float:
        when = self.timer.when() if self.timer is not None else None
        return math.inf if when is None else when - self._started
