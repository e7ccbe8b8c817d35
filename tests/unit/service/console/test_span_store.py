"""The span store: what it keeps, and what goes first when it is full."""

import threading

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from service.console import span_store
from service.console.span_store import SpanStore
from tests.unit.service.console.spans import start, trace_of, tracer_into


def test_a_span_is_there_from_its_start_and_replaced_at_its_end() -> None:
    """The running one has no end; both are the same span."""
    store = SpanStore(10, 10)
    span = start(tracer_into(store), "work")
    running = store.get(trace_of(span))
    assert running is not None
    assert [each.end_time for each in running] == [None]
    span.end()
    ended = store.get(trace_of(span))
    assert ended is not None
    (kept,) = ended
    assert kept.end_time is not None
    assert kept.context == span.get_span_context()
    assert store.span_count == 1


def test_an_unknown_trace_is_none() -> None:
    """It may have been evicted."""
    assert SpanStore(1, 1).get(1) is None


def test_the_oldest_finished_trace_goes_first() -> None:
    """At most max_traces are kept."""
    store = SpanStore(max_traces=2, max_spans=100)
    tracer = tracer_into(store)
    spans = [start(tracer, "work") for _ in range(1)]
    spans[0].end()
    for _ in range(3):
        spans.append(start(tracer, "work"))
        spans[-1].end()
    assert [store.get(trace_of(span)) is not None for span in spans] == [False, False, True, True]
    assert store.span_count == 2


def test_a_running_trace_never_goes() -> None:
    """However old it is; a finished one that is younger goes instead."""
    store = SpanStore(max_traces=2, max_spans=100)
    tracer = tracer_into(store)
    running = start(tracer, "long")
    for _ in range(10):
        start(tracer, "short").end()
    assert store.get(trace_of(running)) is not None
    assert len(store.latest(100)) == 2
    running.end()
    start(tracer, "short").end()
    assert store.get(trace_of(running)) is None


def test_a_trace_is_running_as_long_as_any_of_its_spans_is() -> None:
    """Also when its first span has ended."""
    store = SpanStore(max_traces=1, max_spans=100)
    tracer = tracer_into(store)
    root = start(tracer, "request")
    child = start(tracer, "in the background", root)
    root.end()
    start(tracer, "other").end()
    assert store.get(trace_of(root)) is not None
    child.end()
    start(tracer, "other").end()
    assert store.get(trace_of(root)) is None


def test_more_running_traces_than_the_bound_are_all_kept() -> None:
    """Runs in flight have a bound of their own; when they end, the bound holds again."""
    store = SpanStore(max_traces=2, max_spans=100)
    tracer = tracer_into(store)
    running = [start(tracer, "work") for _ in range(5)]
    assert all(store.get(trace_of(span)) for span in running)
    for span in running:
        span.end()
    start(tracer, "work").end()
    assert store.span_count == 2


def test_all_traces_together_have_a_bound_on_spans() -> None:
    """As many of the oldest go as are needed."""
    store = SpanStore(max_traces=100, max_spans=10)
    tracer = tracer_into(store)
    roots = []
    for _ in range(6):
        root = start(tracer, "root")
        for _ in range(3):
            start(tracer, "child", root).end()
        root.end()
        roots.append(root)
        assert store.span_count <= 10
    assert [store.get(trace_of(root)) is not None for root in roots] == [False] * 4 + [True] * 2


def test_one_trace_has_a_bound_on_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after it is not kept; the end of such a span changes nothing."""
    monkeypatch.setattr(span_store, "MAX_SPANS_PER_TRACE", 3)
    store = SpanStore(max_traces=10, max_spans=100)
    tracer = tracer_into(store)
    root = start(tracer, "root")
    for number in range(5):
        start(tracer, f"child {number}", root).end()
    root.end()
    kept = store.get(trace_of(root))
    assert kept is not None
    assert [span.name for span in kept] == ["root", "child 0", "child 1"]
    assert store.span_count == 3


def test_latest_is_the_newest_traces_first_each_in_the_order_of_its_starts() -> None:
    """Bounded by the number of traces, not of spans."""
    store = SpanStore(10, 100)
    tracer = tracer_into(store)
    for number in range(3):
        root = start(tracer, f"root {number}")
        start(tracer, f"child {number}", root).end()
        root.end()
    assert [span.name for span in store.latest(2)] == ["root 2", "child 2", "root 1", "child 1"]


def test_spans_that_are_not_sampled_never_arrive() -> None:
    """The sampler of OTEL_TRACES_SAMPLER decides."""
    store = SpanStore(10, 10)
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(store)
    provider.get_tracer("test").start_span("work").end()
    assert store.span_count == 0


def test_spans_may_start_and_end_on_other_threads_while_it_is_read() -> None:
    """Work on threads is traced too; reading never fails meanwhile, and the count stays right."""
    store = SpanStore(max_traces=5, max_spans=50)
    tracer = tracer_into(store)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(300):
                root = start(tracer, "root")
                start(tracer, "child", root).end()
                store.latest(100)
                root.end()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    start(tracer, "last").end()
    assert errors == []
    assert store.span_count == len(store.latest(100)) <= 10
