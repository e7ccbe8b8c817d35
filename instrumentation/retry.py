"""Retry with exponential backoff, every attempt and every wait visible."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from . import semconv
from .attempt import Attempt
from .awaitables import NotAwaitableError, require_async_callable, require_awaitable
from .backoff import jittered, next_delay, retry_after_of
from .budget import RetryBudget
from .ending import explain
from .execution import OperationExecution, as_run_here
from .operation import Operation
from .outcome import GiveUpReason, error_type, message_of, outcome_of
from .policy import RetryPolicy
from .recording import Attributes
from .scope import inherited_deadline

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger("instrumentation")
_DEFAULT_POLICY = RetryPolicy()
_DEFAULT_RANDOM = random.Random()
_COMPLETED: Attributes = {semconv.OUTCOME: "success"}


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

    __slots__ = (
        "_attempt_attributes",
        "attempt_name",
        "backoff_name",
        "budget",
        "operation",
        "policy",
        "rng",
        "span_name",
    )

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
        self.span_name = f"{semconv.SPAN_RETRY} {operation.name}"
        self.attempt_name = f"{semconv.SPAN_ATTEMPT} {operation.name}"
        self.backoff_name = f"{semconv.SPAN_BACKOFF} {operation.name}"
        self._attempt_attributes: dict[tuple[Operation, int], Attributes] = {}

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
        run = _Run(self)
        try:
            while True:
                try:
                    value = await run.attempt(fn, args, kwargs)
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
                await run.backoff(delay, source)
        except BaseException as error:
            run.end(error)
            raise

    def attributes_of_attempt(self, operation: Operation, number: int) -> Attributes:
        """Span attributes of the attempt, built once per operation as it runs and number."""
        attributes = self._attempt_attributes.get((operation, number))
        if attributes is None:
            limit = self.policy.attempt_timeout
            attributes = {
                **operation.attributes,
                semconv.ATTEMPT_NUMBER: number,
                **({} if limit is None else {semconv.TIMEOUT_LIMIT: float(limit)}),
            }
            self._attempt_attributes[operation, number] = attributes
        return attributes


class _Run:
    """One call through a :class:`retry`."""

    __slots__ = (
        "_attempt_timed_out",
        "_backoff",
        "_cancels_before",
        "_deadline",
        "_delay",
        "_execution",
        "_number",
        "_retry",
        "_task",
        "_waited",
    )

    def __init__(self, retry_: retry) -> None:
        policy = retry_.policy
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("retry must be awaited inside an asyncio task")
        self._retry = retry_
        self._task = task
        self._cancels_before = task.cancelling()
        self._delay = min(policy.max_delay, policy.base_delay)
        self._number = 0
        self._attempt_timed_out = False
        self._backoff = 0.0
        self._waited = 0.0
        now = loop.time()
        self._deadline = inherited_deadline()
        if policy.deadline is not None:
            self._deadline = min(self._deadline, now + policy.deadline)
        operation = as_run_here(retry_.operation)
        attributes: dict[str, str | int | float] = {
            **operation.attributes,
            semconv.RETRY_MAX_ATTEMPTS: policy.max_attempts,
        }
        if self._deadline < math.inf:
            attributes[semconv.DEADLINE] = self._deadline - now
        self._execution = OperationExecution(operation, retry_.span_name, attributes, deadline=self._deadline)

    async def attempt(
        self, fn: Callable[..., Awaitable[T]], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> T:
        """Try once; the attempt is closed when it returns or raises."""
        self._number += 1
        retry_ = self._retry
        attributes = retry_.attributes_of_attempt(self._execution.operation, self._number)
        if self._number > 1:
            attributes = {**attributes, semconv.ATTEMPT_BACKOFF: self._backoff}
        attempt = Attempt(
            self._execution,
            self._number,
            retry_.attempt_name,
            attributes,
            retry_.policy.attempt_timeout,
        )
        try:
            awaitable = require_awaitable(fn, fn(*args, **kwargs))
            if attempt.timer is None:
                value = await awaitable
            else:
                async with attempt.timer:
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
        asked = retry_after_of(error, self._execution.telemetry.time_ns() / 1e9)
        if asked is not None:
            asked = min(asked, policy.max_retry_after)
            if asked > delay:
                return float(asked), "retry_after"
        return float(delay), "policy"

    def gives_up(self, error: Exception, delay: float) -> bool:
        """Whether there will be no further attempt; if so, the reason is counted and logged."""
        self._raise_swallowed_cancel()
        execution = self._execution
        retry_ = self._retry
        now = execution.clock()
        reason: GiveUpReason
        if isinstance(error, NotAwaitableError) or not retry_.policy.retries(error):
            reason = "non_retryable"
        elif self._attempt_timed_out and now >= self._deadline:
            # The deadline itself ended the attempt: that is the operation's own timeout.
            reason = "deadline"
            execution.timed_out = True
        elif self._number >= retry_.policy.max_attempts:
            reason = "max_attempts"
        elif now + delay >= self._deadline:
            reason = "deadline"
        elif retry_.budget is not None and not retry_.budget.try_spend():
            reason = "budget"
        else:
            return False
        execution.giveup = reason
        execution.metrics.gave_up(reason, execution.span.exemplar)
        if reason != "non_retryable":
            _log.warning(
                "%s gave up after %d attempts (%s): %s",
                execution.operation.name,
                self._number,
                reason,
                message_of(error),
                extra={
                    **execution.operation.attributes,
                    semconv.RETRY_ATTEMPTS: self._number,
                    semconv.RETRY_GIVEUP_REASON: reason,
                    semconv.ERROR_TYPE: error_type(error),
                },
            )
        return True

    def announce(self, error: Exception, delay: float, source: str) -> None:
        """Say, as an event and a log line, that another attempt will follow after ``delay`` seconds."""
        execution = self._execution
        scheduled: Attributes = {
            semconv.ATTEMPT_NUMBER: self._number + 1,
            semconv.RETRY_DELAY: delay,
            semconv.RETRY_DELAY_SOURCE: source,
        }
        execution.telemetry.recorder.event(execution.span, semconv.EVENT_RETRY_SCHEDULED, scheduled)
        if _log.isEnabledFor(logging.INFO):
            _log.info(
                "attempt %d of %s failed, trying again in %.3g s: %s",
                self._number,
                execution.operation.name,
                delay,
                message_of(error),
                extra={
                    **execution.operation.attributes,
                    **scheduled,
                    semconv.ERROR_TYPE: error_type(error),
                },
            )

    async def backoff(self, delay: float, source: str) -> None:
        """Wait, as a span if attempts are; what counts is the time really waited, also when interrupted."""
        execution = self._execution
        recorder = execution.telemetry.recorder
        started = execution.clock()
        span = None
        if execution.telemetry.attempts == "spans":
            attributes: Attributes = {
                **execution.operation.attributes,
                semconv.RETRY_DELAY: delay,
                semconv.RETRY_DELAY_SOURCE: source,
            }
            span = recorder.start(self._retry.backoff_name, attributes, current=False)
        failed: BaseException | None = None
        try:
            await asyncio.sleep(delay)
        except BaseException as error:
            failed = error
            raise
        finally:
            now = execution.clock()
            waited = self._backoff = now - started
            self._waited += waited
            execution.metrics.backoff(waited)
            if execution.report is not None:
                execution.report.backoff_seconds += waited
            if span is not None and failed is None:
                recorder.end(span, _COMPLETED)
            elif span is not None and failed is not None:
                outcome = outcome_of(failed, started)
                ending = explain(
                    execution.telemetry,
                    span,
                    outcome,
                    failed,
                    around=execution.scope,
                    started=started,
                    now=now,
                    is_part=True,
                )
                final = {semconv.OUTCOME: outcome, **ending.attributes}
                recorder.end(span, final, failure=ending.failure)
        self._raise_swallowed_cancel()

    def end(self, error: BaseException | None) -> None:
        """Close the retry's own span, with what its attempts added up to."""
        execution = self._execution
        final: dict[str, int | float | str] = {
            semconv.RETRY_ATTEMPTS: self._number,
            semconv.RETRY_BACKOFF: self._waited,
        }
        if execution.giveup is not None:
            final[semconv.RETRY_GIVEUP_REASON] = execution.giveup
        execution.end(error, final)

    def _raise_swallowed_cancel(self) -> None:
        """Stop if a cancel arrived that the called code has swallowed."""
        if self._task.cancelling() > self._cancels_before:
            raise asyncio.CancelledError
