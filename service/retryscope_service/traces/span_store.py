"""Traces, kept in this process."""

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from retryscope_service.traces.retention import RetentionOrder, is_notable
from retryscope_service.traces.span_feed import SpanFeed
from retryscope_service.traces.trace_levels import TraceLevels

MAX_UNSAMPLED: Final = 10_000
"""Ids of traces that were not sampled that are remembered, the last ones."""
MAX_SPANS_PER_TRACE = 10_000
"""Spans that are kept of a trace, those near its root first: nobody reads more."""


@dataclass(frozen=True, slots=True)
class TraceSpans:
    """Spans of a trace.

    Attributes:
        trace_id: Its id.
        spans: In the order of their starts.
        total: How many spans the trace has.
        truncated: Whether more started than are kept.
    """

    trace_id: int
    spans: Sequence[ReadableSpan]
    total: int
    truncated: bool


@dataclass(slots=True)
class _Trace:
    spans: dict[int, ReadableSpan] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    total: int = 0
    notable: bool = False
    levels: TraceLevels | None = None
    """Known only of a full trace."""

    def part(self, trace_id: int, spans: Sequence[ReadableSpan]) -> TraceSpans:
        return TraceSpans(trace_id, spans, self.total, self.total > len(self.spans))


class SpanStore:
    """A bounded store of traces. Thread-safe.

    A plain success goes first, then what failed, was retried or cancelled, then what was looked at, and last
    what somebody watches; a running one never.

    Args:
        max_traces: Finished traces kept at most.
        max_spans: Spans kept at most, of all traces together.

    Attributes:
        feed: The span processor that feeds it.
    """

    def __init__(self, max_traces: int, max_spans: int) -> None:
        self._max_traces = max_traces
        self._max_spans = max_spans
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._order = RetentionOrder(max_traces)
        self._unsampled: OrderedDict[int, None] = OrderedDict()
        self._spans = 0
        self._ended = 0
        """Traces that have no running span: while there are none, nothing is looked for that could go."""
        self._watchers: Counter[int] = Counter()
        self._changed: dict[int, dict[int, None]] = {}
        """Ids of the spans that changed, of each watched trace."""
        self.feed: Final = SpanFeed()
        self.feed.add(self)

    @property
    def span_count(self) -> int:
        """Spans kept now."""
        with self.feed.settled():
            return self._spans

    def started(self, span: ReadableSpan, trace_id: int, span_id: int, parent_id: int) -> None:
        """Keep a span from its start, so that a running workflow can be seen."""
        trace = self._traces.get(trace_id)
        if trace is None:
            trace = self._traces[trace_id] = _Trace()
            self._order.add(trace_id)
            self._ended += 1
        trace.total += 1
        if trace_id in self._watchers:
            self._changed.setdefault(trace_id, {})[span_id] = None
        if len(trace.spans) >= MAX_SPANS_PER_TRACE and not self._make_room(trace, span):
            return
        if not trace.open:
            self._ended -= 1
        trace.spans[span_id] = span
        trace.open.add(span_id)
        self._spans += 1
        if self._spans > self._max_spans or len(self._traces) > self._max_traces:
            self._evict()

    def ended(self, span: ReadableSpan, trace_id: int, span_id: int) -> None:
        """It runs no more, and may have made its trace notable, also if it is not kept."""
        trace = self._traces.get(trace_id)
        if trace is None:
            return
        if not trace.notable and is_notable(span):
            trace.notable = True
            self._order.note(trace_id)
        if span_id in trace.open:
            trace.open.discard(span_id)
            if not trace.open:
                self._ended += 1
            if trace_id in self._watchers:
                self._changed.setdefault(trace_id, {})[span_id] = None

    def note_unsampled(self, trace_id: int) -> None:
        """Remember that a trace was not sampled: no span of it comes here."""
        with self.feed.settled():
            self._unsampled[trace_id] = None
            if len(self._unsampled) > MAX_UNSAMPLED:
                self._unsampled.popitem(last=False)

    def was_unsampled(self, trace_id: int) -> bool:
        """Whether it is one of the last traces that were not sampled."""
        return trace_id in self._unsampled

    def __contains__(self, trace_id: int) -> bool:
        """Whether the trace is here."""
        with self.feed.settled():
            return trace_id in self._traces

    def keeps(self, trace_id: int) -> bool:
        """The same, for who is fed after it."""
        return trace_id in self._traces

    def look(self, trace_id: int) -> None:
        """Somebody has opened this trace: it stays longer."""
        with self.feed.settled():
            self._order.look(trace_id)

    def get(self, trace_id: int) -> Sequence[ReadableSpan] | None:
        """The spans of one trace in the order of their starts, or None if it is not here (any more)."""
        trace = self.trace(trace_id)
        return None if trace is None else trace.spans

    def trace(self, trace_id: int) -> TraceSpans | None:
        """One trace with what is known about spans that are not kept, or None if it is not here."""
        with self.feed.settled():
            trace = self._traces.get(trace_id)
            return None if trace is None else trace.part(trace_id, tuple(trace.spans.values()))

    def latest(self, limit: int) -> Sequence[ReadableSpan]:
        """The spans of the last ``limit`` traces, the newest trace first."""
        with self.feed.settled():
            newest = islice(reversed(self._traces.values()), limit)
            return tuple(span for trace in newest for span in trace.spans.values())

    @contextmanager
    def watching(self, trace_ids: Collection[int]) -> Iterator[None]:
        """Changes are only collected of the traces that somebody watches; they stay longest."""
        with self.feed.settled():
            self._watchers.update(trace_ids)
        try:
            yield
        finally:
            with self.feed.settled():
                for trace_id in trace_ids:
                    self._order.look(trace_id)
                self._watchers -= Counter(trace_ids)  # leaves out what has come to 0
                self._changed = {each: ids for each, ids in self._changed.items() if each in self._watchers}

    @property
    def has_changed(self) -> bool:
        """Whether ``take_changed`` has something."""
        with self.feed.settled():
            return bool(self._changed)

    def take_changed(self) -> list[TraceSpans]:
        """The kept spans that started or ended since the last call, each once and as it is now."""
        with self.feed.settled():
            changed, self._changed = self._changed, {}
            return [
                trace.part(trace_id, [trace.spans[each] for each in ids if each in trace.spans])
                for trace_id, ids in changed.items()
                if (trace := self._traces.get(trace_id)) is not None
            ]

    def _make_room(self, trace: _Trace, span: ReadableSpan) -> bool:
        """Whether the span is kept in a full trace, instead of one that is further from the root."""
        if trace.levels is None:
            trace.levels = TraceLevels(trace.spans.values())
        replaced = trace.levels.replaced_by(span)
        if replaced is None:
            return False
        del trace.spans[replaced]
        if replaced in trace.open:
            trace.open.discard(replaced)
            if not trace.open:
                self._ended += 1
        self._spans -= 1
        return True

    def _evict(self) -> None:
        while self._ended and (len(self._traces) > self._max_traces or self._spans > self._max_spans):
            # Among few large traces the newest tenth may be most of the spans.
            spare_newest = self._spans <= self._max_spans
            gone = self._order.first(self._is_idle, spare_newest) or self._order.first(self._has_ended, False)
            if gone is None:
                return
            self._order.remove(gone)
            self._ended -= 1
            self._spans -= len(self._traces.pop(gone).spans)

    def _has_ended(self, trace_id: int) -> bool:
        return not self._traces[trace_id].open

    def _is_idle(self, trace_id: int) -> bool:
        return trace_id not in self._watchers and self._has_ended(trace_id)
