"""Sampling that keeps what matters: whether a trace is exported is decided when it is known what came of it.

Whatever failed, was retried, timed out or was cancelled is kept with its whole trace, of plain successes a
share. Ended spans of a trace are held while one of its local roots is open, that is a span whose parent, if
any, is in another process. The flag that is propagated stays what the sampler has said.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol
from zlib import crc32

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode

from retryscope._recording.fast.span import LiveSpan, is_sampled
from retryscope.fork import ForkedLock, tell_after_fork
from retryscope.outcome import is_more_than_a_success

MAX_SPANS: Final = 20_000
"""Held at most: as many as wait to be exported."""
MAX_TRACES: Final = 20_000
"""With an open local root, at most."""
MAX_DECISIONS: Final = 20_000
"""Remembered for spans that end after their root."""

_log = logging.getLogger("retryscope")


class Exports(Protocol):
    """What exports spans: :data:`~retryscope._recording.collector.Exporter`."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what is queued."""

    def close(self, timeout: float) -> None:
        """Export what is queued and stop."""


class _Trace:
    """One that has an open local root, and its spans that have ended."""

    __slots__ = ("keep", "open_roots", "spans")

    def __init__(self, keep: bool) -> None:
        self.keep = keep
        self.open_roots = 0
        self.spans: list[ReadableSpan] = []


class TailSampler(SpanProcessor):
    """In front of an exporter: hands it the spans of the traces that are kept.

    Where too much is held, the oldest traces are kept before it is known what comes of them. A span that
    matters, and ends after a trace was left out, is exported, and so is what ends after it.

    Args:
        exporter: Gets the spans that are kept, on the thread that ends the last of them.
        ratio: The share of plain successes that is kept, from 0 to 1.
        on_left_out: Called with the number of spans that are left out on purpose; from any thread.
        on_early: Called for each trace that is kept before its end, because too much was held.
        max_spans: Held at most.
        max_traces: With an open local root, at most.
        max_decisions: Remembered at most.
    """

    def __init__(
        self,
        exporter: Exports,
        ratio: float,
        *,
        on_left_out: Callable[[int], None],
        on_early: Callable[[], None],
        max_spans: int = MAX_SPANS,
        max_traces: int = MAX_TRACES,
        max_decisions: int = MAX_DECISIONS,
    ) -> None:
        self._exporter = exporter
        self._ratio = ratio
        self._on_left_out = on_left_out
        self._on_early = on_early
        self._max_spans = max_spans
        self._max_traces = max_traces
        self._max_decisions = max_decisions
        self._lock = ForkedLock()
        self._logged = False
        self._closed = False
        self._begin()
        tell_after_fork(self)

    def _begin(self) -> None:
        # The garbage collector may end a span while this thread is in here: that one has to wait.
        self._to_do: deque[Callable[[], None]] = deque()
        self._busy = False
        self._open: dict[int, _Trace] = {}
        self._holding: dict[int, _Trace] = {}  # those of them with spans, by the age of the first of these
        self._held = 0
        self._decisions: dict[int, bool] = {}
        self._kept: list[ReadableSpan] = []
        self._left_out = 0
        self._early = 0

    def after_fork(self) -> None:
        """What is held is the other process's."""
        self._begin()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Hold what ends below a local root."""
        if is_sampled(span) and is_local_root(span):
            self._do(partial(self._root_started, _trace_id(span)))

    def on_end(self, span: ReadableSpan) -> None:
        """Hold a span, export it, or leave it out."""
        if is_sampled(span):
            self._do(partial(self._ended, _trace_id(span), span))

    def _do(self, step: Callable[[], None]) -> None:
        with self._lock:
            self._to_do.append(step)
            if self._busy:
                return
            self._busy = True
            try:
                while self._to_do:
                    self._to_do.popleft()()
            finally:
                self._busy = False
        self._hand_on()

    def _root_started(self, trace_id: int) -> None:
        trace = self._open.get(trace_id)
        if trace is None:
            trace = self._open[trace_id] = _Trace(self._decisions.get(trace_id, False))
        trace.open_roots += 1
        while len(self._open) > self._max_traces:
            self._keep_early(next(iter(self._open)))

    def _ended(self, trace_id: int, span: ReadableSpan) -> None:
        trace = self._open.get(trace_id)
        if trace is None or self._closed:
            self._ended_late(trace_id, span)
            return
        trace.keep = trace.keep or matters(span)
        trace.spans.append(span)
        self._holding[trace_id] = trace
        self._held += 1
        if is_local_root(span):
            trace.open_roots -= 1
            if not trace.open_roots:
                self._decide(trace_id, trace.keep or self._is_drawn(trace_id))
        while self._held > self._max_spans:
            self._keep_early(next(iter(self._holding)))

    def _ended_late(self, trace_id: int, span: ReadableSpan) -> None:
        decision = self._decisions.get(trace_id)
        keep = self._closed or decision or matters(span) or (decision is None and self._is_drawn(trace_id))
        if keep is not decision:
            self._remember(trace_id, keep)
        self._settle([span], keep)

    def _is_drawn(self, trace_id: int) -> bool:
        # By a checksum, not by the bits themselves: a sampler by ratio has already chosen by some of these.
        return crc32(trace_id.to_bytes(16, "big")) < self._ratio * 2**32

    def _keep_early(self, trace_id: int) -> None:
        self._early += 1
        self._decide(trace_id, True)

    def _decide(self, trace_id: int, keep: bool) -> None:
        spans = self._open.pop(trace_id).spans
        self._holding.pop(trace_id, None)
        self._held -= len(spans)
        self._remember(trace_id, keep)
        self._settle(spans, keep)

    def _remember(self, trace_id: int, keep: bool) -> None:
        self._decisions[trace_id] = keep
        if len(self._decisions) > self._max_decisions:
            del self._decisions[next(iter(self._decisions))]

    def _settle(self, spans: list[ReadableSpan], keep: bool) -> None:
        if keep:
            self._kept += spans
        else:
            self._left_out += len(spans)

    def _hand_on(self) -> None:
        # Not under the lock: whoever counts and queues has locks of their own.
        with self._lock:
            kept, self._kept = self._kept, []
            left_out, self._left_out = self._left_out, 0
            early, self._early = self._early, 0
            first = bool(early) and not self._logged
            self._logged = self._logged or first
        for span in kept:
            self._exporter.on_end(span)
        if left_out:
            self._on_left_out(left_out)
        for _ in range(early):
            self._on_early()
        if first:
            _log.warning(
                "more than %d spans or %d traces wait for the end of their trace: the oldest are kept,"
                " whatever comes of them; further ones are only counted, in"
                " resilience_telemetry_early_decisions_total",
                self._max_spans,
                self._max_traces,
            )

    def _release(self) -> None:
        for trace_id in list(self._holding):
            self._decide(trace_id, True)

    def _close(self) -> None:
        self._closed = True  # what ends from now on is the exporter's to count
        self._release()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Keep what is held, and export it."""
        self._do(self._release)
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Keep what is held, export it and stop, within 30 seconds."""
        self.close(30.0)

    def close(self, timeout: float) -> None:
        """Keep what is held, export it and stop, within ``timeout`` seconds."""
        self._do(self._close)
        self._exporter.close(timeout)


def matters(span: ReadableSpan) -> bool:
    """Whether a span, when it has ended, makes its trace more than a plain success."""
    return span.status.status_code is StatusCode.ERROR or is_more_than_a_success(span.attributes or {})


def is_local_root(span: ReadableSpan) -> bool:
    """Whether its parent, if any, is in another process."""
    return span.parent is None or span.parent.is_remote


def _trace_id(span: ReadableSpan) -> int:
    if type(span) is LiveSpan:
        return span.trace_id
    assert span.context is not None
    return int(span.context.trace_id)
