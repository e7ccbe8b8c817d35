"""The span store: what it keeps, and what goes first when it is full."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from retryscope_service.traces import span_store
from retryscope_service.traces.retention import RetentionOrder
from retryscope_service.traces.span_store import SpanStore
from tests.unit.retryscope_service.traces.spans import start, trace_of, tracer_into


def test_a_span_is_there_from_its_start_and_replaced_at_its_end() -> None:
    """The running one has no end; both are the same span."""
    store = SpanStore(10, 10)
    span = start(tracer_into(store.feed), "work")
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
    tracer = tracer_into(store.feed)
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
    tracer = tracer_into(store.feed)
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
    tracer = tracer_into(store.feed)
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
    tracer = tracer_into(store.feed)
    running = [start(tracer, "work") for _ in range(5)]
    assert all(store.get(trace_of(span)) for span in running)
    for span in running:
        span.end()
    start(tracer, "work").end()
    assert store.span_count == 2


def test_while_all_are_running_nothing_is_looked_for_that_could_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each start of a span looked at all of them: with 2,000 runs at once, one cost 18 times as much."""
    looked: list[bool] = []
    monkeypatch.setattr(RetentionOrder, "first", lambda *_: looked.append(True))
    store = SpanStore(max_traces=2, max_spans=100)
    tracer = tracer_into(store.feed)
    for _ in range(20):
        start(tracer, "child", start(tracer, "long"))
    assert (store.span_count, looked) == (40, [])


@given(st.lists(st.tuples(st.sampled_from(["root", "child", "end"]), st.integers(0, 20)), max_size=60))
def test_only_running_traces_exceed_a_bound(steps: list[tuple[str, int]]) -> None:
    """Whatever starts and ends in whatever order, in traces that are full, too."""
    store = SpanStore(max_traces=3, max_spans=8)
    tracer = tracer_into(store.feed)
    spans = [start(tracer, "work")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(span_store, "MAX_SPANS_PER_TRACE", 3)
        for step, number in steps:
            span = spans[number % len(spans)]
            if step == "end":
                if span.is_recording():
                    span.end()
                continue
            total = store.span_count
            spans.append(start(tracer, "work", span if step == "child" else None))
            if store.span_count == total:  # of a trace that is full: nothing has to go for it
                continue
            kept = {trace_of(each): store.get(trace_of(each)) for each in spans}
            ended = [each for each in kept.values() if each and all(span.end_time for span in each)]
            in_bounds = sum(each is not None for each in kept.values()) <= 3 and store.span_count <= 8
            assert in_bounds or not ended


def test_all_traces_together_have_a_bound_on_spans() -> None:
    """As many of the oldest go as are needed."""
    store = SpanStore(max_traces=100, max_spans=10)
    tracer = tracer_into(store.feed)
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
    tracer = tracer_into(store.feed)
    root = start(tracer, "root")
    for number in range(5):
        start(tracer, f"child {number}", root).end()
    root.end()
    kept = store.get(trace_of(root))
    assert kept is not None
    assert [span.name for span in kept] == ["root", "child 0", "child 1"]
    assert store.span_count == 3
    trace = store.trace(trace_of(root))
    assert trace is not None
    assert (trace.spans, trace.total, trace.truncated) == (kept, 6, True)


def test_a_trace_within_its_bound_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with exactly as many spans as are kept."""
    monkeypatch.setattr(span_store, "MAX_SPANS_PER_TRACE", 3)
    store = SpanStore(max_traces=10, max_spans=100)
    tracer = tracer_into(store.feed)
    root = start(tracer, "root")
    for number in range(2):
        start(tracer, f"child {number}", root)
    trace = store.trace(trace_of(root))
    assert trace is not None
    assert (trace.trace_id, len(trace.spans), trace.total, trace.truncated) == (trace_of(root), 3, 3, False)
    assert store.trace(1) is None


def test_the_spans_nearest_to_the_root_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is nearer takes the place of the last of the furthest; nothing is kept below what is not."""
    monkeypatch.setattr(span_store, "MAX_SPANS_PER_TRACE", 6)
    store = SpanStore(max_traces=10, max_spans=100)
    tracer = tracer_into(store.feed)
    root = start(tracer, "root")
    first = start(tracer, "first", root)
    deep = start(tracer, "deep", first)
    deepest = [start(tracer, f"deepest {number}", deep) for number in range(3)]

    def names() -> list[str]:
        return [span.name for span in store.get(trace_of(root)) or ()]

    assert names() == ["root", "first", "deep", "deepest 0", "deepest 1", "deepest 2"]
    start(tracer, "too deep", deepest[0])
    start(tracer, "deepest 3", deep)
    assert names() == ["root", "first", "deep", "deepest 0", "deepest 1", "deepest 2"]
    second = start(tracer, "second", root)
    start(tracer, "deep 2", second)
    assert names() == ["root", "first", "deep", "deepest 0", "second", "deep 2"]
    start(tracer, "below one that went", deepest[2])
    for span in deepest:
        span.end()
    for number in (3, 4):
        start(tracer, f"child {number}", root)
    assert names() == ["root", "first", "deep", "second", "child 3", "child 4"]
    start(tracer, "child 5", root)
    start(tracer, "child 6", root)
    assert names() == ["root", "first", "second", "child 3", "child 4", "child 5"]
    trace = store.trace(trace_of(root))
    assert trace is not None
    assert (trace.total, trace.truncated, store.span_count) == (15, True, 6)


def test_a_span_from_elsewhere_is_as_near_as_a_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parent is in another process; so is it when the parent's trace has been evicted since."""
    monkeypatch.setattr(span_store, "MAX_SPANS_PER_TRACE", 2)
    store = SpanStore(max_traces=10, max_spans=100)
    tracer = tracer_into(store.feed)
    caller = start(tracer_into(), "caller")
    first = start(tracer, "unknown parent", caller)
    start(tracer, "child", first)
    remote = SpanContext(trace_of(caller), 1, is_remote=True, trace_flags=TraceFlags(1))
    tracer.start_span("request", set_span_in_context(NonRecordingSpan(remote)))
    kept = store.get(trace_of(caller))
    assert kept is not None
    assert [span.name for span in kept] == ["unknown parent", "request"]


def test_changes_are_collected_of_watched_traces_only() -> None:
    """Each span once, as it is when they are taken."""
    store = SpanStore(10, 100)
    tracer = tracer_into(store.feed)
    before, other = start(tracer, "before"), start(tracer, "other")
    with store.watching([trace_of(before)]):
        assert (store.has_changed, store.take_changed()) == (False, [])
        start(tracer, "not watched", other).end()
        child = start(tracer, "child", before)
        start(tracer, "short", before).end()
        child.end()
        assert store.has_changed
        (changed,) = store.take_changed()
        assert (changed.trace_id, changed.total, changed.truncated) == (trace_of(before), 3, False)
        assert [(span.name, span.end_time is None) for span in changed.spans] == [
            ("child", False),
            ("short", False),
        ]
        assert (store.has_changed, store.take_changed()) == (False, [])
        before.end()
        assert [span.name for each in store.take_changed() for span in each.spans] == ["before"]
    start(tracer, "after", other)
    assert not store.has_changed


def test_a_trace_may_be_watched_before_it_starts_and_by_several() -> None:
    """The changes stop with the last of them."""
    store = SpanStore(10, 100)
    tracer = tracer_into(store.feed)
    known = start(tracer_into(), "elsewhere")
    with store.watching([trace_of(known)]):
        with store.watching([trace_of(known), 7]):
            pass
        start(tracer, "first", known)
        assert [span.name for each in store.take_changed() for span in each.spans] == ["first"]
        start(tracer, "second", known)
    assert (store.has_changed, store.take_changed()) == (False, [])
    start(tracer, "third", known)
    assert not store.has_changed


def test_a_span_that_is_not_kept_changes_the_total(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who watches a full trace learns how much of it is missing."""
    monkeypatch.setattr(span_store, "MAX_SPANS_PER_TRACE", 1)
    store = SpanStore(10, 100)
    tracer = tracer_into(store.feed)
    root = start(tracer, "root")
    with store.watching([trace_of(root)]):
        start(tracer, "child", root).end()
        (changed,) = store.take_changed()
        assert (changed.spans, changed.total, changed.truncated) == ([], 2, True)


def test_changes_of_an_evicted_trace_are_none() -> None:
    """It is not here any more."""
    store = SpanStore(max_traces=1, max_spans=100)
    tracer = tracer_into(store.feed)
    root = start(tracer, "root")
    with store.watching([trace_of(root)]):
        root.end()
        start(tracer, "other")
        assert store.take_changed() == []


def test_latest_is_the_newest_traces_first_each_in_the_order_of_its_starts() -> None:
    """Bounded by the number of traces, not of spans."""
    store = SpanStore(10, 100)
    tracer = tracer_into(store.feed)
    for number in range(3):
        root = start(tracer, f"root {number}")
        start(tracer, f"child {number}", root).end()
        root.end()
    assert [span.name for span in store.latest(2)] == ["root 2", "child 2", "root 1", "child 1"]


def test_spans_that_are_not_sampled_never_arrive() -> None:
    """The sampler of OTEL_TRACES_SAMPLER decides."""
    store = SpanStore(10, 10)
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(store.feed)
    provider.get_tracer("test").start_span("work").end()
    assert store.span_count == 0


def test_spans_may_start_and_end_on_other_threads_while_it_is_read() -> None:
    """Work on threads is traced too; reading never fails meanwhile, and the count stays right."""
    store = SpanStore(max_traces=5, max_spans=50)
    tracer = tracer_into(store.feed)
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
