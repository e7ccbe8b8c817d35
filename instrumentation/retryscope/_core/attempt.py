"""One attempt of a retry: its span or event, its timer, its count."""

from __future__ import annotations

import logging

from retryscope import semconv
from retryscope._core.ending import Ending, explain
from retryscope._core.execution import OperationExecution
from retryscope._core.marks import is_cancel
from retryscope._core.scope import Expiring, Scope
from retryscope._recording.fast.attributes import AttributeSet
from retryscope._recording.recorder import Attributes, OpenSpan
from retryscope.outcome import Outcome, message_of

_log = logging.getLogger("retryscope")
_SUCCEEDED: Attributes = AttributeSet({semconv.OUTCOME: "success"})


class Attempt:
    """A running attempt. Created when it starts; :meth:`end` must be called exactly once.

    Args:
        execution: The retry that it belongs to.
        number: From 1.
        span_name: ``attempt {operation}``.
        attributes: Span attributes, the number among them.
        started: Now, in seconds of the execution's clock.
        deadline: Its own, by the same clock; infinity: none of its own.
        timer: What sees to that; None: nothing does.
    """

    __slots__ = (
        "_attributes",
        "_execution",
        "_number",
        "_own_span",
        "_scope",
        "_span",
        "_started",
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
        timer: Expiring | None,
    ) -> None:
        self._execution = execution
        self._number = number
        self._attributes = attributes
        self._started = started
        self._own_span: OpenSpan | None = None
        if execution.telemetry.attempts == "spans":
            self._own_span = execution.telemetry.recorder.start(span_name, attributes)
        self._span = self._own_span or execution.span
        self._scope = Scope(
            execution=execution,
            deadline=deadline,
            timer=timer,
            span=self._span.context,
            attempt=number,
        )

    def end(self, error: BaseException | None, timed_out: float | None = None) -> None:
        """Close the attempt: classify, count, log, end the span.

        Args:
            error: What came out of it, or None if it returned.
            timed_out: Seconds of the limit that has ended it, where one has.
        """
        execution = self._execution
        now = execution.clock()
        seconds = now - self._started
        execution.host.attempts += 1
        if (report := execution.report) is not None:
            report.attempts += 1
        if error is None:
            self._scope.end()
            execution.metrics.attempt("success", "", seconds, None)
            self._close(seconds, _SUCCEEDED)
            return
        # A retry inside that gave up is this one's failure.
        outcome: Outcome = "cancelled" if is_cancel(error) else "error"
        if timed_out is not None:
            outcome = "timeout"
            limit = {semconv.ATTEMPT_NUMBER: self._number, semconv.TIMEOUT_LIMIT: timed_out}
            execution.telemetry.recorder.event(execution.span, semconv.EVENT_TIMEOUT, limit)
        ending = explain(
            execution.telemetry,
            self._span,
            outcome,
            error,
            inside=self._scope,
            around=execution.scope,
            started=self._started,
            now=now,
            is_part=True,
        )
        self._scope.end()
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
            recorder.end(self._own_span, final, failure=ending.failure)
