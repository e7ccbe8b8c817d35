"""Asyncio retries, timeouts and cancellations that you can see.

Primitives that behave as asyncio users expect and record every attempt, wait, timeout and cancel as
OpenTelemetry spans and Prometheus metrics. Declare an :class:`Operation`, call :func:`setup` once, and use
:class:`retry`, :class:`timeout`, :class:`deadline`, :class:`task`, :func:`gather`, :func:`cancellable`,
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

from .awaitables import NotAwaitableError
from .budget import RetryBudget
from .cancel_request import CancelRequest
from .cancellation import CancellableTask, cancel_on_exit, cancellable, request_cancel
from .canceller import task_factory
from .cleanup import CleanupResult, cleanup
from .concurrency import gather
from .operation import Operation
from .outcome import (
    CancelCause,
    CleanupOutcome,
    GiveUpReason,
    Outcome,
    error_type,
    message_of,
    status_rule,
)
from .policy import RetryPolicy
from .report import Report, settle
from .resend import ResendCount
from .retry import retry
from .setup import setup, shutdown
from .suppression import without_spans
from .task import task
from .timeout import deadline, timeout
from .workflow import workflow

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
    "task",
    "task_factory",
    "timeout",
    "without_spans",
    "workflow",
]
