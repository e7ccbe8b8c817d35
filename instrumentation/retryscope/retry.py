"""Retry with exponential backoff, every attempt and every wait visible."""

from __future__ import annotations

import asyncio
import functools
import inspect
import math
import random
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from retryscope._core.attempt import Attempt
from retryscope._core.awaitables import (
    NotAwaitableError,
    require_async_callable,
    require_async_function,
    require_awaitable,
)
from retryscope._core.cancel_request import cancel_behind
from retryscope._core.retry_spans import RetrySpans
from retryscope._core.retrying import Retrying
from retryscope._core.scope import deadline_in_force
from retryscope._core.timer import Timer, end_of, running_task
from retryscope.backoff import jittered, next_delay, retry_after_of
from retryscope.budget import RetryBudget
from retryscope.foreign import peek
from retryscope.fork import own_random
from retryscope.operation import Operation, require_operation
from retryscope.outcome import GiveUpReason
from retryscope.policy import RetryPolicy
from retryscope.printable import described

P = ParamSpec("P")
T = TypeVar("T")

_DEFAULT_POLICY = RetryPolicy()
_DEFAULT_RANDOM = own_random()
"""Or forked workers would all come back together."""


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
        TypeError: An argument is of another class, or what is called or decorated is no async function.

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
        self.operation = _of_decorator(operation)
        if not isinstance(policy, RetryPolicy):
            raise TypeError(f"retry takes a RetryPolicy second, got {described(policy)}")
        if budget is not None and not isinstance(budget, RetryBudget):
            raise TypeError(f"retry takes a RetryBudget as its budget, got {described(budget)}")
        if not callable(peek(rng, "uniform")):
            raise TypeError(f"retry takes a random.Random as its rng, got {described(rng)}")
        self.policy = policy
        self.budget = budget
        self.rng = rng
        self._spans = RetrySpans(operation, policy.max_attempts, policy.attempt_timeout)

    def __reduce__(self) -> tuple[Callable[..., retry], tuple[object, ...]]:
        """A copy is made as this one was; the shared source of jitter stays shared."""
        rng = None if self.rng is _DEFAULT_RANDOM else self.rng
        return _made_again, (type(self), self.operation, self.policy, self.budget, rng)

    def __call__(self, fn: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """Decorate an async function."""
        require_async_function(fn, "retry")

        @functools.wraps(fn)
        async def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self._call(fn, args, kwargs)

        return wrapper

    async def call(self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``fn(*args, **kwargs)`` until it succeeds or the policy gives up.

        Raises:
            TypeError: ``fn`` is a coroutine object (which can be awaited only once) or not async.
            asyncio.CancelledError: The calling task was cancelled, also while waiting.
            Exception: The last attempt's own error.
        """
        require_async_callable(fn, "retry")
        return await self._call(fn, args, kwargs)

    async def _call(
        self, fn: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> T:
        run = _Run(self, self._spans)
        attempt: Attempt | None
        try:
            while True:
                try:
                    attempt = run.try_once()
                    try:
                        value = await require_awaitable(fn, fn(*args, **kwargs))
                    except BaseException as error:
                        if run.stop_timer(error):  # no local may hold what is raised: it holds this frame
                            raise run.end_timed_out(attempt) from error
                        attempt.end(error)
                        raise
                    run.stop_timer()
                    attempt.end(None)
                except Exception as error:
                    delay, source = run.plan_next(error)
                    if run.gives_up(error, delay):
                        raise
                    run.announce(error, delay, source)
                else:
                    if self.budget is not None:
                        self.budget.earn()
                    run.end(None)
                    return value
                attempt = None  # what is kept here is kept through the wait
                await run.wait(delay, source)
        except BaseException as error:
            run.end(error)
            raise
        finally:
            run.let_go()


def _made_again(
    kind: type[retry],
    operation: Operation,
    policy: RetryPolicy,
    budget: RetryBudget | None,
    rng: random.Random | None,
) -> retry:
    return kind(operation, policy, budget=budget, rng=rng or _DEFAULT_RANDOM)


def _of_decorator(operation: object) -> Operation:
    if inspect.isroutine(operation):
        raise TypeError(
            f"retry takes an Operation first: write @retry(OPERATION) on {operation.__qualname__}, not @retry"
        )
    return require_operation("retry", operation)


class _Run(Retrying):
    """One call through a :class:`retry`: the policy's side of it."""

    __slots__ = ("_attempt_timed_out", "_cancels_before", "_delay", "_handling", "_retry", "_task", "_timer")

    def __init__(self, retry_: retry, spans: RetrySpans) -> None:
        policy = retry_.policy
        self._task = running_task("retry")
        self._retry = retry_
        self._cancels_before = self._task.cancelling()
        self._delay = min(policy.max_delay, policy.base_delay)
        self._attempt_timed_out = False
        self._timer: Timer | None = None
        self._handling = sys.exception()
        clock = self._task.get_loop().time
        super().__init__(spans, limit=policy.deadline, clock=clock, task=self._task)

    def try_once(self) -> Attempt:
        """Begin an attempt, and what limits it.

        Raises:
            TimeoutError: No time is left for it.
        """
        limit = self._retry.policy.attempt_timeout
        now = self.clock()
        own = math.inf if limit is None else end_of(limit, now)
        if limit is None and not self.is_limited:
            return self.begin_attempt(now)
        timer = Timer(self._task, own, self)
        if timer.when <= now:
            self._attempt_timed_out = True
            raise TimeoutError(f"no time is left for {self.operation.name}: its deadline has passed")
        attempt = self.begin_attempt(now, own, timer)
        timer.start()
        self._timer = timer
        return attempt

    def stop_timer(self, error: BaseException | None = None) -> bool:
        """The attempt is over, by ``error`` if it raised; whether it was the timer that ended it."""
        timer = self._timer
        self._attempt_timed_out = timer is not None and timer.stop(error)
        if not self._attempt_timed_out:
            self._timer = None
        return self._attempt_timed_out

    def end_timed_out(self, attempt: Attempt) -> TimeoutError:
        """End the attempt as one that took too long; what is to be raised."""
        timer, self._timer = self._timer, None
        assert timer is not None
        seconds = timer.when - attempt.started
        expired = TimeoutError(
            f"attempt {self.number} of {self.operation.name} timed out after {seconds:g} s"
        )
        attempt.end(expired, timed_out=seconds)
        return expired

    def plan_next(self, error: Exception) -> tuple[float, str]:
        """Seconds to wait before the next attempt, and who said so: ``policy`` or ``retry_after``."""
        policy = self._retry.policy
        delay = jittered(self._delay, policy.jitter, self._retry.rng)
        self._delay = next_delay(self._delay, policy.backoff_factor, policy.max_delay)
        now = self.telemetry.time_ns() / 1e9
        asked = retry_after_of(error, now, handling=self._handling)
        if asked is not None:
            asked = min(asked, policy.max_retry_after)
            if asked > delay:
                return float(asked), "retry_after"
        return float(delay), "policy"

    def gives_up(self, error: Exception, delay: float) -> bool:
        """Whether there will be no further attempt; if so, the reason is recorded."""
        self._raise_swallowed_cancel(error)
        policy, budget = self._retry.policy, self._retry.budget
        now = self.clock()
        deadline, _ = deadline_in_force(self)
        reason: GiveUpReason
        if self._attempt_timed_out and now >= deadline:
            # The deadline itself ended the attempt: that is the operation's own timeout.
            reason = "deadline"
            self.timed_out = True
        elif not self._attempt_timed_out and (
            isinstance(error, NotAwaitableError) or not policy.retries(error)
        ):
            reason = "non_retryable"
        elif self.number >= policy.max_attempts:
            reason = "max_attempts"
        elif now + delay >= deadline:
            reason = "deadline"
        elif budget is not None and not budget.try_spend():
            reason = "budget"
        else:
            return False
        self.give_up(reason, error)
        return True

    async def wait(self, delay: float, source: str) -> None:
        """Wait for the next attempt; what cuts it short ends the retry, and the wait with it."""
        self.begin_wait(delay, source)
        await asyncio.sleep(delay)
        self.end_wait()
        if self._task.cancelling() > self._cancels_before:  # nobody else's: nothing but a wait has run
            raise asyncio.CancelledError

    def let_go(self) -> None:
        """Let the task go: it may end by what was raised, which knows the frames that know this."""
        del self._task, self._handling

    def _raise_swallowed_cancel(self, error: Exception) -> None:
        """Stop if a cancel arrived that the called code has turned into its own error.

        The count alone proves nothing: a ``TaskGroup`` with a failed child leaves it raised before Python
        3.13, and so do libraries whose timeouts never call ``uncancel()``.
        """
        requests = self._task.cancelling()
        if requests > self._cancels_before:
            swallowed = cancel_behind(error)
            if swallowed is not None:
                raise asyncio.CancelledError(*swallowed.args)  # who asked, and why
            self._cancels_before = requests
