"""Spans on an OpenTelemetry tracer, used leanly.

Attributes go in at the start, nothing is formatted on the success path, and the context managers of the
API (a generator each) are left alone. Times are given explicitly, so that a test can bring its own clock.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token

from opentelemetry.context import Context, attach, detach
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
    set_span_in_context,
)

from retryscope import semconv
from retryscope._recording.recorder import Attributes, OpenSpan
from retryscope._recording.stacktrace import format_stacktrace, qualified_name
from retryscope._recording.suppression import suppressed
from retryscope.outcome import message_of

_CANCELLED_BY = {semconv.LINK_KIND: semconv.LINK_CANCELLED_BY}


class _TracerSpan:
    __slots__ = ("span", "token")

    def __init__(self, span: Span, token: Token[Context] | None) -> None:
        self.span = span
        self.token = token

    @property
    def context(self) -> SpanContext:
        return self.span.get_span_context()

    @property
    def exemplar(self) -> dict[str, str] | None:
        context = self.span.get_span_context()
        if not (context.trace_flags & 1 and self.span.is_recording()):
            return None
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


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
            return _TracerSpan(INVALID_SPAN, None)
        try:
            span = self._start_span(
                name,
                kind=SpanKind.SERVER if server else SpanKind.INTERNAL,
                attributes=attributes,
                links=(Link(cancelled_by, _CANCELLED_BY),) if cancelled_by is not None else None,
                start_time=self._time_ns(),
            )
            return _TracerSpan(span, attach(set_span_in_context(span)) if current else None)
        except Exception as failure:
            self._on_failure(failure)
            return _TracerSpan(INVALID_SPAN, None)

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
        abandoned: bool = False,
    ) -> None:
        """End the span and make its parent current again."""
        assert isinstance(span, _TracerSpan)
        if span.token is not None and not abandoned:
            detach(span.token)
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
