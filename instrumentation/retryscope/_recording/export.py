"""Export that never disturbs: a bounded queue, every drop counted, the first one logged.

The SDK's batch processor drops silently when its queue is full and forgets a batch that its exporter
could not deliver. Here both are counted. Only its public interface is used: spans are admitted before
they reach its queue, so that queue can't overflow.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from retryscope._recording.fast.span import is_sampled
from retryscope._recording.losses import Losses, OnDrop
from retryscope.fork import tell_after_fork

QUEUE_SIZE = 20_000
"""Spans that wait at most; the SDK's default of 2,048 loses more than half of a burst of 5,000."""
BATCH_SIZE = 512
"""Spans of one request at most."""
SCHEDULE_DELAY_MILLIS = 1_000
"""Longest wait before a request, in milliseconds."""
EXPORT_TIMEOUT_MILLIS = 30_000
"""Given to the SDK, which does nothing with it yet, in milliseconds."""

_log = logging.getLogger("retryscope")


class ExportProcessor(SpanProcessor):
    """A span processor that hands ended spans to an exporter on a thread, within a bound.

    Args:
        exporter: For example an OTLP exporter.
        on_drop: Counts what is lost; called from both threads.
        queue_size: Spans that wait at most.
        batch_size: Spans of one request at most.
        schedule_delay_millis: Longest wait before a request, in milliseconds.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        on_drop: OnDrop,
        *,
        queue_size: int = QUEUE_SIZE,
        batch_size: int = BATCH_SIZE,
        schedule_delay_millis: int = SCHEDULE_DELAY_MILLIS,
    ) -> None:
        self.losses = Losses(on_drop)
        self._queue_size = queue_size
        self._pending = 0
        self._lock = threading.Lock()
        self._closed = False
        self._written_off = False
        self._batches = BatchSpanProcessor(
            _CountingExporter(exporter, self),
            max_queue_size=queue_size,
            max_export_batch_size=min(batch_size, queue_size),
            schedule_delay_millis=schedule_delay_millis,
            export_timeout_millis=EXPORT_TIMEOUT_MILLIS,
        )
        tell_after_fork(self)

    def after_fork(self) -> None:
        """The spans that wait are the other process's; the SDK's processor empties its queue itself."""
        self._lock = threading.Lock()
        self._pending = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing to do: spans are exported when they end."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a sampled span, or count it as dropped."""
        if not is_sampled(span):
            return
        with self._lock:
            admitted = self._pending < self._queue_size and not self._closed
            if admitted:
                self._pending += 1
        if admitted:
            self._batches.on_end(span)
        else:
            self.losses.add("already_shutdown" if self._closed else "queue_full", 1)

    def taken(self, spans: int) -> bool:
        """A batch has left the queue; False if it was too late and already counts as dropped."""
        with self._lock:
            self._pending -= spans
            return not self._written_off

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what is queued. The SDK ignores the timeout; use :meth:`close` for a bounded end."""
        return self._batches.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Export what is queued and stop, within 30 seconds."""
        self.close(30.0)

    def close(self, timeout: float) -> None:
        """Export what is queued and stop; what ``timeout`` seconds don't suffice for counts as dropped."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        # The SDK's own bound is 30 seconds; a daemon thread lets us leave earlier, and the process exit.
        flush = threading.Thread(target=self._batches.shutdown, name="span-flush", daemon=True)
        try:
            flush.start()
        except RuntimeError:  # the interpreter is ending and starts no threads any more
            self._batches.shutdown()  # type: ignore[no-untyped-call]
        else:
            flush.join(timeout)
        with self._lock:
            left, self._pending = self._pending, 0
            self._written_off = True
        if left:
            self.losses.add("already_shutdown", left)


class _CountingExporter(SpanExporter):
    """Counts the batches that the exporter behind it could not deliver."""

    def __init__(self, exporter: SpanExporter, processor: ExportProcessor) -> None:
        self._exporter = exporter
        self._processor = processor

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:
            _log.debug("the span exporter raised", exc_info=True)
            result = SpanExportResult.FAILURE
        in_time = self._processor.taken(len(spans))
        if in_time and result is not SpanExportResult.SUCCESS:
            self._processor.losses.add("export_failed", len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
