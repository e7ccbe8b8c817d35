"""A retry budget: a token bucket that stops retries from multiplying when a dependency is down."""

from __future__ import annotations

import sys
from typing import Self

from retryscope.arguments import require_number
from retryscope.fork import ForkedLock
from retryscope.printable import described


class RetryBudget:
    """Tokens that retries cost and successes earn back. Share one per dependency.

    While the dependency works, the bucket is full and retries are free to happen. When it is down, the
    bucket empties and the rate of retries falls to ``earn_per_success`` of the successes: nested retries
    can't multiply an outage. The scheme is gRPC's retry throttling (gRFC A6) with a plain bucket.

    Args:
        capacity: Most retries in a row without a success, >= 1.
        earn_per_success: Tokens that a success earns, 0 < value <= 1.

    Raises:
        TypeError: An argument is no number.
        ValueError: An argument is out of bounds.

    >>> budget = RetryBudget(capacity=1, earn_per_success=0.5)
    >>> budget.try_spend(), budget.try_spend()
    (True, False)
    >>> budget.earn(); budget.earn()
    >>> budget.try_spend()
    True
    """

    __slots__ = ("_capacity", "_earn", "_lock", "_tokens")

    def __init__(self, capacity: float = 10.0, earn_per_success: float = 0.1) -> None:
        for name, value in (("capacity", capacity), ("earn_per_success", earn_per_success)):
            require_number(f"RetryBudget {name}", value)
        if not 1 <= capacity <= sys.float_info.max:
            raise ValueError(f"RetryBudget capacity must be finite and >= 1, got {described(capacity)}")
        if not 0 < earn_per_success <= 1:
            raise ValueError(
                f"RetryBudget earn_per_success must be in (0, 1], got {described(earn_per_success)}"
            )
        self._capacity = float(capacity)
        self._earn = float(earn_per_success)
        self._tokens = self._capacity
        self._lock = ForkedLock()  # whoever shares it may run on several event loops

    @property
    def tokens(self) -> float:
        """Retries that are left now."""
        return self._tokens

    def try_spend(self) -> bool:
        """Take a token for one retry; False if there is none."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    def earn(self) -> None:
        """A first attempt or a retry succeeded."""
        with self._lock:
            self._tokens = min(self._capacity, self._tokens + self._earn)

    def __copy__(self) -> Self:
        """Itself: whatever holds it shares it, also when that is copied."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type[Self], tuple[float, float]]:
        """Another process has a budget of its own, and a full one."""
        return type(self), (self._capacity, self._earn)
