"""Asyncio retries, timeouts and cancellations that you can see.

Primitives that behave as asyncio users expect and record every attempt, wait, timeout and cancel as
OpenTelemetry spans and Prometheus metrics. Declare an :class:`Operation`, call :func:`setup` once, and use
:class:`retry`, :class:`timeout`, :class:`deadline`, :class:`step`, :func:`gather`, :func:`cancellable`,
:func:`cleanup` and :class:`workflow`.

>>> import asyncio
>>> price = Operation("price", workflow="checkout")
>>> @retry(price, RetryPolicy(max_attempts=4, base_delay=0.1))
... async def fetch_price(sku):
...     return {"sku": sku, "cents": 499}
>>> async def main():
...     async with workflow("checkout", deadline=5):
...         return await fetch_price("book")
>>> asyncio.run(main())
{'sku': 'book', 'cents': 499}
"""

import warnings
from typing import TYPE_CHECKING

from retryscope._core.awaitables import NotAwaitableError
from retryscope._core.cancel_request import CancelRequest
from retryscope._core.canceller import task_factory
from retryscope._core.resend import ResendCount
from retryscope._recording.suppression import without_spans
from retryscope.budget import RetryBudget
from retryscope.cancellation import CancellableTask, cancel_on_exit, cancellable, request_cancel
from retryscope.cleanup import CleanupResult, cleanup
from retryscope.concurrency import gather
from retryscope.operation import Operation
from retryscope.outcome import (
    CancelCause,
    CleanupOutcome,
    GiveUpReason,
    Outcome,
    error_type,
    message_of,
    status_rule,
)
from retryscope.policy import RetryPolicy
from retryscope.report import Report, settle
from retryscope.retry import retry
from retryscope.setup import setup, shutdown
from retryscope.step import step
from retryscope.timeout import deadline, timeout
from retryscope.workflow import workflow

__all__ = [
    "CancelCause",
    "CancelRequest",
    "CancellableTask",
    "CleanupOutcome",
    "CleanupResult",
    "GiveUpReason",
    "NotAwaitableError",
    "Operation",
    "Outcome",
    "Report",
    "ResendCount",
    "RetryBudget",
    "RetryPolicy",
    "cancel_on_exit",
    "cancellable",
    "cleanup",
    "deadline",
    "error_type",
    "gather",
    "message_of",
    "request_cancel",
    "retry",
    "settle",
    "setup",
    "shutdown",
    "status_rule",
    "step",
    "task_factory",
    "timeout",
    "without_spans",
    "workflow",
]


if not TYPE_CHECKING:  # for a type checker, what is not there is a mistake

    def __getattr__(name: str) -> object:
        if name == "task":
            warnings.warn("retryscope.task is called step; the old name goes with 0.2", DeprecationWarning, 2)
            return step
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
