"""What holds for any policy, and for any tree of primitives that is cancelled at any time."""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from retryscope import (
    CancelCause,
    Operation,
    RetryPolicy,
    cancel_on_exit,
    cancellable,
    deadline,
    gather,
    request_cancel,
    retry,
    settle,
    step,
    timeout,
    workflow,
)
from tests.support.clock import run
from tests.support.recorded import Recorded, recording
from tests.unit.retryscope.helpers import PRICE, STOCK, failer, only_declared, spans_named, value_of
from tests.unit.retryscope.trees import AFTER, limits, operations, seconds


@pytest.fixture(autouse=True, scope="module")
def _only_what_is_needed() -> Iterator[None]:
    with only_declared(PRICE, STOCK, AFTER):
        yield


@dataclass
class Leaf:
    """Sleeps, then fails or returns; its calls take turns."""

    takes: float
    fails: tuple[bool, ...]
    calls: int = field(default=0, repr=False)

    async def __call__(self) -> None:
        self.calls += 1
        await asyncio.sleep(self.takes)
        if self.fails and self.fails[(self.calls - 1) % len(self.fails)]:
            raise ConnectionError("leaf")


@dataclass(frozen=True)
class Node:
    """A primitive around other nodes."""

    kind: str
    operation: Operation
    limit: float
    inside: tuple[Any, ...]
    flag: bool

    async def __call__(self) -> None:
        before = trace.get_current_span()
        try:
            await getattr(self, f"_{self.kind}")(self.inside[0])
        finally:
            assert trace.get_current_span() is before, "the current span was not restored"

    async def _task(self, body: Callable[[], Any]) -> None:
        async with step(self.operation):
            await body()

    async def _workflow(self, body: Callable[[], Any]) -> None:
        async with workflow("checkout", deadline=self.limit if self.flag else None):
            await body()

    async def _timeout(self, body: Callable[[], Any]) -> None:
        async with timeout(self.operation, self.limit):
            await body()

    async def _deadline(self, body: Callable[[], Any]) -> None:
        async with deadline(self.limit):
            await body()

    async def _settle(self, body: Callable[[], Any]) -> None:
        report = await settle(body)
        assert report.outcome is not None

    async def _retry(self, body: Callable[[], Any]) -> None:
        policy = RetryPolicy(
            max_attempts=3,
            base_delay=self.limit / 4,
            jitter="full" if self.flag else "none",
            attempt_timeout=self.limit if self.flag else None,
            deadline=None if self.flag else self.limit * 2,
        )
        await retry(self.operation, policy, rng=random.Random(1)).call(body)

    async def _gather(self, _: object) -> None:
        calls = {f"child {number}": body for number, body in enumerate(self.inside)}
        reports = await gather(self.operation, calls, fail_fast=self.flag)
        assert all(report.outcome is not None for report in reports)

    async def _cancellable(self, body: Callable[[], Any]) -> None:
        async def release() -> None:
            await asyncio.sleep(self.limit)

        running = cancellable(self.operation, body, on_cancel=release, cleanup_timeout=1)
        async with cancel_on_exit([running]):
            if self.flag:
                await asyncio.sleep(self.limit / 2)
            else:
                await asyncio.wait([running.task])
        assert running.done()


leaves = st.builds(Leaf, seconds, st.lists(st.booleans(), max_size=3).map(tuple))
KINDS = ("task", "workflow", "timeout", "deadline", "settle", "retry", "gather", "cancellable")


def _nodes(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    one = st.tuples(children)
    several = st.lists(children, min_size=1, max_size=3).map(tuple)
    return st.sampled_from(KINDS).flatmap(
        lambda kind: st.builds(
            Node,
            kind=st.just(kind),
            operation=operations,
            limit=limits,
            inside=several if kind == "gather" else one,
            flag=st.booleans(),
        )
    )


trees = st.recursive(leaves, _nodes, max_leaves=8)
cancels = st.lists(
    st.tuples(seconds, st.sampled_from(["request", "shutdown", "client_disconnect"])), max_size=2
)


async def _drive(tree: Callable[[], Any], cancel_at: list[tuple[float, CancelCause]]) -> tuple[bool, bool]:
    """Run the tree as a task, cancel it; whether a cancel reached it, and whether it ended cancelled."""
    loop = asyncio.get_running_loop()
    reached: list[bool] = []

    async def root() -> None:
        await tree()

    running = asyncio.create_task(root())
    for at, cause in cancel_at:
        loop.call_at(at, lambda cause=cause: reached.append(request_cancel(running, cause)))  # type: ignore[misc]
    await asyncio.wait([running])
    if not running.cancelled():
        running.exception()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}, "a task is left running"
    async with step(AFTER):
        pass
    return any(reached), running.cancelled()


@settings(max_examples=250)
@given(trees, cancels)
def test_any_tree_cancelled_at_any_time_leaves_a_complete_and_consistent_record(
    tree: Callable[[], Any], cancel_at: list[tuple[float, CancelCause]]
) -> None:
    """Issue 2, "Property tests": spans, counts and the cancel itself, all at once."""
    with recording() as recorded:
        reached, cancelled = run(_drive(tree, cancel_at))
        assert cancelled or not reached, "a cancel was swallowed"
        spans = recorded.spans()  # fails unless every started span ended exactly once
    _parents_exist_and_enclose(spans)
    _nothing_is_left_over(recorded)
    _outcomes_add_up(recorded, spans)


def _ids(span: ReadableSpan) -> tuple[int, int, int]:
    context = span.context
    assert context is not None
    return context.trace_id, context.span_id, span.parent.span_id if span.parent else 0


def _parents_exist_and_enclose(spans: list[ReadableSpan]) -> None:
    by_id = {_ids(span)[1]: span for span in spans}
    for span in spans:
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.start_time <= span.end_time
        if span.parent is not None:
            parent = by_id[span.parent.span_id]
            assert _ids(parent)[0] == _ids(span)[0]
            assert parent.start_time is not None
            assert parent.end_time is not None
            assert parent.start_time <= span.start_time
            assert span.end_time <= parent.end_time, (span.name, parent.name)
        for link in span.links:
            assert link.context.span_id in by_id
    assert spans[-1].name == "task after"
    assert spans[-1].parent is None, "a dead parent was left behind"


def _nothing_is_left_over(recorded: Recorded) -> None:
    assert value_of(recorded, "resilience_operations_in_flight") == 0
    assert value_of(recorded, "resilience_workflows_in_flight") == 0
    assert value_of(recorded, "resilience_telemetry_failures_total") == 0
    assert value_of(recorded, "resilience_telemetry_folded_labels_total") == 0


def _outcomes_add_up(recorded: Recorded, spans: list[ReadableSpan]) -> None:
    samples = recorded.samples()

    def total(name: str, **labels: str) -> float:
        return sum(
            value
            for (sample, content), value in samples.items()
            if sample == name and labels.items() <= dict(content).items()
        )

    def key(span: ReadableSpan, name: str) -> Any:
        return (span.attributes or {}).get(f"resilience.{name}")

    for name in ("price", "stock", "after"):
        ended = total("resilience_operation_duration_seconds_count", operation=name)
        attempts = total("resilience_attempts_total", operation=name)
        assert ended == total("resilience_operation_attempts_count", operation=name)
        assert attempts == total("resilience_operation_attempts_sum", operation=name)
        assert attempts == total("resilience_attempt_duration_seconds_count", operation=name)
        cancelled = total("resilience_operation_duration_seconds_count", operation=name, outcome="cancelled")
        assert cancelled == total("resilience_cancellations_total", operation=name)
        executions = [
            span for span in spans if span.name in (f"task {name}", f"timeout {name}", f"retry {name}")
        ]
        assert ended <= len(executions)
        assert bool(ended) == bool(executions)
        retries = [span for span in executions if span.name.startswith("retry")]
        assert total("resilience_retry_giveups_total", operation=name) == sum(
            key(span, "retry.giveup_reason") is not None for span in retries
        )
        tries = [span for span in spans if span.name == f"attempt {name}"]
        assert sum(key(span, "retry.attempts") for span in retries) == len(tries)
        waits = [span for span in spans if span.name == f"backoff {name}"]
        for span in tries:
            before = [wait for wait in waits if wait.parent == span.parent][: key(span, "attempt.number") - 1]
            seconds = [((wait.end_time or 0) - (wait.start_time or 0)) / 1e9 for wait in before]
            assert key(span, "attempt.backoff") == (pytest.approx(seconds[-1]) if before else None)
        waited = sum((span.end_time or 0) - (span.start_time or 0) for span in waits) / 1e9
        assert total("resilience_backoff_duration_seconds_count", operation=name) == len(waits)
        assert total("resilience_backoff_duration_seconds_sum", operation=name) == pytest.approx(waited)
        assert sum(key(span, "retry.backoff") for span in retries) == pytest.approx(waited)
        cleanups = [span for span in spans if span.name == f"cleanup {name}"]
        assert total("resilience_cleanup_duration_seconds_count", operation=name) == len(cleanups)
    workflows = [span for span in spans if span.name.startswith("workflow")]
    assert total("resilience_workflow_duration_seconds_count") == len(workflows)
    for span in spans:
        outcome = key(span, "cleanup.outcome") or key(span, "outcome")
        assert outcome is not None
        failed = outcome in ("error", "timeout", "exhausted", "failed", "timed_out")
        assert span.status.is_ok != failed
        assert ("error.type" in (span.attributes or {})) == failed
        assert (key(span, "cancel.cause") is not None) == (outcome == "cancelled")
        if span.name.startswith("gather"):
            counts = [key(span, f"gather.{what}") for what in ("succeeded", "failed", "cancelled")]
            assert sum(counts) == key(span, "gather.size")


@contextmanager
def _recorded_retry(policy: RetryPolicy, seed: int) -> Iterator[Recorded]:
    with recording() as recorded:
        with pytest.raises(ConnectionError):
            run(retry(PRICE, policy, rng=random.Random(seed)).call(failer(ConnectionError())))
        yield recorded


@settings(max_examples=100)
@given(
    policy=st.builds(
        RetryPolicy,
        max_attempts=st.integers(1, 8),
        base_delay=st.floats(0, 1000),
        backoff_factor=st.floats(1, 1000),
        max_delay=st.floats(0, 1000),
        jitter=st.sampled_from(["full", "none"]),
        deadline=st.none() | st.floats(0.001, 10_000),
    ),
    seed=st.integers(),
)
def test_delays_of_any_policy_are_within_their_bounds_and_add_up(policy: RetryPolicy, seed: int) -> None:
    """Never negative, never above the cap, never past the deadline; planned, slept and counted agree."""
    with _recorded_retry(policy, seed) as recorded:
        waits = spans_named(recorded, "backoff price")
        planned = [(span.attributes or {})["resilience.retry.delay"] for span in waits]
        slept = [((span.end_time or 0) - (span.start_time or 0)) / 1e9 for span in waits]
        bound = min(policy.max_delay, policy.base_delay)
        for delay, real in zip(planned, slept, strict=True):
            assert isinstance(delay, float)
            assert 0 <= delay <= bound <= policy.max_delay
            assert real == pytest.approx(delay, abs=1e-5)
            bound = min(policy.max_delay, bound * policy.backoff_factor)
        counted = value_of(recorded, "resilience_backoff_duration_seconds_sum")
        assert counted == pytest.approx(sum(slept), abs=1e-6)
        assert len(waits) < policy.max_attempts
        if policy.deadline is not None:
            assert sum(slept) < policy.deadline + 1e-6


@settings(max_examples=50)
@given(st.lists(st.tuples(seconds, st.booleans()), min_size=1, max_size=6), limits, st.booleans())
def test_a_gather_of_any_children_reports_each_of_them(
    children: list[tuple[float, bool]], limit: float, fail_fast: bool
) -> None:
    """Each has an outcome, whichever of deadline, error and end comes first."""

    async def main() -> tuple[list[Any], bool]:
        reports: list[Any] = []
        calls = {str(number): Leaf(takes, (fails,)) for number, (takes, fails) in enumerate(children)}
        failed = False
        try:
            async with deadline(limit):
                await gather(PRICE, calls, fail_fast=fail_fast, reports=reports)
        except (TimeoutError, ExceptionGroup):
            failed = True
        return reports, failed

    with recording() as recorded:
        reports, failed = run(main())
        assert len(reports) == len(children)
        late = any(takes > limit for takes, _ in children)
        wrong = any(fails for _, fails in children)
        if not failed:
            assert not late
            assert not (fail_fast and wrong)
        for report, (_, fails) in zip(reports, children, strict=True):
            assert report.outcome in (("error", "cancelled") if fails else ("success", "cancelled"))
            assert (report.error is None) == (report.outcome == "success")
        (span,) = recorded.spans()
        counts = [
            (span.attributes or {})[f"resilience.gather.{what}"]
            for what in ("succeeded", "failed", "cancelled")
        ]
        outcomes = [report.outcome for report in reports]
        assert counts == [outcomes.count(outcome) for outcome in ("success", "error", "cancelled")]


def test_the_tree_of_the_property_test_uses_every_primitive() -> None:
    """Each kind of node runs once, so that none of them is broken in itself."""
    for kind, flag in itertools.product(KINDS, (True, False)):
        with recording() as recorded:
            assert run(_drive(Node(kind, PRICE, 2, (Leaf(1, ()),), flag), [])) == (False, False)
            expected = {"settle": 1, "deadline": 1}.get(kind, 2)
            assert len({span.name for span in recorded.spans()}) >= expected
