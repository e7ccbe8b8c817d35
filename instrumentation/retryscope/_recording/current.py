"""Which span of this library is current, and what is so again when it has ended."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    get_current_span,
    set_span_in_context,
)

from retryscope._prometheus.cells import SpanIds


class StartedSpan:
    """A span that a recorder has started, and what is current again after it.

    Attributes:
        span: It.
        before: The context that was current before it, or would be if nothing had ended since.
        around: The span around it, of this library's, that has not ended.
        ended: It has ended: nobody's parent any more, in whatever context it was left.
    """

    __slots__ = ("around", "before", "ended", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.before: Context | None = None
        self.around: StartedSpan | None = None
        self.ended = False

    def make_current(self, around: StartedSpan | None) -> None:
        """Until :meth:`end` what begins here begins below it; ``around`` is the innermost before it."""
        self.around = around
        self.before = get_current()
        attach(set_span_in_context(self.span, self.before))
        innermost.set(self)

    def end(self) -> None:
        """It has ended, wherever: what was current before it is so again here, if it was."""
        self.ended = True
        if self.before is not None:
            self._forget_ended()
            settle()

    def _forget_ended(self) -> None:
        # Else tasks that start each other would keep all before them.
        while self.around is not None and self.around.ended:
            self.before, self.around = self.around.before, self.around.around

    @property
    def context(self) -> SpanContext:
        """Its ids."""
        return self.span.get_span_context()

    @property
    def exemplar(self) -> SpanIds | None:
        """The same as numbers, where it is sampled."""
        context = self.span.get_span_context()
        if not (context.trace_flags & 1 and self.span.is_recording()):
            return None
        return context.trace_id, context.span_id


innermost: Final[ContextVar[StartedSpan | None]] = ContextVar("resilience_span", default=None)
"""The span of this library's that was made current last, ended or not."""


def settle() -> StartedSpan | None:
    """See to it that no ended span of this library is current here; the innermost that has not ended.

    No token is reset: a block may end in another context than the one it began in, as a fixture or an
    abandoned generator does, or after one that began later, as generators do that are consumed in turn.
    """
    last = innermost.get()
    if last is None or not last.ended:
        return last
    last._forget_ended()
    current = get_current_span()
    if last.before is not None and (current is last.span or _has_ended(current)):
        attach(last.before)
    innermost.set(last.around)
    return last.around


def _has_ended(span: Span) -> bool:
    """Whether it was recorded once: one that comes from elsewhere, was not sampled or is none never was."""
    return not span.is_recording() and not isinstance(span, NonRecordingSpan)
