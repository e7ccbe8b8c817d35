"""What inline runs were started with and what they answered: known by the run's id, of the last ones."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.trace import SpanContext, TraceFlags

from retryscope import semconv
from retryscope_service.console import inline_records
from retryscope_service.console.inline_records import MAX_ANSWER, MAX_MESSAGE, InlineRecords
from retryscope_service.console.run_summaries import RunSummaries
from retryscope_service.traces.span_feed import SpanFeed
from tests.unit.retryscope_service.traces.spans import own_tracer_into, start

AWAY = {"type": "ApiUnavailableError", "message": "API temporarily unavailable"}


def span(number: int = 1, *, sampled: bool = True) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(number, number, is_remote=False, trace_flags=flags)


def id_of(span: SpanContext) -> str:
    return f"{span.trace_id:032x}-{span.span_id:016x}"


def test_a_run_is_known_under_the_id_that_its_summary_has() -> None:
    records, runs = InlineRecords(), RunSummaries(SpanFeed())
    run = start(own_tracer_into(runs.feed), "workflow retry", attributes={semconv.WORKFLOW: "retry"})
    records.started(run.get_span_context(), "retry", '{"max_retries": 2}')
    (summary,) = runs.latest()
    assert records.get(summary["id"]) == {"workflow": "retry", "params": {"max_retries": 2}}
    assert records.get(id_of(span())) is None


def test_a_run_that_is_not_sampled_is_not_kept() -> None:
    """Nothing shows it, so nobody could name it; what it answers is heard all the same."""
    records = InlineRecords()
    unsampled = span(sampled=False)
    records.started(unsampled, "retry", "{}")
    records.answered(id_of(unsampled), {"outcome": "success", "tasks": []}, None)
    assert records.get(id_of(unsampled)) is None


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they answer later is heard all the same."""
    monkeypatch.setattr(inline_records, "MAX_KEPT", 2)
    records = InlineRecords()
    spans = [span(number) for number in (1, 2, 3)]
    for each in spans:
        records.started(each, "retry", json.dumps({"tasks": each.trace_id}))
    records.answered(id_of(spans[0]), {"outcome": "success", "tasks": []}, None)
    known = [records.get(id_of(each)) for each in spans]
    assert [each and each["params"]["tasks"] for each in known] == [None, 2, 3]


def answered(result: dict[str, Any], error: dict[str, str] | None = None) -> dict[str, Any]:
    """What is known of a run that answered this."""
    records = InlineRecords()
    records.started(span(), "retry", "{}")
    records.answered(id_of(span()), result, error)
    known = records.get(id_of(span()))
    assert known is not None
    return known


def test_what_a_run_has_answered_is_known_from_then_on() -> None:
    result = {"outcome": "error", "tasks": []}
    assert answered(result, AWAY) == {"workflow": "retry", "params": {}, "result": result, "error": AWAY}
    assert answered(result) == {"workflow": "retry", "params": {}, "result": result}


LONG = st.builds(str.__mul__, st.text(max_size=4), st.integers(0, 3000))


@given(st.lists(LONG, max_size=9), st.none() | LONG, st.integers(0, 9))
@example(["a"] * 1000, None, 0)
@example(["a"], "\N{PARTY POPPER}" * 8192, 0)
def test_an_answer_is_kept_up_to_a_bound_and_says_how_many_tasks_there_were(
    values: list[str], message: str | None, count: int
) -> None:
    """Whatever is in it: the first tasks are left, in their order, and what is not cut is whole."""
    tasks = [{"name": f"Task {number}", "value": value} for number, value in enumerate(values)]
    result = {"outcome": "success", "counts": {"succeeded": count}, "tasks": tasks}
    error = None if message is None else {"type": "OSError", "message": message}
    known = answered(result, error)
    whole = {"result": result} if error is None else {"result": result, "error": error}
    if len(json.dumps(whole)) <= MAX_ANSWER:
        assert known == {"workflow": "retry", "params": {}, **whole}
        return
    kept = known["result"].pop("tasks")
    assert kept == tasks[: len(kept)]
    assert known["result"] == {"outcome": "success", "counts": {"succeeded": count}}
    if message is not None:
        cut = message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"
        assert known["error"] == {"type": "OSError", "message": cut}

    def size(tasks: list[dict[str, str]]) -> int:
        return len(json.dumps({**known, "result": {**known["result"], "tasks": tasks}}))

    assert size(kept) <= MAX_ANSWER + len('"workflow": "retry", "params": {}, ')
    if len(kept) < len(tasks):  # the next one had no room
        assert known["total_tasks"] == len(tasks)
        assert size(tasks[: len(kept) + 1]) > MAX_ANSWER
    else:
        assert "total_tasks" not in known
