"""The lines of one child, which are made again only where a value has changed.

Most have not between two scrapes, and of those that have, all but the value stays. Values are compared by
identity: a float is never changed in place, 0.0 equals -0.0, which is another text, and NaN equals nothing.
"""

from __future__ import annotations

from operator import is_
from typing import Any, Protocol

from retryscope._prometheus.text import exemplar_text, number

_NEVER = object()


class ChildLines(Protocol):
    """Lines of one child, but that of its ``_created``."""

    def text(self) -> bytes:
        """As of now."""


class OneLine:
    """Of a counter or gauge.

    Args:
        value: Of the client.
        before: What stands before it.
        exemplars: Whether they are shown.
    """

    __slots__ = ("_before", "_exemplar", "_exemplars", "_number", "_text", "_value")

    def __init__(self, value: Any, before: str, *, exemplars: bool) -> None:
        self._value = value
        self._before = before
        self._exemplars = exemplars
        self._number: Any = _NEVER
        self._exemplar: Any = None
        self._text = b""

    def text(self) -> bytes:
        """As of now."""
        now = self._value._value
        exemplar = self._value._exemplar if self._exemplars else None
        if now is not self._number or exemplar is not self._exemplar:
            # First the text: where it can't be written, that is so in the next scrape, too.
            self._text = f"{self._before}{number(now)}{exemplar_text(exemplar)}\n".encode()
            self._number, self._exemplar = now, exemplar
        return self._text


class SummaryLines:
    """Of a summary: its count and its sum."""

    __slots__ = ("_lines",)

    def __init__(self, lines: list[OneLine]) -> None:
        self._lines = lines

    def text(self) -> bytes:
        """As of now."""
        return b"".join([line.text() for line in self._lines])


class HistogramLines:
    """Of a histogram: its buckets are read before any is written, so that no count is less than one below it.

    The sum is read after them, as the client does it; it may be ahead of the count by observations that
    another thread is about to count.

    Args:
        buckets: The client's values, each of its own bucket only.
        total: The client's value of the sum.
        before: What stands before the value of each bucket, of the count and, unless bounds are negative, of
            the sum.
        exemplars: Whether they are shown.
    """

    __slots__ = (
        "_before",
        "_buckets",
        "_counts",
        "_exemplars",
        "_shown",
        "_shows",
        "_sum",
        "_text",
        "_total",
    )

    def __init__(self, buckets: list[Any], total: Any, before: list[str], *, exemplars: bool) -> None:
        self._buckets = buckets
        self._total = total
        self._before = before
        self._counts: list[Any] = [_NEVER] * len(buckets)
        self._sum: Any = _NEVER
        self._shows = exemplars
        self._exemplars: list[Any] = [None] * len(buckets)
        self._shown = [""] * len(buckets)
        self._text = b""

    def text(self) -> bytes:
        """As of now."""
        counts = [bucket._value for bucket in self._buckets]
        total = self._total._value
        exemplars = [bucket._exemplar for bucket in self._buckets] if self._shows else self._exemplars
        shown = self._shown
        if not all(map(is_, exemplars, self._exemplars)):
            shown = [
                text if now is before else exemplar_text(now)
                for now, before, text in zip(exemplars, self._exemplars, shown, strict=True)
            ]
        elif total is self._sum and all(map(is_, counts, self._counts)):
            return self._text
        self._text = self._written(counts, total, shown)
        self._counts, self._sum, self._exemplars, self._shown = counts, total, exemplars, shown
        return self._text

    def _written(self, counts: list[Any], total: Any, shown: list[str]) -> bytes:
        parts = []
        known, said = 0.0, "0.0"
        for before, count, exemplar in zip(self._before, counts, shown, strict=False):
            if count:  # most buckets add nothing to those before them
                known += count
                said = number(known)
            parts.append(f"{before}{said}{exemplar}\n")
        after = self._before[len(parts) :]
        parts.extend(f"{before}{text}\n" for before, text in zip(after, (said, number(total)), strict=False))
        return "".join(parts).encode()
