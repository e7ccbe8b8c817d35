"""Retry with exponential backoff, every attempt and every wait visible."""

from __future__ import annotations

import asyncio
import functools
import math
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from retryscope._core.awaitables import NotAwaitableError, require_async_callable, require_awaitable
from retryscope._core.retrying import Retrying, RetrySpans
from retryscope.backoff import jittered, next_delay, retry_after_of
from retryscope.budget import RetryBudget
from retryscope.operation import Operation
from retryscope.outcome import GiveUpReason
from retryscope.policy import RetryPolicy

P = ParamSpec("P")
T = TypeVar("T")

_DEFAULT_POLICY = RetryPolicy()
_DEFAULT_RANDOM = random.Random()


class retry:  # noqa: N801  (used as a decorator)
    """Try an operation again when it fails, with exponential backoff.

    Use it as a decorator, or call a function through :meth:`call`; one object may serve any number of
    concurrent calls. Each try is an ``attempt`` span, each wait a ``backoff`` span, both under one
    ``retry`` span. When it gives up it raises the last exception itself, so ``except`` clauses keep
    working. A cancellation is never retried.

    Args:
        operation: The declared operation.
        policy: When to try again; by default 3 attempts, full jitter, 1 s growing by 2 up to 60 s.
        budget: Shared by everything that calls the same dependency; an empty one stops further retries.
        rng: Source of the jitter; inject a seeded one in tests.

    Raises:
        TypeError: What is called is a coroutine object, or no async function.

    >>> import asyncio
    >>> flaky = Operation("flaky", workflow="docs")
    >>> answers = iter([OSError("busy"), "done"])
    >>> @retry(flaky, RetryPolicy(base_delay=0.001))
    ... async def call():
    ...     answer = next(answers)
    ...     if isinstance(answer, Exception):
    ...         raise answer
    ...     return answer
    >>> asyncio.run(call())
    'done'
    """

    __slots__ = ("_spans", "budget", "operation", "policy", "rng")

    def __init__(
        self,
        operation: Operation,
        policy: RetryPolicy = _DEFAULT_POLICY,
        *,
        budget: RetryBudget | None = None,
        rng: random.Random = _DEFAULT_RANDOM,
    ) -> None:
        self.operation = operation
        self.policy = policy
        self.budget = budget
        self.rng = rng
        self._spans = RetrySpans(operation, policy.max_attempts, policy.attempt_timeout)

    def __call__(self, fn: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """Decorate an async function."""
        require_async_callable(fn, "retry")

        @functools.wraps(fn)
        async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.call(fn, *args, **kwargs)

        return wrapper

    async def call(self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``fn(*args, **kwargs)`` until it succeeds or the policy gives up.

        Raises:
            TypeError: ``fn`` is a coroutine object (which can be awaited only once) or not async.
            asyncio.CancelledError: The calling task was cancelled, also while waiting.
            Exception: The last attempt's own error.
        """
        require_async_callable(fn, "retry")
        run = _Run(self, self._spans)
        recording = run.recording
        try:
            while True:
                try:
                    value = await run.attempt(fn, args, kwargs)
                except Exception as error:
                    delay, source = run.plan_next(error)
                    if run.gives_up(error, delay):
                        raise
                    recording.announce(error, delay, source)
                else:
                    if self.budget is not None:
                        self.budget.earn()
                    recording.end(None)
                    return value
                await run.wait(delay, source)
        except BaseException as error:
            recording.end(error)
            raise


class _Run:
    """The policy's side of one call through a :class:`retry`."""

    __slots__ = (
        "_attempt_timed_out",
        "_cancels_before",
        "_deadline",
        "_delay",
        "_loop",
        "_retry",
        "_task",
        "recording",
    )

    def __init__(self, retry_: retry, spans: RetrySpans) -> None:
        policy = retry_.policy
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("retry must be awaited inside an asyncio task")
        self._retry = retry_
        self._task = task
        self._cancels_before = task.cancelling()
        self._delay = min(policy.max_delay, policy.base_delay)
        self._attempt_timed_out = False
        self.recording = Retrying(spans, limit=policy.deadline, clock=self._loop.time)
        self._deadline = self.recording.scope.deadline

    async def attempt(
        self, fn: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> T:
        """Try once; the attempt is closed when it returns or raises."""
        limit = self._retry.policy.attempt_timeout
        now = self._loop.time()
        when = self._deadline if limit is None else min(self._deadline, now + limit)
        timer = asyncio.timeout_at(when) if when < math.inf else None
        attempt = self.recording.begin_attempt(now, when, timer)
        try:
            awaitable = require_awaitable(fn, fn(*args, **kwargs))
            if timer is None:
                value = await awaitable
            else:
                async with timer:
                    value = await awaitable
        except BaseException as error:
            attempt.end(error)
            self._attempt_timed_out = attempt.timed_out
            raise
        attempt.end(None)
        return value

    def plan_next(self, error: Exception) -> tuple[float, str]:
        """Seconds to wait before the next attempt, and who said so: ``policy`` or ``retry_after``."""
        policy = self._retry.policy
        delay = jittered(self._delay, policy.jitter, self._retry.rng)
        self._delay = next_delay(self._delay, policy.backoff_factor, policy.max_delay)
        asked = retry_after_of(error, self.recording.telemetry.time_ns() / 1e9)
        if asked is not None:
            asked = min(asked, policy.max_retry_after)
            if asked > delay:
                return float(asked), "retry_after"
        return float(delay), "policy"

    def gives_up(self, error: Exception, delay: float) -> bool:
        """Whether there will be no further attempt; if so, the reason is recorded."""
        self._raise_swallowed_cancel()
        recording = self.recording
        policy, budget = self._retry.policy, self._retry.budget
        now = self._loop.time()
        reason: GiveUpReason
        if isinstance(error, NotAwaitableError) or not policy.retries(error):
            reason = "non_retryable"
        elif self._attempt_timed_out and now >= self._deadline:
            # The deadline itself ended the attempt: that is the operation's own timeout.
            reason = "deadline"
            recording.timed_out = True
        elif recording.number >= policy.max_attempts:
            reason = "max_attempts"
        elif now + delay >= self._deadline:
            reason = "deadline"
        elif budget is not None and not budget.try_spend():
            reason = "budget"
        else:
            return False
        recording.give_up(reason, error)
        return True

    async def wait(self, delay: float, source: str) -> None:
        """Wait for the next attempt; what cuts it short ends the retry, and the wait with it."""
        self.recording.begin_wait(delay, source)
        await asyncio.sleep(delay)
        self.recording.end_wait()
        self._raise_swallowed_cancel()

    def _raise_swallowed_cancel(self) -> None:
        """Stop if a cancel arrived that the called code has swallowed."""
        if self._task.cancelling() > self._cancels_before:
            raise asyncio.CancelledError
