"""One attempt of a retry: its span or event, its timer, its count."""

from __future__ import annotations

import logging

from opentelemetry.trace import SpanContext

from retryscope import semconv
from retryscope._core.ending import Ending, ended_as, explain
from retryscope._core.execution import ENDED_AS, OperationExecution
from retryscope._core.marks import is_cancel
from retryscope._core.scope import Expiring, Level, current_scope
from retryscope._recording.recorder import Attributes, OpenSpan
from retryscope.outcome import Outcome, message_of

_log = logging.getLogger("retryscope")


class Attempt(Level):
    """A running attempt, and a level. Created when it starts; :meth:`end` must be called exactly once.

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
        "_own_span",
        "_span",
        "number",
        "started",
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
        self.number = number
        self._attributes = attributes
        self.started = started
        self._own_span: OpenSpan | None = None
        if execution.telemetry.attempts == "spans":
            self._own_span = execution.telemetry.recorder.start(span_name, attributes)
        self._span = self._own_span or execution.span
        self._enter(current_scope(), deadline, timer, attempt=number)

    @property
    def execution(self) -> OperationExecution:
        """The retry."""
        return self._execution

    @property
    def by(self) -> SpanContext:
        """Its span, or the retry's."""
        return self._span.context

    def end(self, error: BaseException | None, timed_out: float | None = None) -> None:
        """Close the attempt: classify, count, log, end the span.

        Args:
            error: What came out of it, or None if it returned.
            timed_out: Seconds of the limit that has ended it, where one has.
        """
        execution = self._execution
        now = execution.clock()
        seconds = now - self.started
        (execution._enclosing or execution).attempts += 1
        if (progress := execution.progress) is not None:
            progress.attempts += 1
        if error is None:
            self.leave()
            execution.metrics.attempt("success", "", seconds, None)
            self._close(seconds, ENDED_AS["success"])
            return
        # A retry inside that gave up is this one's failure.
        outcome: Outcome = "cancelled" if is_cancel(error) else "error"
        if timed_out is not None:
            outcome = "timeout"
            limit = {semconv.ATTEMPT_NUMBER: self.number, semconv.TIMEOUT_LIMIT: timed_out}
            execution.telemetry.recorder.event(execution.span, semconv.EVENT_TIMEOUT, limit)
        ending = explain(
            execution.telemetry,
            self._span,
            outcome,
            error,
            inside=self,
            around=execution,
            started=self.started,
            now=now,
            is_part=True,
        )
        self.leave()
        final = ended_as(outcome, ending)
        if ending.request is None and _log.isEnabledFor(logging.DEBUG):
            number = {semconv.ATTEMPT_NUMBER: self.number}
            _log.debug(
                "attempt %d of %s failed: %s",
                self.number,
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
