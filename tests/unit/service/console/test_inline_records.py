"""What inline runs were started with and what they answered: known by the run's id, of the last ones."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import Span

from instrumentation import semconv
from service.console import inline_records
from service.console.inline_records import MAX_ANSWER, MAX_MESSAGE, InlineRecords, asked_for
from service.console.run_summaries import RunSummaries
from tests.unit.service.console.spans import own_tracer_into, start, tracer_into

RETRY = {semconv.WORKFLOW: "retry"}
AWAY = {"type": "ApiUnavailableError", "message": "API temporarily unavailable"}


def id_of(span: Span) -> str:
    context = span.get_span_context()
    return f"{context.trace_id:032x}-{context.span_id:016x}"


def test_the_first_workflow_inside_has_the_parameters() -> None:
    """Under the id that its summary has; one that it starts itself was given something else."""
    records, runs = InlineRecords(), RunSummaries()
    tracer = own_tracer_into(records, runs)
    with asked_for('{"max_retries": 2}'):
        request = start(tracer, "POST /workflows/{workflow}")
        run = start(tracer, "workflow retry", request, {**RETRY})
        inner = start(tracer, "workflow other", run)
    after = start(tracer, "workflow retry", request, {**RETRY})
    (summary,) = (
        each for each in runs.latest() if each["workflow"] == "retry" and each["id"] != id_of(after)
    )
    assert records.get(summary["id"]) == {"workflow": "retry", "params": {"max_retries": 2}}
    assert [records.get(id_of(each)) for each in (request, inner, after)] == [None, None, None]


def test_spans_of_others_have_none() -> None:
    """Whatever their names are."""
    records = InlineRecords()
    other, tracer = tracer_into(records), own_tracer_into(records)
    with asked_for("{}"):
        foreign = start(other, "workflow of somebody else")
        own = start(tracer, "workflow retry", attributes={**RETRY})
    assert records.get(id_of(foreign)) is None
    assert records.get(id_of(own)) == {"workflow": "retry", "params": {}}


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inline_records, "MAX_KEPT", 2)
    records = InlineRecords()
    tracer = own_tracer_into(records)
    spans = []
    for number in range(3):
        with asked_for(json.dumps({"tasks": number})):
            spans.append(start(tracer, "workflow retry", attributes={**RETRY}))
    known = [records.get(id_of(span)) for span in spans]
    assert [each and each["params"]["tasks"] for each in known] == [None, 1, 2]


def answered(result: dict[str, Any], error: dict[str, str] | None = None) -> dict[str, Any]:
    """What is known of a run that answered this."""
    with asked_for("{}") as record:
        pass
    record.answered(result, error)
    return record.as_json()


def test_what_a_run_has_answered_is_known_from_then_on() -> None:
    records = InlineRecords()
    with asked_for("{}") as record:
        span = start(own_tracer_into(records), "workflow retry", attributes={**RETRY})
    assert records.get(id_of(span)) == {"workflow": "retry", "params": {}}
    record.answered({"outcome": "error", "tasks": []}, AWAY)
    known = records.get(id_of(span))
    assert known == {
        "workflow": "retry",
        "params": {},
        "result": {"outcome": "error", "tasks": []},
        "error": AWAY,
    }


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
        assert known == {"workflow": "_OTHER", "params": {}, **whole}
        return
    kept = known["result"].pop("tasks")
    assert kept == tasks[: len(kept)]
    assert known["result"] == {"outcome": "success", "counts": {"succeeded": count}}
    if message is not None:
        cut = message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"
        assert known["error"] == {"type": "OSError", "message": cut}

    def size(tasks: list[dict[str, str]]) -> int:
        return len(json.dumps({**known, "result": {**known["result"], "tasks": tasks}}))

    assert size(kept) <= MAX_ANSWER + len('"workflow": "_OTHER", "params": {}, ')
    if len(kept) < len(tasks):  # the next one had no room
        assert known["total_tasks"] == len(tasks)
        assert size(tasks[: len(kept) + 1]) > MAX_ANSWER
    else:
        assert "total_tasks" not in known
