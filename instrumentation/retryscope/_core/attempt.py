"""One attempt of a retry: its span or event, its timer, its count."""

from __future__ import annotations

import asyncio
import logging

from retryscope import semconv
from retryscope._core.ending import Ending, explain
from retryscope._core.execution import OperationExecution
from retryscope._core.scope import Scope, current_scope, leave_scope
from retryscope._recording.recorder import Attributes, OpenSpan
from retryscope.outcome import Outcome, message_of, outcome_of

_log = logging.getLogger("retryscope")
_SUCCEEDED: Attributes = {semconv.OUTCOME: "success"}


class Attempt:
    """A running attempt. Created when it starts; :meth:`end` must be called exactly once.

    Args:
        execution: The retry that it belongs to.
        number: From 1.
        span_name: ``attempt {operation}``.
        attributes: Span attributes, the number among them.
        started: Now, in seconds of the execution's clock.
        deadline: By which it must end, by the same clock.
        timer: What sees to that; None: nothing does.
    """

    __slots__ = (
        "_attributes",
        "_deadline",
        "_execution",
        "_number",
        "_own_span",
        "_scope_token",
        "_span",
        "_started",
        "_timer",
        "timed_out",
    )

    def __init__(
        self,
        execution: OperationExecution,
        number: int,
        span_name: str,
        attributes: Attributes,
        *,
        started: float,
        deadline: float,
        timer: asyncio.Timeout | None,
    ) -> None:
        self._execution = execution
        self._number = number
        self._attributes = attributes
        self._started = started
        self._deadline = deadline
        self._timer = timer
        self.timed_out = False
        self._own_span: OpenSpan | None = None
        if execution.telemetry.attempts == "spans":
            self._own_span = execution.telemetry.recorder.start(span_name, attributes)
        self._span = self._own_span or execution.span
        scope = Scope(
            execution.scope,
            execution=execution,
            deadline=deadline,
            timer=timer,
            span=self._span.context,
            attempt=number,
        )
        self._scope_token = current_scope.set(scope)

    def end(self, error: BaseException | None) -> None:
        """Close the attempt: classify, count, log, end the span."""
        execution = self._execution
        now = execution.clock()
        seconds = now - self._started
        execution.host.attempts += 1
        if execution.report is not None:
            execution.report.attempts += 1
        if error is None:
            leave_scope(self._scope_token)
            execution.metrics.attempt("success", "", seconds, None)
            self._close(seconds, _SUCCEEDED)
            return
        outcome = self._classify(error)
        if outcome == "timeout":
            self._run_out(error)  # first: it gives the error its message
        ending = explain(
            execution.telemetry,
            self._span,
            outcome,
            error,
            around=execution.scope,
            started=self._started,
            now=now,
            is_part=True,
        )
        if not ending.abandoned:
            leave_scope(self._scope_token)
        final = {semconv.OUTCOME: outcome, **ending.attributes}
        if ending.request is None and _log.isEnabledFor(logging.DEBUG):
            number = {semconv.ATTEMPT_NUMBER: self._number}
            _log.debug(
                "attempt %d of %s failed: %s",
                self._number,
                execution.operation.name,
                message_of(error),
                extra={**execution.operation.attributes, **number, **final},
            )
        execution.metrics.attempt(outcome, ending.error_type, seconds, self._span.exemplar)
        self._close(seconds, final, ending)

    def _close(self, seconds: float, final: Attributes, ending: Ending | None = None) -> None:
        execution = self._execution
        recorder = execution.telemetry.recorder
        if self._own_span is None:
            event = {**self._attributes, **final, semconv.ATTEMPT_ELAPSED: seconds}
            recorder.event(execution.span, semconv.EVENT_ATTEMPT, event)
        elif ending is None:
            recorder.end(self._own_span, final)
        else:
            recorder.end(self._own_span, final, failure=ending.failure, abandoned=ending.abandoned)

    def _classify(self, error: BaseException) -> Outcome:
        outcome = outcome_of(error, self._started)
        if outcome == "cancelled":
            return "cancelled"  # wins over a timer that fired at the same time
        if isinstance(error, TimeoutError) and self._timer is not None and self._timer.expired():
            return "timeout"
        return "error"  # also where a retry inside gave up

    def _run_out(self, error: BaseException) -> None:
        execution = self._execution
        self.timed_out = True
        limit = self._deadline - self._started
        error.args = (f"attempt {self._number} of {execution.operation.name} timed out after {limit:g} s",)
        execution.telemetry.recorder.event(
            execution.span,
            semconv.EVENT_TIMEOUT,
            {semconv.ATTEMPT_NUMBER: self._number, semconv.TIMEOUT_LIMIT: limit},
        )
