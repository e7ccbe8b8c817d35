"""Spans on an OpenTelemetry tracer, used leanly.

Attributes go in at the start, nothing is formatted on the success path, and the context managers of the
API (a generator each) are left alone. Times are given explicitly, so that a test can bring its own clock.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)

from retryscope import semconv
from retryscope._prometheus.cells import SpanIds
from retryscope._recording.recorder import Attributes, OpenSpan
from retryscope._recording.stacktrace import format_stacktrace, qualified_name
from retryscope._recording.suppression import suppressed
from retryscope.outcome import message_of

_CANCELLED_BY = {semconv.LINK_KIND: semconv.LINK_CANCELLED_BY}


class _TracerSpan:
    """A span, and what is current again after it.

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
        self.around: _TracerSpan | None = None
        self.ended = False

    def make_current(self, around: _TracerSpan | None) -> None:
        """Until :meth:`end` what begins here begins below it; ``around`` is the innermost before it."""
        self.around = around
        self.before = get_current()
        attach(set_span_in_context(self.span, self.before))
        _innermost.set(self)

    def end(self) -> None:
        """It has ended, wherever: what was current before it is so again here, if it was."""
        self.ended = True
        if self.before is not None:
            self._forget_ended()
            _settle()

    def _forget_ended(self) -> None:
        # Else tasks that start each other would keep all before them.
        while self.around is not None and self.around.ended:
            self.before, self.around = self.around.before, self.around.around

    @property
    def context(self) -> SpanContext:
        return self.span.get_span_context()

    @property
    def exemplar(self) -> SpanIds | None:
        context = self.span.get_span_context()
        if not (context.trace_flags & 1 and self.span.is_recording()):
            return None
        return context.trace_id, context.span_id


_innermost: ContextVar[_TracerSpan | None] = ContextVar("resilience_span", default=None)


def _settle() -> _TracerSpan | None:
    """See to it that no ended span of this library is current here; the innermost that has not ended.

    No token is reset: a block may end in another context than the one it began in, as a fixture or an
    abandoned generator does, or after one that began later, as generators do that are consumed in turn.
    """
    innermost = _innermost.get()
    if innermost is None or not innermost.ended:
        return innermost
    innermost._forget_ended()
    current = get_current_span()
    if innermost.before is not None and (current is innermost.span or _has_ended(current)):
        attach(innermost.before)
    _innermost.set(innermost.around)
    return innermost.around


def _has_ended(span: Span) -> bool:
    """Whether it was recorded once: one that comes from elsewhere, was not sampled or is none never was."""
    return not span.is_recording() and not isinstance(span, NonRecordingSpan)


class TracerRecorder:
    """A :class:`~retryscope._recording.recorder.Recorder` on any OpenTelemetry ``Tracer``.

    Args:
        tracer: Where spans start. With a sampler or provider of the user's own, theirs is used.
        time_ns: Wall clock in nanoseconds since the epoch.
        on_failure: Called with an exception of the tracing itself, which never reaches the caller.
    """

    def __init__(
        self, tracer: Tracer, time_ns: Callable[[], int], on_failure: Callable[[Exception], None]
    ) -> None:
        self._start_span = tracer.start_span
        self._time_ns = time_ns
        self._on_failure = on_failure

    def start(
        self,
        name: str,
        attributes: Attributes,
        *,
        current: bool = True,
        server: bool = False,
        cancelled_by: SpanContext | None = None,
    ) -> OpenSpan:
        """Start a span under the current one."""
        if suppressed():
            return _TracerSpan(INVALID_SPAN)
        try:
            around = _settle()
            span = self._start_span(
                name,
                kind=SpanKind.SERVER if server else SpanKind.INTERNAL,
                attributes=attributes,
                links=(Link(cancelled_by, _CANCELLED_BY),) if cancelled_by is not None else None,
                start_time=self._time_ns(),
            )
            started = _TracerSpan(span)
            if current:
                started.make_current(around)
            return started
        except Exception as failure:
            self._on_failure(failure)
            return _TracerSpan(INVALID_SPAN)

    def current(self) -> SpanContext:
        """Ids of the current span."""
        return get_current_span().get_span_context()

    def event(self, span: OpenSpan, name: str, attributes: Attributes, time_ns: int = 0) -> None:
        """Add an event. The one place to follow when the API moves span events to logs."""
        try:
            _unwrap(span).add_event(name, attributes, time_ns or self._time_ns())
        except Exception as failure:
            self._on_failure(failure)

    def exception(self, span: OpenSpan, error: BaseException) -> None:
        """Record an exception with its stack trace."""
        if not _unwrap(span).is_recording():
            return
        try:
            attributes = {
                semconv.EXCEPTION_TYPE: qualified_name(error),
                semconv.EXCEPTION_MESSAGE: message_of(error),
                semconv.EXCEPTION_STACKTRACE: format_stacktrace(error),
            }
        except Exception as failure:
            self._on_failure(failure)
        else:
            self.event(span, semconv.EVENT_EXCEPTION, attributes)

    def link(self, span: OpenSpan, target: SpanContext, kind: str = semconv.LINK_CANCELLED_BY) -> None:
        """Link the span to another one; ``kind`` says why."""
        try:
            _unwrap(span).add_link(target, {semconv.LINK_KIND: kind})
        except Exception as failure:
            self._on_failure(failure)

    def end(
        self,
        span: OpenSpan,
        attributes: Attributes,
        *,
        failure: str | None = None,
    ) -> None:
        """End the span; its parent is current again where it was current."""
        assert isinstance(span, _TracerSpan)
        span.end()
        try:
            target = span.span
            target.set_attributes(attributes)
            if failure is not None:
                target.set_status(Status(StatusCode.ERROR, failure))
            target.end(self._time_ns())
        except Exception as error:
            self._on_failure(error)


def _unwrap(span: OpenSpan) -> Span:
    assert isinstance(span, _TracerSpan)
    return span.span
