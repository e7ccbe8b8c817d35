"""When to try again: the retry policy, validated when it is built."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, get_args

from retryscope._core.awaitables import is_async
from retryscope.arguments import require_number
from retryscope.backoff import Jitter
from retryscope.printable import described

MAX_ATTEMPTS: Final = 10_000
MAX_SECONDS: Final = 31_536_000.0
"""Longest delay, timeout or deadline of a policy: a year, in seconds."""

RetryOn = tuple[type[Exception], ...] | Callable[[Exception], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When to try again, and how long to wait.

    The wait before attempt ``n + 1`` is ``U(0, min(max_delay, base_delay * backoff_factor**(n - 1)))`` with
    ``jitter="full"``, and that bound itself with ``"none"``. A server's ``Retry-After`` lengthens it.

    Attributes:
        max_attempts: Tries in all, the first included; 1 to 10,000.
        base_delay: First delay, in seconds, >= 0.
        backoff_factor: Growth of the delay from attempt to attempt, >= 1.
        max_delay: Cap on the delay, in seconds, >= 0.
        jitter: ``full`` or ``none``.
        attempt_timeout: Limit of each attempt, in seconds, > 0; None: no limit of its own.
        deadline: Limit of all attempts and waits together, in seconds, > 0; None: only an enclosing one.
        retry_on: Exception classes to retry, or a function that tells. Classes outside ``Exception``
            (``CancelledError``, ``KeyboardInterrupt``) are refused.
        max_retry_after: Longest ``Retry-After`` that is obeyed, in seconds, >= 0; longer ones are cut.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A value is NaN, infinite or out of its bounds.

    >>> RetryPolicy(max_attempts=5, base_delay=0.5, jitter="none").max_delay
    60.0
    >>> RetryPolicy(base_delay=float("nan"))
    Traceback (most recent call last):
        ...
    ValueError: RetryPolicy.base_delay must be between 0 and 31536000 seconds, got nan
    """

    max_attempts: int = 3
    base_delay: float = 1.0
    backoff_factor: float = 2.0
    max_delay: float = 60.0
    jitter: Jitter = "full"
    attempt_timeout: float | None = None
    deadline: float | None = None
    retry_on: RetryOn = field(default=(Exception,))
    max_retry_after: float = 60.0

    def __post_init__(self) -> None:
        if isinstance(self.max_attempts, bool) or not isinstance(self.max_attempts, int):
            raise TypeError(
                f"RetryPolicy.max_attempts must be an integer, got {described(self.max_attempts)}"
            )
        if not 1 <= self.max_attempts <= MAX_ATTEMPTS:
            raise ValueError(
                f"RetryPolicy.max_attempts must be between 1 and {MAX_ATTEMPTS}, got {self.max_attempts}"
            )
        self._check("base_delay", self.base_delay, 0.0, MAX_SECONDS, " seconds")
        self._check("backoff_factor", self.backoff_factor, 1.0, 1000.0, "")
        self._check("max_delay", self.max_delay, 0.0, MAX_SECONDS, " seconds")
        self._check("max_retry_after", self.max_retry_after, 0.0, MAX_SECONDS, " seconds")
        for name in ("attempt_timeout", "deadline"):
            value = getattr(self, name)
            if value is not None:
                self._check(name, value, 0.0, MAX_SECONDS, " seconds")
                if value == 0:
                    raise ValueError(f"RetryPolicy.{name} must be > 0 seconds, got {described(value)}")
        if self.jitter not in get_args(Jitter):
            raise ValueError(f"RetryPolicy.jitter must be 'full' or 'none', got {described(self.jitter)}")
        self._check_retry_on()

    @staticmethod
    def _check(name: str, value: object, low: float, high: float, unit: str) -> None:
        if not low <= require_number(f"RetryPolicy.{name}", value) <= high:  # also where it is NaN
            raise ValueError(
                f"RetryPolicy.{name} must be between {low:g} and {high:.0f}{unit}, got {described(value)}"
            )

    def _check_retry_on(self) -> None:
        if not isinstance(self.retry_on, tuple):
            given: object = self.retry_on
            if isinstance(given, type) or not callable(given):
                wanted = "a tuple of exception classes or a function"
                raise TypeError(f"RetryPolicy.retry_on must be {wanted}, got {described(given)}")
            if is_async(given):
                raise TypeError(
                    f"RetryPolicy.retry_on must be a plain function, not an async one: {described(given)}"
                )
            return
        for kind in self.retry_on:
            if not _is_exception_class(kind):
                why = (
                    " (a cancellation or an interrupt must never be retried)"
                    if kind in (BaseException, asyncio.CancelledError, KeyboardInterrupt, SystemExit)
                    else ""
                )
                raise TypeError(
                    f"RetryPolicy.retry_on takes subclasses of Exception, got {described(kind)}{why}"
                )

    def retries(self, error: Exception) -> bool:
        """Whether this error is worth another attempt.

        Raises:
            TypeError: ``retry_on`` returned an awaitable, which would always be true.
        """
        if isinstance(self.retry_on, tuple):
            return isinstance(error, self.retry_on)
        answer: object = self.retry_on(error)
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()  # or Python warns that it was never awaited
            raise TypeError(
                f"RetryPolicy.retry_on must be a plain function: {described(self.retry_on)} is async"
            )
        return bool(answer)


def _is_exception_class(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)
