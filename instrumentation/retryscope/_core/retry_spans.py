"""Names and attributes of a retry's spans: built once, encoded once, shared by all its calls."""

from __future__ import annotations

from typing import Final

from retryscope import semconv
from retryscope._recording.attributes import OF_EVENT, AttributeSet
from retryscope._recording.recorder import Attributes
from retryscope.operation import Operation

_MAX_CACHED: Final = 32
"""Attempts whose attributes are kept: a retry without a limit must not keep them for each number."""


class RetrySpans:
    """What the spans of a retry are called, and say of it.

    Args:
        operation: The declared operation.
        max_attempts: Most attempts that the policy allows, the first included; None: it sets no limit.
        attempt_timeout: Limit of each attempt, in seconds; None: no limit of its own.
    """

    __slots__ = (
        "_attempt_timeout",
        "_max_attempts",
        "_of_attempts",
        "_of_calls",
        "_of_waits",
        "_scheduled",
        "attempt_name",
        "backoff_name",
        "name",
        "operation",
    )

    def __init__(
        self,
        operation: Operation,
        max_attempts: int | None = None,
        attempt_timeout: float | None = None,
    ) -> None:
        self.operation = operation
        self.name = f"{semconv.SPAN_RETRY} {operation.name}"
        self.attempt_name = f"{semconv.SPAN_ATTEMPT} {operation.name}"
        self.backoff_name = f"{semconv.SPAN_BACKOFF} {operation.name}"
        self._max_attempts = {} if max_attempts is None else {semconv.RETRY_MAX_ATTEMPTS: max_attempts}
        self._attempt_timeout = (
            {} if attempt_timeout is None else {semconv.TIMEOUT_LIMIT: float(attempt_timeout)}
        )
        self._of_calls: dict[Operation, Attributes] = {}
        self._of_attempts: dict[tuple[Operation, int], AttributeSet] = {}
        self._of_waits: dict[tuple[Operation, str], AttributeSet] = {}
        self._scheduled: dict[tuple[int, str], AttributeSet] = {}

    def attributes(self, operation: Operation) -> Attributes:
        """Attributes of the retry's own span, built once per operation as it runs."""
        attributes = self._of_calls.get(operation)
        if attributes is None:
            attributes = AttributeSet({**operation.attributes, **self._max_attempts})
            self._of_calls[operation] = attributes
        return attributes

    def attributes_of_attempt(self, operation: Operation, number: int) -> AttributeSet:
        """Span attributes of an attempt, built once per operation as it runs and number."""
        attributes = self._of_attempts.get((operation, number))
        if attributes is None:
            attributes = AttributeSet(
                {**operation.attributes, semconv.ATTEMPT_NUMBER: number, **self._attempt_timeout}
            )
            if number <= _MAX_CACHED:
                self._of_attempts[operation, number] = attributes
        return attributes

    def attributes_of_wait(self, operation: Operation, source: str) -> AttributeSet:
        """Span attributes of a wait but the delay, built once per operation as it runs and source."""
        attributes = self._of_waits.get((operation, source))
        if attributes is None:
            attributes = AttributeSet({**operation.attributes, semconv.RETRY_DELAY_SOURCE: source})
            self._of_waits[operation, source] = attributes
        return attributes

    def attributes_of_next(self, number: int, source: str) -> AttributeSet:
        """What the event before an attempt says of it but the delay, built once per number and source."""
        attributes = self._scheduled.get((number, source))
        if attributes is None:
            attributes = AttributeSet(
                {semconv.ATTEMPT_NUMBER: number, semconv.RETRY_DELAY_SOURCE: source}, OF_EVENT
            )
            if number <= _MAX_CACHED:
                self._scheduled[number, source] = attributes
        return attributes
