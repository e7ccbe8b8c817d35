"""Spans that never reach the collector: all are counted with their reason, the first of each is logged."""

from __future__ import annotations

import logging
from collections.abc import Callable

from retryscope.fork import ForkedLock

OnDrop = Callable[[str, int], None]
"""Called with the reason, as the table of names has it, and the number of spans; from any thread."""

_log = logging.getLogger("retryscope")


class Losses:
    """What one export has lost.

    Args:
        on_drop: Counts it.

    >>> lost = {}
    >>> losses = Losses(lambda reason, spans: lost.update({reason: spans}))
    >>> losses.add("queue_full", 3)
    >>> lost
    {'queue_full': 3}
    """

    def __init__(self, on_drop: OnDrop) -> None:
        self._on_drop = on_drop
        self._logged: set[str] = set()
        self._lock = ForkedLock()

    def add(self, reason: str, spans: int, why: str = "") -> None:
        """Count lost spans.

        Args:
            reason: As the table of names has it.
            spans: How many.
            why: What the collector has said, if it was asked.
        """
        self._on_drop(reason, spans)
        with self._lock:
            first = reason not in self._logged
            self._logged.add(reason)
        if not first:
            return
        if why:
            _log.warning("the collector has not taken a request: %s", why)
        _log.warning(
            "%d spans were dropped (%s); further drops are only counted, in"
            " resilience_telemetry_dropped_spans_total",
            spans,
            reason,
        )
