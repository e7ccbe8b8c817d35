"""What a variant is to the measurements."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.workload import Operation, Policy


def _nothing_to_flush() -> None:
    pass


def _nothing_dropped() -> int:
    return 0


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of retrying.

    Attributes:
        retrying: Makes an operation retry.
        flush: Returns when everything recorded so far has been exported.
        dropped: Spans that it says it has lost.
    """

    retrying: Callable[[Operation, Policy], Operation]
    flush: Callable[[], object] = _nothing_to_flush
    dropped: Callable[[], int] = _nothing_dropped
