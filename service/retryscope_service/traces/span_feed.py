"""The spans of this process, from whoever records them to those who keep them for the page.

A span processor runs inside of what is traced. So this one only notes what has started and ended; what that
means is worked out for many spans at once, or when somebody asks. Who records waits for nobody who reads.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final, Protocol

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from retryscope_service.traces.span_parts import ids_of

BATCH: Final = 128
"""Starts and ends that are worked out at once, which takes as long as a request that does nothing."""


class SpanKeeper(Protocol):
    """Who is fed, in the order in which everything happened, and by one thread at a time.

    What it gets is the span itself and no copy: when it is told of the start, the span may have ended.
    """

    def started(self, span: ReadableSpan, trace_id: int, span_id: int, parent_id: int) -> None:
        """A span has started; 0 is no parent."""

    def ended(self, span: ReadableSpan, trace_id: int, span_id: int) -> None:
        """A span has ended. It may have started before anybody was fed."""


class SpanFeed(SpanProcessor):
    """The one span processor of the page. Thread-safe."""

    def __init__(self) -> None:
        self._started: tuple[Callable[[ReadableSpan, int, int, int], None], ...] = ()
        self._ended: tuple[Callable[[ReadableSpan, int, int], None], ...] = ()
        self._news: deque[Any] = deque()
        """A span that has started; in a tuple, one that has ended."""
        self._lock = Lock()

    def add(self, keeper: SpanKeeper) -> None:
        """Feed somebody more, after those that there are."""
        with self.settled():
            self._started = (*self._started, keeper.started)
            self._ended = (*self._ended, keeper.ended)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Keep a span from its start, so that a running workflow can be seen."""
        self._news.append(span)
        if len(self._news) >= BATCH:
            self._settle_unless_busy()

    def on_end(self, span: ReadableSpan) -> None:
        """Note that it has ended."""
        self._news.append((span,))
        if len(self._news) >= BATCH:
            self._settle_unless_busy()

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Inside, all keepers know what has happened before, and nobody changes them."""
        with self._lock:
            self._settle()
            yield

    def _settle_unless_busy(self) -> None:
        # Whoever has the lock may be this very thread: the garbage collector ends abandoned generators, and
        # their spans, anywhere.
        if self._lock.acquire(blocking=False):
            try:
                self._settle()
            finally:
                self._lock.release()

    def _settle(self) -> None:
        news = self._news
        for _ in range(len(news)):
            new = news.popleft()
            if type(new) is tuple:
                (span,) = new
                trace_id, span_id, _ = ids_of(span)
                for ended in self._ended:
                    ended(span, trace_id, span_id)
            else:
                trace_id, span_id, parent_id = ids_of(new)
                for started in self._started:
                    started(new, trace_id, span_id, parent_id)
