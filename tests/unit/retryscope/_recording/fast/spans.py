"""Spans that these tests share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.context import Context, attach, get_current
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Tracer, TracerProvider

from retryscope._recording.current import StartedSpan, innermost
from retryscope._recording.fast.recorder import FastRecorder
from retryscope._recording.fast.span import LiveSpan
from retryscope.semconv import SCOPE_NAME
from tests.support.recorded import SpanLog


def unexpected(failure: Exception) -> None:
    raise AssertionError from failure


def ended_by_the_sdk(name: str = "theirs", **options: Any) -> ReadableSpan:
    """An ended span of the SDK's."""
    log = SpanLog()
    provider = TracerProvider(shutdown_on_exit=False, resource=Resource.get_empty())
    provider.add_span_processor(log)
    provider.get_tracer("others", "1.0").start_span(name, **options).end()
    (span,) = log.ended
    return span


@contextmanager
def fast(
    time_ns: Callable[[], int] = lambda: 7,
    on_failure: Callable[[Exception], None] = unexpected,
    **options: Any,
) -> Iterator[tuple[FastRecorder, SpanLog, TracerProvider]]:
    """A recorder, what a processor sees of it, and its provider."""
    log = SpanLog()
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(log)
    tracer = provider.get_tracer(SCOPE_NAME)
    assert isinstance(tracer, Tracer)
    before, around = get_current(), innermost.get()
    attach(Context())
    innermost.set(None)
    try:
        yield FastRecorder(tracer, time_ns, on_failure), log, provider
    finally:  # not every test ends what it starts
        attach(before)
        innermost.set(around)


def live(started: object) -> LiveSpan:
    """What a recorder has started."""
    assert isinstance(started, StartedSpan)
    assert isinstance(started.span, LiveSpan)
    return started.span
