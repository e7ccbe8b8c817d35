"""Which span is current, and what is so again after it."""

import contextvars

from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, get_current_span

from retryscope._recording.current import StartedSpan, innermost, settle


def span(number: int) -> StartedSpan:
    return StartedSpan(NonRecordingSpan(SpanContext(1, number, is_remote=False)))


def test_what_was_current_before_is_so_again() -> None:
    """Each inside the other."""

    def body() -> None:
        outer, inner = span(1), span(2)
        outer.make_current(None)
        inner.make_current(outer)
        assert get_current_span() is inner.span
        inner.end()
        assert get_current_span() is outer.span
        outer.end()
        assert get_current_span() is INVALID_SPAN
        assert innermost.get() is None

    contextvars.Context().run(body)


def test_what_ended_elsewhere_is_current_nowhere() -> None:
    """Not even in a context that was copied from inside it; nor is one kept by what came after it."""

    def body() -> None:
        outer, inner = span(1), span(2)
        outer.make_current(None)
        inner.make_current(outer)
        copied = contextvars.copy_context()
        outer.end()  # before what is inside it, as generators do
        assert get_current_span() is inner.span
        inner.end()
        assert get_current_span() is INVALID_SPAN
        assert inner.around is None
        copied.run(lambda: settle())
        assert copied.run(get_current_span) is INVALID_SPAN

    contextvars.Context().run(body)


def test_one_that_is_not_sampled_is_no_exemplar() -> None:
    """Nobody could follow it."""
    assert span(1).exemplar is None
    assert span(1).context.span_id == 1
