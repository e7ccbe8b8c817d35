"""Export that never disturbs: spans are encoded when they end, and a thread only sends bytes.

To encode takes a microsecond where the span's values are at hand, and forty in the SDK's encoder, in bursts
on a thread that holds the interpreter while the event loop waits. The queue is bounded by spans and by bytes;
every span that is lost is counted with its reason, the first one of each is logged.
"""

from __future__ import annotations

import logging
import threading
from typing import Final, Protocol

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from retryscope._recording.backlog import Backlog, request_of
from retryscope._recording.export import QUEUE_SIZE, SCHEDULE_DELAY_MILLIS
from retryscope._recording.fast.span import is_sampled
from retryscope._recording.losses import Losses, OnDrop
from retryscope._recording.otlp import encode
from retryscope._recording.sender import Delivery
from retryscope.fork import tell_after_fork

BATCH_SIZE: Final = 2_048
"""Spans of one request at most: a few large ones disturb an event loop less than many small ones."""
MAX_QUEUE_BYTES: Final = 64 * 2**20
"""What waits at most, encoded. Most spans have 300 bytes; one with a long stack trace may have 70,000."""
MAX_REQUEST_BYTES: Final = 4 * 2**20
"""After that much, a request takes no further span: collectors refuse large ones, many above 20 MiB."""

_log = logging.getLogger("retryscope")


class Sends(Protocol):
    """What delivers requests, one at a time: :class:`~retryscope._recording.sender.Sender`."""

    def send(self, request: bytes) -> Delivery:
        """Deliver one."""

    def stop(self) -> None:
        """Try no request again."""

    def close(self) -> None:
        """No further one will come."""


class FastExportProcessor(SpanProcessor):
    """A span processor that hands ended spans, ours and the SDK's alike, to a collector.

    Args:
        sender: Delivers them.
        on_drop: Counts what is lost; called from any thread.
        queue_size: Spans that wait at most.
        batch_size: Spans of one request at most.
        schedule_delay_millis: Longest wait before a request, in milliseconds.
        max_queue_bytes: What waits at most, in bytes.
        max_request_bytes: After which a request takes no further span.
    """

    def __init__(
        self,
        sender: Sends,
        on_drop: OnDrop,
        *,
        queue_size: int = QUEUE_SIZE,
        batch_size: int = BATCH_SIZE,
        schedule_delay_millis: int = SCHEDULE_DELAY_MILLIS,
        max_queue_bytes: int = MAX_QUEUE_BYTES,
        max_request_bytes: int = MAX_REQUEST_BYTES,
    ) -> None:
        self._sender = sender
        self._losses = Losses(on_drop)
        self._batch_size = min(batch_size, queue_size)
        self._delay = schedule_delay_millis / 1e3
        self._max_request_bytes = max_request_bytes
        self._backlog = Backlog(queue_size, max_queue_bytes)
        self._closed = False
        self._begin()
        tell_after_fork(self)

    def _begin(self) -> None:
        # The garbage collector may end a span while this thread is in here: the lock is made for that.
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._flushes: list[threading.Event] = []
        self._thread: threading.Thread | None = None
        self._in_flight = 0
        self._given_up = threading.Event()

    def after_fork(self) -> None:
        """What waits is the other process's to send; a fork takes no threads along."""
        self._backlog.clear()
        self._begin()

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a sampled span, or count it as dropped."""
        if not is_sampled(span):
            return
        try:
            encoded = encode(span)
        except Exception:  # a time that no 64 bits can hold, or what else users' code has put in it
            _log.debug("a span can't be encoded", exc_info=True)
            self._losses.add("export_failed", 1)
            return
        with self._lock:
            admitted = not self._closed and self._backlog.add(
                span.resource, span.instrumentation_scope, encoded, self._in_flight
            )
            if admitted and (self._thread is None or self._backlog.spans == self._batch_size):
                self._start_or_wake()
        if not admitted:
            self._losses.add("already_shutdown" if self._closed else "queue_full", 1)

    def _start_or_wake(self) -> None:
        # With the first span, not before: a server that forks its workers does so after the set-up.
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="span-export", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter is ending; what waits is sent by close()
                return
            self._thread = thread
        if self._backlog.spans >= self._batch_size:
            self._wake.set()

    def _work(self) -> None:
        last = False
        while not last:
            self._wake.wait(self._delay)
            self._wake.clear()
            last = self._closed
            flushes, self._flushes = self._flushes, []
            self._send_all()
            for done in flushes:
                done.set()
        self._sender.close()

    def _send_all(self) -> None:
        while True:
            with self._lock:
                if self._given_up.is_set() or not self._backlog.spans:
                    return
                taken = self._backlog.take(self._batch_size, self._max_request_bytes)
                self._in_flight = sum(len(spans) for _, spans in taken)
            try:
                delivery = self._sender.send(request_of(taken))
            except Exception as error:
                delivery = Delivery(f"{type(error).__name__}: {error}")
            with self._lock:
                sent, self._in_flight = self._in_flight, 0
            if self._given_up.is_set():
                return
            if delivery.failure:
                self._losses.add("export_failed", sent, delivery.failure)
            elif delivery.rejected:
                self._losses.add("rejected", delivery.rejected)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what is queued; False if that took longer."""
        done = threading.Event()
        with self._lock:
            if self._closed or not self._backlog.spans + self._in_flight:
                return True
            self._flushes.append(done)
        self._wake.set()
        return done.wait(timeout_millis / 1e3)

    def shutdown(self) -> None:
        """Export what is queued and stop, within 30 seconds."""
        self.close(30.0)

    def close(self, timeout: float) -> None:
        """Export what is queued and stop; what ``timeout`` seconds don't suffice for counts as dropped."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            thread = self._thread
        self._wake.set()
        if thread is not None and thread.is_alive():
            thread.join(timeout)
        else:
            self._send_all()
            self._sender.close()
        with self._lock:
            left = self._backlog.spans + self._in_flight
            self._given_up.set()
            self._backlog.clear()
        self._sender.stop()
        if left:
            self._losses.add("already_shutdown", left)
