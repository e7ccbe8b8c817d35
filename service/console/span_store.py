"""The last traces, kept in this process: fed when a span starts and when it ends."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

MAX_SPANS_PER_TRACE = 10_000
"""Further spans of a trace are not kept: nobody reads them."""


@dataclass(slots=True)
class _Trace:
    spans: dict[int, ReadableSpan] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)


class SpanStore(SpanProcessor):
    """A bounded store of traces; the oldest finished one goes first, a running one never. Thread-safe.

    Args:
        max_traces: Finished traces kept at most.
        max_spans: Spans kept at most, of all traces together.
    """

    def __init__(self, max_traces: int, max_spans: int) -> None:
        self._max_traces = max_traces
        self._max_spans = max_spans
        self._traces: OrderedDict[int, _Trace] = OrderedDict()
        self._spans = 0
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
            if len(trace.spans) >= MAX_SPANS_PER_TRACE:
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
            if trace is not None and context.span_id in trace.open:
                trace.spans[context.span_id] = span
                trace.open.discard(context.span_id)

    def get(self, trace_id: int) -> Sequence[ReadableSpan] | None:
        """The spans of one trace in the order of their starts, or None if it is not here (any more)."""
        with self._lock:
            trace = self._traces.get(trace_id)
            return None if trace is None else tuple(trace.spans.values())

    def latest(self, limit: int) -> Sequence[ReadableSpan]:
        """The spans of the last ``limit`` traces, the newest trace first."""
        with self._lock:
            newest = islice(reversed(self._traces.values()), limit)
            return tuple(span for trace in newest for span in trace.spans.values())

    def _evict(self) -> None:
        while len(self._traces) > self._max_traces or self._spans > self._max_spans:
            oldest = next((trace_id for trace_id, trace in self._traces.items() if not trace.open), None)
            if oldest is None:
                return
            self._spans -= len(self._traces.pop(oldest).spans)
