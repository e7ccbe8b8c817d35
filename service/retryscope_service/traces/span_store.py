"""Traces, kept in this process: fed when a span starts and when it ends."""

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from retryscope_service.traces.retention import RetentionOrder, is_notable
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
    levels: TraceLevels | None = None
    """Known only of a full trace."""

    def part(self, trace_id: int, spans: Sequence[ReadableSpan]) -> TraceSpans:
        return TraceSpans(trace_id, spans, self.total, self.total > len(self.spans))


class SpanStore(SpanProcessor):
    """A bounded store of traces. Thread-safe.

    A plain success goes first, then what failed, was retried or cancelled, then what was looked at, and last
    what somebody watches; a running one never.

    Args:
        max_traces: Finished traces kept at most.
        max_spans: Spans kept at most, of all traces together.
    """

    def __init__(self, max_traces: int, max_spans: int) -> None:
        self._max_traces = max_traces
        self._max_spans = max_spans
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._order = RetentionOrder(max_traces)
        self._unsampled: OrderedDict[int, None] = OrderedDict()
        self._spans = 0
        self._watchers: Counter[int] = Counter()
        self._changed: dict[int, dict[int, None]] = {}
        """Ids of the spans that changed, of each watched trace."""
        self._lock = Lock()

    @property
    def span_count(self) -> int:
        """Spans kept now."""
        return self._spans

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Keep a span from its start, so that a running workflow can be seen."""
        context = span.get_span_context()
        with self._lock:
            trace = self._traces.get(context.trace_id)
            if trace is None:
                trace = self._traces[context.trace_id] = _Trace()
                self._order.add(context.trace_id)
            trace.total += 1
            if is_notable(span):  # also one that is not kept
                self._order.note(context.trace_id)
            if context.trace_id in self._watchers:
                self._changed.setdefault(context.trace_id, {})[context.span_id] = None
            if len(trace.spans) >= MAX_SPANS_PER_TRACE and not self._make_room(trace, span):
                return
            trace.spans[context.span_id] = span
            trace.open.add(context.span_id)
            self._spans += 1
            self._evict()

    def on_end(self, span: ReadableSpan) -> None:
        """Replace the running span by the ended one."""
        context = span.context
        with self._lock:
            trace = self._traces.get(context.trace_id)
            if trace is not None and is_notable(span):
                self._order.note(context.trace_id)
            if trace is not None and context.span_id in trace.open:
                trace.spans[context.span_id] = span
                trace.open.discard(context.span_id)
                if context.trace_id in self._watchers:
                    self._changed.setdefault(context.trace_id, {})[context.span_id] = None

    def note_unsampled(self, trace_id: int) -> None:
        """Remember that a trace was not sampled: no span of it comes here."""
        with self._lock:
            self._unsampled[trace_id] = None
            if len(self._unsampled) > MAX_UNSAMPLED:
                self._unsampled.popitem(last=False)

    def was_unsampled(self, trace_id: int) -> bool:
        """Whether it is one of the last traces that were not sampled."""
        return trace_id in self._unsampled

    def __contains__(self, trace_id: int) -> bool:
        """Whether the trace is here."""
        return trace_id in self._traces

    def look(self, trace_id: int) -> None:
        """Somebody has opened this trace: it stays longer."""
        with self._lock:
            self._order.look(trace_id)

    def get(self, trace_id: int) -> Sequence[ReadableSpan] | None:
        """The spans of one trace in the order of their starts, or None if it is not here (any more)."""
        trace = self.trace(trace_id)
        return None if trace is None else trace.spans

    def trace(self, trace_id: int) -> TraceSpans | None:
        """One trace with what is known about spans that are not kept, or None if it is not here."""
        with self._lock:
            trace = self._traces.get(trace_id)
            return None if trace is None else trace.part(trace_id, tuple(trace.spans.values()))

    def latest(self, limit: int) -> Sequence[ReadableSpan]:
        """The spans of the last ``limit`` traces, the newest trace first."""
        with self._lock:
            newest = islice(reversed(self._traces.values()), limit)
            return tuple(span for trace in newest for span in trace.spans.values())

    @contextmanager
    def watching(self, trace_ids: Collection[int]) -> Iterator[None]:
        """Changes are only collected of the traces that somebody watches; they stay longest."""
        with self._lock:
            self._watchers.update(trace_ids)
        try:
            yield
        finally:
            with self._lock:
                for trace_id in trace_ids:
                    self._order.look(trace_id)
                self._watchers -= Counter(trace_ids)  # leaves out what has come to 0
                self._changed = {each: ids for each, ids in self._changed.items() if each in self._watchers}

    @property
    def has_changed(self) -> bool:
        """Whether ``take_changed`` has something."""
        return bool(self._changed)

    def take_changed(self) -> list[TraceSpans]:
        """The kept spans that started or ended since the last call, each once and as it is now."""
        with self._lock:
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
        trace.open.discard(replaced)
        self._spans -= 1
        return True

    def _evict(self) -> None:
        while len(self._traces) > self._max_traces or self._spans > self._max_spans:
            # Among few large traces the newest tenth may be most of the spans.
            spare_newest = self._spans <= self._max_spans
            gone = self._order.first(self._is_idle, spare_newest) or self._order.first(self._has_ended, False)
            if gone is None:
                return
            self._order.remove(gone)
            self._spans -= len(self._traces.pop(gone).spans)

    def _has_ended(self, trace_id: int) -> bool:
        return not self._traces[trace_id].open

    def _is_idle(self, trace_id: int) -> bool:
        return trace_id not in self._watchers and self._has_ended(trace_id)
