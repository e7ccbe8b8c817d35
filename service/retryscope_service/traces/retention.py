"""Which trace is forgotten first: what nobody will miss goes before what somebody will ask for."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from typing import Final, TypeVar

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from retryscope import semconv
from retryscope.outcome import is_above_one, is_more_than_a_success
from retryscope_service.traces.span_parts import said_at_end, said_at_start

T = TypeVar("T")

MAX_LOOKED_AT: Final = 50
"""Traces that stay because somebody has opened them, the last ones; at most half of all."""


def is_notable(span: ReadableSpan) -> bool:
    """Whether a span that has ended makes its trace more than a success: it failed, or is part of a retry."""
    return (
        is_more_than_a_success(said_at_end(span))
        or span.status.status_code is StatusCode.ERROR
        or is_above_one(said_at_start(span).get(semconv.ATTEMPT_NUMBER))
    )


def first_to_go(kept: Mapping[str, T], trace_of: Callable[[T], int], has_trace: Callable[[int], bool]) -> str:
    """The oldest of what is kept that nobody can open any more, as its trace is gone; else the oldest."""
    gone = (key for key, each in kept.items() if not has_trace(trace_of(each)))
    return next(gone, next(iter(kept)))


class RetentionOrder:
    """The traces in the order in which they are forgotten.

    First the plain successes, then the notable ones, then those that were looked at last; among equals the
    one that has been such for longest. A success among the newest tenth goes after the notable ones, so that
    a run that has just succeeded can be read where everything else fails.

    Args:
        max_traces: As many are kept.
    """

    def __init__(self, max_traces: int) -> None:
        self._newest = max_traces // 10
        self._max_looked_at = max(1, min(MAX_LOOKED_AT, max_traces // 2))
        self._added = 0
        self._plain: OrderedDict[int, int] = OrderedDict()
        """Each with how many had been added by then."""
        self._notable: OrderedDict[int, int] = OrderedDict()
        self._looked_at: OrderedDict[int, OrderedDict[int, int]] = OrderedDict()
        """Each with where it belongs when nobody looks at it."""

    def add(self, trace_id: int) -> None:
        """A new trace: plain until something happens in it."""
        self._added += 1
        self._plain[trace_id] = self._added

    def note(self, trace_id: int) -> None:
        """It is notable from now on."""
        if trace_id in self._looked_at:
            self._looked_at[trace_id] = self._notable
        elif self._plain.pop(trace_id, None) is not None:
            self._notable[trace_id] = self._added

    def look(self, trace_id: int) -> None:
        """Somebody looks at it; the one that was looked at longest ago is as the newest of its kind again."""
        for kind in (self._plain, self._notable):
            if kind.pop(trace_id, None) is not None:
                self._looked_at[trace_id] = kind
        if trace_id in self._looked_at:
            self._looked_at.move_to_end(trace_id)
        if len(self._looked_at) > self._max_looked_at:
            let_go, kind = self._looked_at.popitem(last=False)
            kind[let_go] = self._added

    def remove(self, trace_id: int) -> None:
        """It is not kept any more."""
        for known in (self._plain, self._notable, self._looked_at):
            known.pop(trace_id, None)

    def first(self, may_go: Callable[[int], bool], spare_newest: bool) -> int | None:
        """The first that may go, if any; the newest may be spared for as long as there are notable ones."""
        return next(filter(may_go, self._in_order(spare_newest)), None)

    def _in_order(self, spare_newest: bool) -> Iterator[int]:
        if spare_newest:
            spared = self._added - self._newest
            yield from (each for each, _ in takewhile(lambda plain: plain[1] <= spared, self._plain.items()))
            yield from self._notable
        yield from self._plain
        yield from self._notable
        yield from self._looked_at
