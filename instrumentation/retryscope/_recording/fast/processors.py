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
        holder: Whose ``_span_processors`` are others than ``known`` when :meth:`refresh` is due.
        known: Those that are called.
        on_start: What is called with a span that has started.
        on_ending: With one that ends.
        on_end: With one that has.
    """

    __slots__ = ("_whole", "holder", "known", "on_end", "on_ending", "on_start")

    def __init__(self, whole: SpanProcessor) -> None:
        self._whole = whole
        self.holder: Any = self
        self.known: tuple[SpanProcessor, ...] = ()
        self.on_start: tuple[Callable[..., object], ...] = ()
        self.on_ending: tuple[Callable[[Any], object], ...] = ()
        self.on_end: tuple[Callable[[ReadableSpan], object], ...] = ()
        self.refresh()

    @property
    def _span_processors(self) -> tuple[SpanProcessor, ...]:
        """The same as the SDK's own has it."""
        return self.known

    def refresh(self) -> None:
        """Call those that there are now."""
        whole = self._whole
        # A tuple, which is replaced when one is added. Where it has moved, `whole` calls them as ever.
        processors = getattr(whole, "_span_processors", None)
        if type(whole) is SynchronousMultiSpanProcessor and type(processors) is tuple:
            self.holder = whole
        else:
            processors = (whole,)
        self.known = processors
        self.on_start = _overriding(processors, "on_start")
        self.on_ending = _overriding(processors, "_on_ending")
        self.on_end = _overriding(processors, "on_end")


def _overriding(processors: Sequence[SpanProcessor], name: str) -> tuple[Callable[..., object], ...]:
    idle = getattr(SpanProcessor, name, None)
    if idle is None:  # an older release, which does not call it
        return ()
    methods = [getattr(each, name) for each in processors if hasattr(each, name)]
    return tuple(method for method in methods if getattr(method, "__func__", None) is not idle)
