"""The recording half of a retry: its spans, metrics and log lines, whoever decides what is tried again.

Nothing here needs an event loop or a policy: it serves the ``retry`` of this library, and as well, from sync
code too, an adapter to another one.
"""

from __future__ import annotations

import logging
import math
from typing import Final

from retryscope import semconv
from retryscope._core.attempt import Attempt
from retryscope._core.ending import ended_as, explain
from retryscope._core.execution import (
    ENDED_AS,
    Clock,
    OperationExecution,
    as_run_here,
    running_clock,
)
from retryscope._core.marks import is_cancel
from retryscope._core.retry_spans import RetrySpans
from retryscope._core.scope import Expiring, current_scope, inherited_deadline
from retryscope._recording.attributes import AttributeSet
from retryscope._recording.recorder import Attributes, OpenSpan
from retryscope.outcome import GiveUpReason, Outcome, error_type, message_of

_log = logging.getLogger("retryscope")
_SUCCEEDED_AT_ONCE: Final = AttributeSet(
    {semconv.OUTCOME: "success", semconv.RETRY_ATTEMPTS: 1, semconv.RETRY_BACKOFF: 0.0}
)


class Retrying(OperationExecution):
    """A running retry. Created when it starts; :meth:`end` must be called exactly once.

    Args:
        spans: What its spans are called and have in common.
        limit: Seconds for all attempts and waits together; None: only an enclosing deadline.
        clock: What measures it; by default :func:`retryscope._core.execution.running_clock`.
        task: What runs it, where the caller knows that; None: whatever does.

    Attributes:
        is_limited: It has a deadline, or there was one around it when it began.

    >>> from retryscope.operation import Operation
    >>> retrying = Retrying(RetrySpans(Operation("price", workflow="docs"), max_attempts=3))
    >>> busy = OSError("busy")
    >>> retrying.begin_attempt().end(busy)
    >>> retrying.announce(busy, delay=0.5)
    >>> retrying.begin_wait(0.5)
    >>> retrying.end_wait()
    >>> retrying.begin_attempt().end(None)
    >>> retrying.end(None)
    """

    is_attempt = False

    __slots__ = (
        "_backoff",
        "_giveup",
        "_number",
        "_spans",
        "_wait_span",
        "_waited",
        "_waiting_since",
        "is_limited",
    )

    def __init__(
        self,
        spans: RetrySpans,
        *,
        limit: float | None = None,
        clock: Clock | None = None,
        task: object = None,
    ) -> None:
        clock = clock or running_clock()
        now = clock()
        earliest = deadline = math.inf if limit is None else now + limit
        operation = spans.operation
        if current_scope() is not None:
            operation = as_run_here(operation)
            earliest = min(deadline, inherited_deadline())
        attributes = spans.attributes(operation)
        if earliest < math.inf:
            attributes = {**attributes, semconv.DEADLINE: max(0.0, earliest - now)}
        super().__init__(
            operation, spans.name, attributes, deadline=deadline, clock=clock, started=now, task=task
        )
        self.is_limited = earliest < math.inf
        self._spans = spans
        self._number = 0
        self._giveup: GiveUpReason | None = None
        self._backoff = 0.0
        self._waited = 0.0
        self._waiting_since: float | None = None
        self._wait_span: OpenSpan | None = None

    @property
    def number(self) -> int:
        """Number of the attempt that was begun last, from 1; 0 before the first."""
        return self._number

    def begin_attempt(
        self,
        started: float | None = None,
        deadline: float = math.inf,
        timer: Expiring | None = None,
    ) -> Attempt:
        """Begin the next attempt, whose ``end`` must be called exactly once.

        Args:
            started: Now, where the caller has read the clock already.
            deadline: Its own, in seconds of the clock; infinity: none.
            timer: What sees to that: a cancel that comes when it has expired is by the deadline.
        """
        self._number += 1
        prepared = self._spans.attributes_of_attempt(self.operation, self._number)
        attributes: Attributes = prepared
        if self._number > 1:
            attributes = prepared.plus(semconv.ATTEMPT_BACKOFF, self._backoff)
            self._backoff = 0.0
        return Attempt(
            self,
            self._number,
            self._spans.attempt_name,
            attributes,
            started=self.clock() if started is None else started,
            deadline=deadline,
            timer=timer,
        )

    def announce(self, error: BaseException, delay: float, source: str = "policy") -> None:
        """Say, as an event and a log line, that another attempt will follow.

        Args:
            error: What the last attempt ended with.
            delay: Seconds until the next one.
            source: Who set the delay: ``policy`` or ``retry_after``.
        """
        upcoming = self._spans.attributes_of_next(self._number + 1, source)
        scheduled = upcoming.plus(semconv.RETRY_DELAY, delay)
        self.telemetry.recorder.event(self.span, semconv.EVENT_RETRY_SCHEDULED, scheduled)
        if _log.isEnabledFor(logging.INFO):
            _log.info(
                "attempt %d of %s failed, trying again in %.3g s: %s",
                self._number,
                self.operation.name,
                delay,
                message_of(error),
                extra={
                    **self.operation.attributes,
                    **scheduled,
                    semconv.ERROR_TYPE: error_type(error),
                },
            )

    def begin_wait(self, delay: float, source: str = "policy") -> None:
        """Begin the wait that was announced; it is a span if attempts are."""
        self._waiting_since = self.clock()
        if self.telemetry.attempts == "spans":
            attributes = self._spans.attributes_of_wait(self.operation, source)
            self._wait_span = self.telemetry.recorder.start(
                self._spans.backoff_name, attributes.plus(semconv.RETRY_DELAY, delay), current=False
            )

    def end_wait(self, error: BaseException | None = None) -> None:
        """End it: what counts is the time really waited, also where an error or a cancel has cut it short."""
        started, span = self._waiting_since, self._wait_span
        assert started is not None, "no wait has begun"
        self._waiting_since = self._wait_span = None
        now = self.clock()
        waited = self._backoff = now - started
        self._waited += waited
        self.metrics.backoff(waited)
        if (progress := self.progress) is not None:
            progress.backoff_seconds += waited
        if span is None:
            return
        if error is None:
            self.telemetry.recorder.end(span, ENDED_AS["success"])
            return
        outcome: Outcome = "cancelled" if is_cancel(error) else "error"
        ending = explain(
            self.telemetry,
            span,
            outcome,
            error,
            inside=self,
            around=self,
            started=started,
            now=now,
            is_part=True,
        )
        self.telemetry.recorder.end(span, ended_as(outcome, ending), failure=ending.failure)

    def give_up(self, reason: GiveUpReason, error: BaseException) -> None:
        """Count and log that there will be no further attempt; an error that nobody retries is not logged."""
        self._giveup = reason
        self.metrics.gave_up(reason, self.span.exemplar)
        if reason != "non_retryable":
            _log.warning(
                "%s gave up after %d attempts (%s): %s",
                self.operation.name,
                self._number,
                reason,
                message_of(error),
                extra={
                    **self.operation.attributes,
                    semconv.RETRY_ATTEMPTS: self._number,
                    semconv.RETRY_GIVEUP_REASON: reason,
                    semconv.ERROR_TYPE: error_type(error),
                },
            )

    def end(self, error: BaseException | None, attributes: Attributes | None = None) -> None:
        """Close it, with what its attempts added up to; a wait that it interrupts ends as well.

        Args:
            error: What came out of it, or None if it returned.
            attributes: Further span attributes known only now.
        """
        if self._waiting_since is not None:
            self.end_wait(error)
        super().end(error, attributes)

    def _final(self, outcome: Outcome) -> Attributes:
        if outcome == "success" and self._number == 1 and not self._waited:
            return _SUCCEEDED_AT_ONCE
        final: dict[str, str | int | float | bool] = {
            semconv.OUTCOME: outcome,
            semconv.RETRY_ATTEMPTS: self._number,
            semconv.RETRY_BACKOFF: self._waited,
        }
        if self._giveup is not None:
            final[semconv.RETRY_GIVEUP_REASON] = self._giveup
        return final

    def _classify(self, error: BaseException | None) -> Outcome:
        if self.timed_out or self._giveup is None:
            return super()._classify(error)
        return "error" if self._giveup == "non_retryable" else "exhausted"
