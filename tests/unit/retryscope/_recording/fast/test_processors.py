"""A provider's span processors, called directly."""

from functools import partial
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import (
    ConcurrentMultiSpanProcessor,
    ReadableSpan,
    Span,
    SpanProcessor,
    SynchronousMultiSpanProcessor,
)

from retryscope._recording.fast.processors import Processors
from tests.unit.retryscope._recording.fast.spans import fast


class Told(SpanProcessor):
    def __init__(self, name: str, log: list[str]) -> None:
        self._name, self._log = name, log

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._log.append(f"{self._name} start {span.name}")

    def _on_ending(self, span: Span) -> None:
        self._log.append(f"{self._name} ending {span.name} {span.is_recording()}")

    def on_end(self, span: ReadableSpan) -> None:
        self._log.append(f"{self._name} end {span.name}")


@pytest.mark.parametrize(
    "kind",
    [SynchronousMultiSpanProcessor, partial(ConcurrentMultiSpanProcessor, num_threads=1)],
    ids=["in turn", "on a thread"],
)
def test_they_hear_of_each_span_as_from_the_sdk_also_those_that_come_late(kind: Any) -> None:
    """In their order, however the provider calls them."""
    log: list[str] = []
    with fast(active_span_processor=kind()) as (recorder, _, provider):
        provider.add_span_processor(Told("a", log))
        recorder.end(recorder.start("one", {}), {})
        provider.add_span_processor(Told("b", log))
        started = recorder.start("two", {})
        recorder.end(started, {})
        ours = log[:]
        log.clear()
        provider.get_tracer("theirs").start_span("two").end()
    calls = ["start {}", "ending {} False", "end {}"]
    if not hasattr(SpanProcessor, "_on_ending"):  # an older release
        del calls[1]
    assert ours == [*(f"a {call.format('one')}" for call in calls), *log]
    assert log == [f"{name} {call.format('two')}" for call in calls for name in "ab"]


def test_those_that_do_nothing_are_not_called() -> None:
    """Most want to hear of one thing only."""
    whole = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]
    whole.add_span_processor(SpanProcessor())
    processors = Processors(whole)
    assert (processors.on_start, processors.on_ending, processors.on_end) == ((), (), ())


def test_where_the_sdk_keeps_them_elsewhere_it_calls_them_itself() -> None:
    """A name that has moved."""
    whole = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]
    del whole._span_processors
    processors = Processors(whole)
    processors.refresh()
    assert processors.on_end == (whole.on_end,)
