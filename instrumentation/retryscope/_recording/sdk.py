"""Spans on an OpenTelemetry tracer, used leanly.

Attributes go in at the start, nothing is formatted on the success path, and the context managers of the
API (a generator each) are left alone. Times are given explicitly, so that a test can bring its own clock.
"""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
)

from retryscope import semconv
from retryscope._recording.current import StartedSpan, settle
from retryscope._recording.recorder import Attributes, OpenSpan
from retryscope._recording.stacktrace import exception_attributes
from retryscope._recording.suppression import suppressed

_CANCELLED_BY = {semconv.LINK_KIND: semconv.LINK_CANCELLED_BY}


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
        kind: SpanKind = SpanKind.INTERNAL,
        cancelled_by: SpanContext | None = None,
    ) -> OpenSpan:
        """Start a span under the current one."""
        if suppressed():
            return StartedSpan(INVALID_SPAN)
        try:
            around = settle()
            span = self._start_span(
                name,
                kind=kind,
                attributes=attributes,
                links=(Link(cancelled_by, _CANCELLED_BY),) if cancelled_by is not None else None,
                start_time=self._time_ns(),
            )
            started = StartedSpan(span)
            if current:
                started.make_current(around)
            return started
        except Exception as failure:
            self._on_failure(failure)
            return StartedSpan(INVALID_SPAN)

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
            attributes = exception_attributes(error)
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
        assert isinstance(span, StartedSpan)
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
    assert isinstance(span, StartedSpan)
    return span.span
