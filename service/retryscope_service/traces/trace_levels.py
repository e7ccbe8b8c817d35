"""How far the spans of a full trace are from its root: the furthest makes room for one that is nearer."""

from collections.abc import Iterable

from opentelemetry.sdk.trace import ReadableSpan


class TraceLevels:
    """The spans of a trace by their depth.

    Args:
        spans: All that are kept, in the order of their starts.
    """

    def __init__(self, spans: Iterable[ReadableSpan]) -> None:
        self._depth: dict[int, int] = {}
        self._levels: list[list[int]] = []
        for span in spans:
            self._add(span, self._depth_of(span) or 0)

    def replaced_by(self, span: ReadableSpan) -> int | None:
        """Id of the span that goes when this one comes: the last of the lowest level, or None."""
        depth = self._depth_of(span)
        if depth is None or depth >= len(self._levels) - 1:
            return None
        replaced = self._levels[-1].pop()
        del self._depth[replaced]
        self._add(span, depth)
        while not self._levels[-1]:
            self._levels.pop()
        return replaced

    def _depth_of(self, span: ReadableSpan) -> int | None:
        """None: below a span that is not kept."""
        if span.parent is None or span.parent.is_remote:
            return 0
        above = self._depth.get(span.parent.span_id)
        return None if above is None else above + 1

    def _add(self, span: ReadableSpan, depth: int) -> None:
        assert span.context is not None
        if depth == len(self._levels):
            self._levels.append([])
        self._levels[depth].append(span.context.span_id)
        self._depth[span.context.span_id] = depth
