"""Whether a trace is exported is decided at its end: what failed is kept whole, of successes a share."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags, set_span_in_context

from retryscope import semconv
from retryscope._recording.fast.recorder import FastRecorder
from retryscope._recording.sdk import TracerRecorder
from retryscope._recording.tail_sampling import TailSampler, matters
from tests.unit.retryscope._recording.fast.spans import fast, unexpected

FAILED = {semconv.OUTCOME: "error"}
SUCCESS = {semconv.OUTCOME: "success"}


@dataclass
class Exporter:
    """Keeps what it is given."""

    spans: list[ReadableSpan] = field(default_factory=list)
    flushes: list[int] = field(default_factory=list)
    closed: float | None = None

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        self.flushes.append(timeout_millis)
        return True

    def close(self, timeout: float) -> None:
        self.closed = timeout

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]


class Sampled:
    """A sampler in front of an exporter, what it counts, and a tracer whose spans come to it."""

    def __init__(self, ratio: float = 0.0, **options: Any) -> None:
        self.exporter = Exporter()
        self.left_out = 0
        self.early = 0
        self.sampler = TailSampler(
            self.exporter, ratio, on_left_out=self._leave_out, on_early=self._decide_early, **options
        )
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(self.sampler)
        self._tracer = self.provider.get_tracer("test")

    def _leave_out(self, spans: int) -> None:
        self.left_out += spans

    def _decide_early(self) -> None:
        self.early += 1

    def start(self, name: str, parent: Span | SpanContext | None = None, **options: Any) -> Span:
        """Start a span, as whoever uses the tracer does."""
        context = Context()
        if parent is not None:
            span = NonRecordingSpan(parent) if isinstance(parent, SpanContext) else parent
            context = set_span_in_context(span, context)
        started = self._tracer.start_span(name, context, **options)
        assert isinstance(started, Span)
        return started


def end(span: Span, attributes: dict[str, Any] = SUCCESS) -> None:
    span.set_attributes(attributes)
    span.end()


def remote(trace_id: int) -> SpanContext:
    """The context of a span of another process."""
    return SpanContext(trace_id, 7, is_remote=True, trace_flags=TraceFlags(1))


def test_the_trace_of_a_plain_success_is_left_out_and_counted() -> None:
    """By a ratio of 0, all of it; nothing before its end."""
    sampled = Sampled()
    root = sampled.start("root")
    end(sampled.start("child", root))
    assert (sampled.exporter.names, sampled.left_out) == ([], 0)
    end(root)
    assert (sampled.exporter.names, sampled.left_out) == ([], 2)


@pytest.mark.parametrize(
    "attributes",
    [
        *({semconv.OUTCOME: outcome} for outcome in ("error", "timeout", "exhausted", "cancelled")),
        {semconv.CLEANUP_OUTCOME: "failed"},
        {semconv.ATTEMPT_NUMBER: 2, **SUCCESS},
        {semconv.RETRY_ATTEMPTS: 2, **SUCCESS},
    ],
    ids=str,
)
def test_a_trace_in_which_something_matters_is_exported_whole(attributes: dict[str, Any]) -> None:
    """In the order in which its spans ended, those before included."""
    sampled = Sampled()
    root = sampled.start("root")
    end(sampled.start("before", root))
    end(sampled.start("it", root), attributes)
    end(sampled.start("after", root))
    end(root)
    assert (sampled.exporter.names, sampled.left_out) == (["before", "it", "after", "root"], 0)


def test_an_error_of_another_instrumentation_matters() -> None:
    """It has a status, and none of our attributes."""
    sampled = Sampled()
    root = sampled.start("GET /checkout")
    child = sampled.start("SELECT", root)
    child.set_status(StatusCode.ERROR)
    end(child, {})
    end(root, {})
    assert sampled.exporter.names == ["SELECT", "GET /checkout"]


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        SUCCESS,
        {semconv.ATTEMPT_NUMBER: 1},
        {semconv.RETRY_ATTEMPTS: 1, semconv.ATTEMPT_NUMBER: 1},
        {semconv.RETRY_ATTEMPTS: "many"},
        {semconv.CLEANUP_OUTCOME: "completed"},
    ],
    ids=str,
)
def test_what_went_as_hoped_does_not_matter(attributes: dict[str, Any]) -> None:
    """The first attempt is no retry."""
    span = Sampled().start("it")
    end(span, attributes)
    assert not matters(span)


def test_of_successes_a_share_is_kept_by_trace_id() -> None:
    """Every process decides alike, and a sampler by ratio that has chosen before does not choose for it."""
    ids = [number << 64 | number for number in range(1, 2001)]  # whose low bits that sampler would all take

    def kept() -> set[int]:
        sampled = Sampled(0.25)
        for each in ids:
            end(sampled.start("root", remote(each)))
        assert len(sampled.exporter.spans) + sampled.left_out == len(ids)
        return {span.context.trace_id for span in sampled.exporter.spans if span.context}

    first = kept()
    assert first == kept()
    assert 400 < len(first) < 600


def test_a_span_whose_parent_is_in_another_process_is_a_root_here() -> None:
    """What is decided is this process's part of the trace."""
    sampled = Sampled()
    root = sampled.start("server", remote(5))
    end(sampled.start("it", root), FAILED)
    assert sampled.exporter.names == []
    end(root)
    assert sampled.exporter.names == ["it", "server"]


def test_a_trace_with_several_roots_here_waits_for_the_last() -> None:
    """Two requests of one trace at once: what fails in one keeps both."""
    sampled = Sampled()
    one, two = sampled.start("one", remote(5)), sampled.start("two", remote(5))
    end(one)
    assert (sampled.exporter.names, sampled.left_out) == ([], 0)
    end(two, FAILED)
    assert sampled.exporter.names == ["one", "two"]


def test_what_ends_after_its_root_follows_the_decision() -> None:
    """A background task, say; or a later request of the same trace."""
    sampled = Sampled()
    kept, left_out = sampled.start("kept"), sampled.start("left out")
    late = [sampled.start("late", kept), sampled.start("never", left_out)]
    end(kept, FAILED)
    end(left_out)
    for span in late:
        end(span)
    end(sampled.start("again", remote(kept.get_span_context().trace_id)))
    assert (sampled.exporter.names, sampled.left_out) == (["kept", "late", "again"], 2)


def test_what_fails_after_its_trace_was_left_out_is_kept_all_the_same() -> None:
    """And what ends after it; what is gone is gone."""
    sampled = Sampled()
    root = sampled.start("root")
    late = [sampled.start(name, root) for name in ("before", "it", "after")]
    end(root)
    for span in late:
        end(span, FAILED if span.name == "it" else SUCCESS)
    assert (sampled.exporter.names, sampled.left_out) == (["it", "after"], 2)


def test_as_many_decisions_are_remembered_as_there_is_room_for() -> None:
    """Then it is as if nothing had been decided."""
    sampled = Sampled(max_decisions=1)
    first, second = sampled.start("first"), sampled.start("second")
    late = [sampled.start("late of first", first), sampled.start("late of second", second)]
    for span in (first, second):
        end(span, FAILED)
    end(late[1])
    end(late[0])
    assert (sampled.exporter.names, sampled.left_out) == (["first", "second", "late of second"], 1)


def test_where_too_many_spans_are_held_the_oldest_trace_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    """What matters is not to be lost, and nothing is known yet. Each is counted, the first is logged."""
    sampled = Sampled(max_spans=2)
    roots = [sampled.start(f"root {number}") for number in range(3)]
    for root in roots:
        end(sampled.start(f"of {root.name}", root))
    assert (sampled.exporter.names, sampled.early) == (["of root 0"], 1)
    end(sampled.start("another", roots[1]))
    assert (sampled.exporter.names, sampled.early) == (["of root 0", "of root 1", "another"], 2)
    for root in roots:
        end(root)
    assert sampled.exporter.names[3:] == ["root 0", "root 1"]
    assert sampled.left_out == 2
    (record,) = caplog.records
    assert (record.levelno, record.getMessage().startswith("more than 2 spans or ")) == (
        logging.WARNING,
        True,
    )


def test_where_too_many_traces_are_open_the_oldest_is_kept() -> None:
    """Also one of which nothing has ended: its spans are not held any more."""
    sampled = Sampled(max_traces=1)
    first, second = sampled.start("first"), sampled.start("second")
    assert sampled.early == 1
    end(first)
    end(second)
    assert (sampled.exporter.names, sampled.left_out) == (["first"], 1)


def test_a_span_that_is_not_sampled_is_nobodys() -> None:
    """Neither exported nor counted; the flag stays as the sampler has set it."""
    sampled = Sampled()
    sampled.provider.sampler = ALWAYS_OFF
    off = sampled.provider.get_tracer("off").start_span("off")
    assert not off.get_span_context().trace_flags.sampled
    off.end()
    root = sampled.start("root")
    assert root.get_span_context().trace_flags.sampled
    end(root)
    assert (sampled.exporter.names, sampled.left_out) == ([], 1)
    sampled.sampler.on_end(ReadableSpan("without a context"))
    assert sampled.left_out == 1


@pytest.mark.parametrize("release", ["force_flush", "shutdown", "close"])
def test_what_is_held_is_exported_where_nobody_waits_any_longer(release: str) -> None:
    """Before the exporter is asked to do the same; what comes after a shutdown is the exporter's to count."""
    sampled = Sampled()
    root = sampled.start("root")
    end(sampled.start("child", root))
    if release == "close":
        sampled.sampler.close(3.0)
    else:
        getattr(sampled.sampler, release)()
    assert sampled.exporter.names == ["child"]
    expected = {"force_flush": ([30_000], None), "shutdown": ([], 30.0), "close": ([], 3.0)}
    assert (sampled.exporter.flushes, sampled.exporter.closed) == expected[release]
    end(root)
    end(sampled.start("after"))
    flushed = release == "force_flush"
    assert sampled.exporter.names == (["child", "root"] if flushed else ["child", "root", "after"])
    assert (sampled.left_out, sampled.early) == (1 if flushed else 0, 0)


def test_after_a_fork_what_was_held_is_the_other_process_s() -> None:
    """It exports it; here it would be there twice."""
    sampled = Sampled()
    root = sampled.start("root")
    end(sampled.start("child", root), FAILED)
    sampled.sampler.after_fork()
    end(root)
    assert (sampled.exporter.names, sampled.left_out) == ([], 1)


def test_a_span_that_the_garbage_collector_ends_in_between_is_not_lost() -> None:
    """It comes in the middle of another one, on the same thread."""
    sampled = Sampled()
    root = sampled.start("root")
    abandoned = sampled.start("abandoned", root)

    class Ending(dict[str, Any]):
        def get(self, *_: object) -> None:
            if abandoned.is_recording():
                abandoned.end()

    here = root.get_span_context()
    child = ReadableSpan("child", here, here, attributes=Ending(it=1))
    sampled.sampler.on_end(child)
    assert not abandoned.is_recording()
    end(root, FAILED)
    assert sampled.exporter.names == ["child", "abandoned", "root"]


@pytest.mark.parametrize("recorder", ["fast", "sdk"])
def test_it_decides_alike_on_both_recorders(recorder: str) -> None:
    """Whoever makes the spans."""
    sampled = Sampled()
    with fast() as (_, _, provider):
        provider.add_span_processor(sampled.sampler)
        tracer: Any = provider.get_tracer(semconv.SCOPE_NAME)
        made = (FastRecorder if recorder == "fast" else TracerRecorder)(tracer, lambda: 7, unexpected)
        for outcome in ("success", "error"):
            root = made.start(f"retry {outcome}", {})
            made.end(made.start(f"attempt {outcome}", {}), {semconv.OUTCOME: outcome})
            made.end(root, {semconv.OUTCOME: "success"})
    assert (sampled.exporter.names, sampled.left_out) == (["attempt error", "retry error"], 2)


def test_threads_that_end_spans_at_once_lose_none() -> None:
    """Of one trace, and of traces of their own."""
    sampled = Sampled(0.5, max_spans=50, max_traces=3)
    root = sampled.start("root")

    def work() -> None:
        for number in range(200):
            own = sampled.start("own")
            end(sampled.start("child", own))
            end(sampled.start("shared", root), FAILED if number == 100 else SUCCESS)
            end(own)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    end(root)
    assert len(sampled.exporter.spans) + sampled.left_out == 4 * 200 * 3 + 1


# Any trees, in any order

Tree = list[tuple[int, bool]]
"""Of each span the one before that is its parent (modulo; the first has none), and whether it fails."""

trees = st.lists(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=6), max_size=5)


@settings(max_examples=150)
@given(
    trees,
    st.randoms(use_true_random=False),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_each_span_is_either_exported_or_counted_and_a_failure_keeps_what_was_held_with_it(
    forest: Sequence[Tree], rng: Any, ratio: float, max_spans: int, max_traces: int, max_decisions: int
) -> None:
    """Traces in any order, within bounds however small."""
    sampled = Sampled(ratio, max_spans=max_spans, max_traces=max_traces, max_decisions=max_decisions)
    spans: list[tuple[Span, bool, int]] = []
    waiting = [(number, 0) for number in range(len(forest))]
    started: dict[int, list[Span]] = {number: [] for number in range(len(forest))}
    open_: list[tuple[Span, bool, int]] = []
    held: dict[int, list[tuple[Span, bool]]] = {number: [] for number in range(len(forest))}
    while waiting or open_:
        if waiting and (not open_ or rng.random() < 0.6):
            number, index = waiting.pop(rng.randrange(len(waiting)))
            parent, fails = forest[number][index]
            before = started[number]
            span = sampled.start(f"{number}.{index}", before[parent % index] if index else None)
            before.append(span)
            open_.append((span, fails, number))
            spans.append((span, fails, number))
            if index + 1 < len(forest[number]):
                waiting.append((number, index + 1))
        else:
            span, fails, number = open_.pop(rng.randrange(len(open_)))
            if span.get_span_context().trace_id in sampled.sampler._open:
                held[number].append((span, fails))
            end(span, FAILED if fails else SUCCESS)
        assert sampled.sampler._held <= max_spans
        assert len(sampled.sampler._open) <= max_traces
        assert len(sampled.sampler._decisions) <= max_decisions
    exported = {span.context.span_id for span in sampled.exporter.spans if span.context}
    assert len(exported) == len(sampled.exporter.spans)
    assert len(exported) + sampled.left_out == len(spans)
    assert sampled.sampler._held == 0

    def is_exported(span: Span) -> bool:
        return span.get_span_context().span_id in exported

    assert all(is_exported(span) for span, fails, _ in spans if fails)
    for of_trace in held.values():
        if any(fails for _, fails in of_trace):
            assert all(is_exported(span) for span, _ in of_trace)
    if ratio == 1:
        assert sampled.left_out == 0
