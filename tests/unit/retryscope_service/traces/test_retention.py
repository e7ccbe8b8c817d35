"""What the span store forgets first, in generated schedules: nothing that matters before a plain success."""

from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import Status, StatusCode

from retryscope import semconv
from retryscope_service.console import inline_records, run_summaries
from retryscope_service.console.console import Console
from retryscope_service.traces.retention import is_notable
from retryscope_service.traces.span_store import SpanStore
from tests.unit.retryscope_service.traces.spans import own_tracer_into, start, trace_of, tracer_into

NOTABLE = ("error", "timeout", "exhausted", "cancelled")
MAX_TRACES = 9  # too few for the newest to be spared: then the order is strict
MAX_SPANS = 14


@dataclass
class Kept:
    """What the test knows of a trace."""

    root: Span
    children: list[Span]
    notable: bool = False
    looked_at: int = 0
    """When, if it is one of the traces that were looked at last."""
    watched: bool = False

    @property
    def running(self) -> bool:
        return any(span.is_recording() for span in (self.root, *self.children))

    @property
    def rank(self) -> tuple[bool, bool, bool]:
        """The lowest goes first."""
        return self.watched, bool(self.looked_at), self.notable


class Schedule:
    """Drives a store, and checks after each step that nothing went before something that should."""

    def __init__(self) -> None:
        self.store = SpanStore(MAX_TRACES, MAX_SPANS)
        self.tracer = tracer_into(self.store.feed)
        self.traces: list[Kept] = []
        self.time = 0
        self.watching = ExitStack()

    def is_kept(self, trace: Kept) -> bool:
        return self.store.get(trace_of(trace.root)) is not None

    def start(self) -> None:
        """What is evicted is among those that had the lowest rank of all that had ended."""
        before = list(self.traces)
        self.traces.append(Kept(start(self.tracer, "root"), []))
        self.check(before)

    def child(self, trace: Kept, outcome: str | None) -> None:
        before = [each for each in self.traces if each is not trace]
        span = start(self.tracer, "child", trace.root)
        trace.children.append(span)
        self.check(before)
        if outcome is not None:
            end(span, outcome)
            trace.notable |= outcome != "success"

    def check(self, before: list[Kept]) -> None:
        gone = [trace for trace in before if not self.is_kept(trace)]
        self.traces = [trace for trace in self.traces if trace not in gone]
        stayed = [trace for trace in before if self.is_kept(trace) and not trace.running]
        assert not any(trace.running for trace in gone)
        for went in gone:
            assert all(went.rank <= other.rank for other in stayed)
        too_many = len(self.traces) > MAX_TRACES or self.store.span_count > MAX_SPANS
        assert not (too_many and stayed)
        assert self.store.span_count == sum(1 + len(trace.children) for trace in self.traces)

    def look(self, trace: Kept) -> None:
        self.time += 1
        trace.looked_at = self.time
        self.store.look(trace_of(trace.root))
        recent = sorted((each for each in self.traces if each.looked_at), key=lambda each: each.looked_at)
        for other in recent[: -(MAX_TRACES // 2)]:
            other.looked_at = 0


def end(span: Span, outcome: str) -> None:
    span.set_attribute(semconv.OUTCOME, outcome)
    span.end()


@given(st.data())
def test_a_plain_success_goes_before_a_failure_and_that_before_what_is_looked_at(data: st.DataObject) -> None:
    """Whatever happens in whatever order; a running trace never goes, and the bounds hold when they can."""
    schedule = Schedule()
    outcomes = st.sampled_from([None, "success", *NOTABLE])
    for step in data.draw(
        st.lists(st.sampled_from(["start", "start", "child", "end", "end", "look", "watch"]), max_size=60)
    ):
        if step == "start" or not schedule.traces:
            schedule.start()
            continue
        trace = data.draw(st.sampled_from(schedule.traces))
        if step == "child":
            schedule.child(trace, data.draw(outcomes))
        elif step == "look":
            schedule.look(trace)
        elif step == "watch" and not trace.watched:
            trace.watched = True
            schedule.watching.enter_context(schedule.store.watching([trace_of(trace.root)]))
        elif step == "end":
            for span in (trace.root, *trace.children):
                if span.is_recording():
                    end(span, "success")


@given(st.lists(st.sampled_from(["success", *NOTABLE]), min_size=10, max_size=40))
def test_among_equals_the_oldest_goes_first(outcomes: list[str]) -> None:
    """So what is left are the last failures, and with them the last successes if there is room."""
    store = SpanStore(9, 1000)
    tracer = tracer_into(store.feed)
    ended = []
    for outcome in outcomes:
        span = start(tracer, "work")
        end(span, outcome)
        ended.append((trace_of(span), outcome == "success"))
    store_is_full = start(tracer, "one more")
    notable = [trace for trace, plain in ended if not plain][-8:]
    plain = [trace for trace, plain in ended if plain][-(8 - len(notable)) :] if len(notable) < 8 else []
    assert {trace for trace, _ in ended if trace in store} == {*notable, *plain}
    assert trace_of(store_is_full) in store


def test_a_run_that_has_just_succeeded_can_be_read_where_all_else_fails() -> None:
    """The newest tenth is spared; a success that is older than that goes before any failure."""
    store = SpanStore(20, 1000)
    tracer = tracer_into(store.feed)
    failures = [start(tracer, "failure") for _ in range(20)]
    for span in failures:
        end(span, "error")
    just_now = start(tracer, "success")
    end(just_now, "success")
    end(start(tracer, "failure"), "error")
    assert trace_of(just_now) in store
    end(start(tracer, "failure"), "error")
    assert trace_of(just_now) not in store
    assert [trace_of(span) in store for span in failures] == [False] * 2 + [True] * 18


def test_the_newest_are_spared_by_their_number_only_and_not_in_spans() -> None:
    """A large success that is new costs no failure."""
    store = SpanStore(20, 10)
    tracer = tracer_into(store.feed)
    failure = start(tracer, "failure")
    end(failure, "error")
    large = start(tracer, "large")
    for _ in range(8):
        start(tracer, "child", large).end()
    large.end()
    start(tracer, "next")
    assert (trace_of(failure) in store, trace_of(large) in store) == (True, False)


def test_looking_at_everything_keeps_half_of_it_at_most() -> None:
    """What was looked at longest ago is like the newest of its kind again."""
    store = SpanStore(4, 1000)
    tracer = tracer_into(store.feed)
    spans = [start(tracer, "work") for _ in range(4)]
    for span in spans:
        span.end()
        store.look(trace_of(span))
    for _ in range(5):
        start(tracer, "work").end()
    assert [trace_of(span) in store for span in spans] == [False, False, True, True]


def test_a_trace_that_was_watched_stays_as_one_that_was_looked_at() -> None:
    """Its page may be loaded anew a moment later."""
    store = SpanStore(2, 1000)
    tracer = tracer_into(store.feed)
    span = start(tracer, "work")
    span.end()
    with store.watching([trace_of(span)]):
        for _ in range(3):
            end(start(tracer, "work"), "error")
    for _ in range(3):
        end(start(tracer, "work"), "error")
    assert trace_of(span) in store


def test_a_failure_of_a_trace_that_is_looked_at_counts_later_too() -> None:
    """It is looked at while it runs, fails, and is let go of for others."""
    store = SpanStore(3, 1000)
    tracer = tracer_into(store.feed)
    span = start(tracer, "work")
    store.look(trace_of(span))
    end(span, "error")
    other = start(tracer, "other")
    other.end()
    store.look(trace_of(other))  # at most one of three
    for _ in range(5):
        start(tracer, "plain").end()
    assert trace_of(span) in store


@pytest.mark.parametrize("outcome", NOTABLE)
def test_each_outcome_but_success_is_notable(outcome: str) -> None:
    span = start(tracer_into(), "work")
    assert not is_notable(span)
    end(span, outcome)
    assert is_notable(span)


def test_a_retry_a_failed_cleanup_and_the_error_of_somebody_elses_span_are_notable() -> None:
    """And neither a first attempt nor a cleanup that was completed."""
    tracer = tracer_into()
    spans = {
        "first": start(tracer, "attempt", attributes={semconv.ATTEMPT_NUMBER: 1, semconv.OUTCOME: "success"}),
        "retry": start(tracer, "attempt", attributes={semconv.ATTEMPT_NUMBER: 2}),
        "not retried": start(tracer, "retry", attributes={semconv.RETRY_ATTEMPTS: 1}),
        "attempts as events": start(tracer, "retry", attributes={semconv.RETRY_ATTEMPTS: 2}),
        "cleaned": start(tracer, "cleanup", attributes={semconv.CLEANUP_OUTCOME: "completed"}),
        "not cleaned": start(tracer, "cleanup", attributes={semconv.CLEANUP_OUTCOME: "timed_out"}),
        "foreign": start(tracer, "SELECT"),
    }
    spans["foreign"].set_status(Status(StatusCode.ERROR))
    assert [name for name, span in spans.items() if is_notable(span)] == [
        "retry",
        "attempts as events",
        "not cleaned",
        "foreign",
    ]


def test_a_failure_counts_though_its_span_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """One task of ten thousand, in a run that says success."""
    monkeypatch.setattr("retryscope_service.traces.span_store.MAX_SPANS_PER_TRACE", 2)
    store = SpanStore(2, 1000)
    tracer = tracer_into(store.feed)
    root = start(tracer, "root")
    for outcome in ("success", "error"):
        end(start(tracer, "task", root), outcome)
    end(root, "success")
    for _ in range(5):
        start(tracer, "plain").end()
    assert trace_of(root) in store


def test_a_run_is_listed_and_can_be_run_again_for_as_long_as_its_trace_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when hundreds that succeeded came after it."""
    monkeypatch.setattr(run_summaries, "MAX_ENDED", 3)
    monkeypatch.setattr(inline_records, "MAX_KEPT", 3)
    console = Console(SpanStore(3, 1000))
    tracer = own_tracer_into(console.feed)

    def run(outcome: str) -> str:
        span = start(tracer, "workflow retry", attributes={semconv.WORKFLOW: "retry"})
        context = span.get_span_context()
        console.inline.started(context, "retry", "{}")
        end(span, outcome)
        return f"{context.trace_id:032x}-{context.span_id:016x}"

    failed = run("exhausted")
    plain = [run("success") for _ in range(10)]
    assert [each["id"] for each in console.runs.latest()] == [plain[-1], plain[-2], failed]
    assert [console.inline.get(each) is not None for each in (failed, *plain)] == [
        True,
        *[False] * 8,
        True,
        True,
    ]
