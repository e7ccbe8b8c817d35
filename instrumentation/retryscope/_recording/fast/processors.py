"""A provider's span processors, called directly: most of them want to hear of one thing only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, SynchronousMultiSpanProcessor


class Processors:
    """Those of a provider, in the order in which they were added, late ones included.

    Args:
        whole: What the SDK's tracer calls, which calls them.

    Attributes:
        on_start: What is called with a span that has started.
        on_ending: With one that ends.
        on_end: With one that has.
    """

    __slots__ = ("_known", "_whole", "on_end", "on_ending", "on_start")

    def __init__(self, whole: SpanProcessor) -> None:
        self._whole: Any = whole
        self._known: tuple[SpanProcessor, ...] | None = None
        self.on_start: tuple[Callable[..., object], ...] = ()
        self.on_ending: tuple[Callable[[Any], object], ...] = ()
        self.on_end: tuple[Callable[[ReadableSpan], object], ...] = ()
        self.refresh()

    def refresh(self) -> None:
        """Look whether one has been added."""
        whole = self._whole
        if type(whole) is SynchronousMultiSpanProcessor:
            # A tuple, which is replaced when one is added. Where it has moved, `whole` calls them as ever.
            processors = getattr(whole, "_span_processors", None)
        else:
            processors = None
        if type(processors) is not tuple:
            processors = (whole,) if self._known is None else self._known
        if processors is not self._known:
            self._known = processors
            self.on_start = _overriding(processors, "on_start")
            self.on_ending = _overriding(processors, "_on_ending")
            self.on_end = _overriding(processors, "on_end")


def _overriding(processors: Sequence[SpanProcessor], name: str) -> tuple[Callable[..., object], ...]:
    idle = getattr(SpanProcessor, name, None)
    if idle is None:  # an older release, which does not call it
        return ()
    methods = [getattr(each, name) for each in processors if hasattr(each, name)]
    return tuple(method for method in methods if getattr(method, "__func__", None) is not idle)
