"""The summaries of runs: counted from spans, those in flight and the last that ended."""

import threading
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import Status, StatusCode, Tracer

from retryscope import semconv
from retryscope_service import semconv as service_semconv
from retryscope_service.console import run_summaries
from retryscope_service.console.run_errors import MAX_MESSAGE, MAX_TYPES, RunErrors
from retryscope_service.console.run_summaries import RunSummaries
from retryscope_service.operations.operations import Operations
from retryscope_service.runs.run import WorkflowRun
from retryscope_service.traces.span_feed import SpanFeed
from retryscope_service.workflows.cancellation import CANCELLATION
from retryscope_service.workflows.concurrent import CONCURRENT
from retryscope_service.workflows.definition import WorkflowDefinition
from retryscope_service.workflows.retry import RETRY
from retryscope_service.workflows.sequential import SEQUENTIAL
from retryscope_service.workflows.timeouts import TIMEOUTS
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.traces.spans import own_tracer_into, start, tracer_into


def workflow(
    tracer: Tracer, name: str = "retry", run_id: str | None = None, parent: Span | None = None
) -> Span:
    """A started workflow span."""
    attributes: dict[str, str | int] = {semconv.WORKFLOW: name}
    if run_id is not None:
        attributes[service_semconv.RUN_ID] = run_id
    return start(tracer, f"workflow {name}", parent, attributes)


def end(span: Span, outcome: str, **attributes: str) -> None:
    span.set_attributes({semconv.OUTCOME: outcome, **attributes})
    span.end()


def attempt(tracer: Tracer, parent: Span, number: int, outcome: str | None = None) -> Span:
    """An attempt, ended if an outcome is given."""
    span = start(tracer, "attempt call", parent, {semconv.ATTEMPT_NUMBER: number})
    if outcome is not None:
        end(span, outcome)
    return span


NO_TASKS = {"running": 0, "succeeded": 0, "failed": 0, "timed_out": 0, "cancelled": 0}


def ids(runs: RunSummaries) -> list[str]:
    return [run["id"] for run in runs.latest()]


def test_a_background_run_from_its_start_to_its_end() -> None:
    """Its id is that of its record; its counts are those of everything below its span."""
    runs = RunSummaries(SpanFeed())
    tracer = own_tracer_into(runs.feed)
    root = start(tracer, "POST /workflows/{workflow}/runs")
    run = workflow(tracer, "retry", "run-1", root)
    assert run.start_time is not None
    begun: dict[str, Any] = {
        "id": "run-1",
        "kind": "background",
        "workflow": "retry",
        "trace_id": f"{run.get_span_context().trace_id:032x}",
        "span_id": f"{run.get_span_context().span_id:016x}",
        "state": "running",
        "outcome": None,
        "started_at": run.start_time / 1e9,
        "ended_at": None,
        "attempts": 0,
        "retries": 0,
        "failures": 0,
        "cancel_cause": None,
        "cancel_requested_at": None,
        "tasks": NO_TASKS,
        "error": None,
        "error_types": [],
    }
    assert runs.latest() == [begun]
    operation = start(tracer, "retry call", run, {semconv.OPERATION: "call"})
    attempt(tracer, operation, 1, "error")
    start(tracer, "backoff call", operation).end()
    end(attempt(tracer, operation, 2), "timeout", **{semconv.ERROR_TYPE: "timeout"})
    last = attempt(tracer, operation, 3)
    running = {"tasks": {**NO_TASKS, "running": 1}, "error_types": ["timeout"]}
    assert runs.latest() == [{**begun, **running, "attempts": 3, "retries": 2, "failures": 2}]
    end(last, "success")
    end(operation, "success")
    end(run, "success")
    assert run.end_time is not None
    counts = {"attempts": 3, "retries": 2, "failures": 2, "error_types": ["timeout"]}
    counts |= {"tasks": {**NO_TASKS, "succeeded": 1}}
    ended = {**begun, **counts, "state": "ended", "outcome": "success", "ended_at": run.end_time / 1e9}
    assert runs.latest() == [ended]


def test_an_inline_run_is_named_after_its_span() -> None:
    """It has no record."""
    runs = RunSummaries(SpanFeed())
    run = workflow(own_tracer_into(runs.feed))
    (summary,) = runs.latest()
    context = run.get_span_context()
    assert summary["id"] == f"{context.trace_id:032x}-{context.span_id:016x}"
    assert summary["kind"] == "inline"


def test_a_cancelled_attempt_has_not_failed() -> None:
    """The run tells who cancelled it."""
    runs = RunSummaries(SpanFeed())
    tracer = own_tracer_into(runs.feed)
    run = workflow(tracer)
    end(attempt(tracer, run, 1), "cancelled")
    end(run, "cancelled", **{semconv.CANCEL_CAUSE: "client_disconnect"})
    (summary,) = runs.latest()
    assert (summary["attempts"], summary["failures"]) == (1, 0)
    assert (summary["outcome"], summary["cancel_cause"]) == ("cancelled", "client_disconnect")


def test_attempts_that_are_events_are_counted_when_their_retry_has_ended() -> None:
    """With ``RETRYSCOPE_ATTEMPTS=events`` there are no spans of attempts."""
    runs = RunSummaries(SpanFeed())
    tracer = own_tracer_into(runs.feed)
    run = workflow(tracer)
    retry = start(tracer, "retry call", run)
    for number, outcome in enumerate(("timeout", "error", "success"), 1):
        retry.add_event(semconv.EVENT_ATTEMPT, {semconv.ATTEMPT_NUMBER: number, semconv.OUTCOME: outcome})
    with runs.watching():
        end(retry, "success")
        assert len(runs.take_changed()) == 1
    (summary,) = runs.latest()
    assert (summary["attempts"], summary["retries"], summary["failures"]) == (3, 2, 2)


def test_a_cancel_that_was_asked_for_shows_until_the_end() -> None:
    """Cleanup takes its time; a run that wins the race against the cancel was not cancelled."""
    runs = RunSummaries(SpanFeed())
    tracer = own_tracer_into(runs.feed)
    run = workflow(tracer, run_id="run-1")
    runs.cancel_requested("run-1")
    (summary,) = runs.latest()
    assert (summary["state"], summary["cancel_cause"], summary["outcome"]) == ("cancelling", "request", None)
    end(run, "success")
    runs.cancel_requested("run-1")
    runs.cancel_requested("of another process")
    (summary,) = runs.latest()
    assert (summary["state"], summary["cancel_cause"], summary["outcome"]) == ("ended", None, "success")


def test_the_time_of_the_first_request_to_cancel_stays() -> None:
    """A second one changes nothing: the line is drawn where the first one was."""
    runs = RunSummaries(SpanFeed())
    workflow(own_tracer_into(runs.feed), run_id="run-1")
    runs.cancel_requested("run-1")
    (first,) = runs.latest()
    runs.cancel_requested("run-1")
    (second,) = runs.latest()
    assert first["started_at"] <= first["cancel_requested_at"] == second["cancel_requested_at"]


def test_what_failed_inside_a_success_is_counted_and_named() -> None:
    """Operations by how they ended, the last error, and the types of all, also of what was tried again."""
    runs = RunSummaries(SpanFeed())
    tracer = own_tracer_into(runs.feed)
    run = workflow(tracer)
    for number, outcome in enumerate(("success", "error", "timeout", "exhausted", "cancelled")):
        span = start(tracer, f"task {number}", run, {semconv.OPERATION: f"{number}"})
        error = {} if outcome in ("success", "cancelled") else {semconv.ERROR_TYPE: f"Error{number}"}
        if error:
            span.set_status(Status(StatusCode.ERROR, f"number {number} " + "long " * 100))
        end(span, outcome, **error)
    end(attempt(tracer, run, 1), "error", **{semconv.ERROR_TYPE: "Retried"})
    end(run, "success")
    (summary,) = runs.latest()
    assert summary["tasks"] == {"running": 0, "succeeded": 1, "failed": 2, "timed_out": 1, "cancelled": 1}
    assert (summary["attempts"], summary["failures"]) == (6, 4)
    assert summary["error"]["type"] == "Error3"
    assert summary["error"]["message"].startswith("number 3 long")
    assert len(summary["error"]["message"]) == MAX_MESSAGE
    assert summary["error_types"] == ["Error1", "Error2", "Error3", "Retried"]


def test_a_run_is_remembered_with_so_many_types_of_errors_and_no_more() -> None:
    """Whatever the code in it raises."""
    errors = RunErrors()
    for number in range(100):
        errors.add({"type": f"Error{number}", "message": ""})
    assert len(errors.types) == MAX_TYPES
    assert list(errors.types)[-1] == semconv.OTHER
    assert errors.last == {"type": "Error99", "message": ""}


def test_one_operation_inside_another_of_its_name_is_none_more() -> None:
    """A timeout inside its own retry is part of the attempt; in a gather or a cleanup it is another task."""
    runs = RunSummaries(SpanFeed())
    tracer = own_tracer_into(runs.feed)
    run = workflow(tracer)
    call: dict[str, str | int] = {semconv.OPERATION: "call"}
    retry = start(tracer, "retry call", run, call)
    trial = attempt(tracer, retry, 1)
    end(start(tracer, "timeout call", trial, call), "error")
    for apart in ("gather call", "cleanup call"):
        end(start(tracer, "task call", start(tracer, apart, trial), call), "success")
    end(start(tracer, "task other", trial, {semconv.OPERATION: "other"}), "success")
    end(trial, "error")
    end(retry, "exhausted")
    (summary,) = runs.latest()
    assert summary["tasks"] == {**NO_TASKS, "succeeded": 3, "failed": 1}
    assert (summary["attempts"], summary["failures"]) == (4, 1)


def replay(recorded: Recorded, runs: RunSummaries) -> None:
    """Tell of the recorded spans: of all starts before all ends, which is one order that may happen."""
    for span in recorded.log.started:
        runs.feed.on_start(span)
    for ended in recorded.log.ended:
        runs.feed.on_end(ended)


SCALED = {"time_scale": 0.0001, "seed": 4}
LIMITS = [{"name": name, "duration": 3.0, "timeout": limit} for name, limit in (("A", 1.0), ("B", 9.0))]


@pytest.mark.parametrize(
    ("definition", "params"),
    [
        (SEQUENTIAL, {"tasks": 7, "failure_rate": 1.0}),
        (CONCURRENT, {"tasks": 30, "failure_rate": 0.3}),
        (RETRY, {"failure_rate": 1.0, "max_retries": 2}),
        (RETRY, {"failure_rate": 0.7, "max_retries": 9}),
        (RETRY, {"failure_rate": 1.0, "deadline": 1.0}),
        (TIMEOUTS, {"operations": LIMITS}),
        (CANCELLATION, {}),
    ],
    ids=lambda value: value.name if isinstance(value, WorkflowDefinition) else str(value),
)
async def test_a_run_counts_what_its_answer_counts_and_attempts_as_the_metrics_do(
    recorded: Recorded, definition: WorkflowDefinition[Any], params: dict[str, Any]
) -> None:
    """Whatever the workflow; what it does beside its tasks, only the metrics count."""
    runs = RunSummaries(SpanFeed())
    run = WorkflowRun(definition, definition.params.model_validate({**SCALED, **params}), Operations())
    with recorded.changes() as changed:
        await run.execute()
    result = run.result()
    replay(recorded, runs)
    (summary,) = runs.latest()
    assert summary["outcome"] == result.outcome
    assert summary["tasks"] == {"running": 0, **result.counts.model_dump()}
    assert summary["attempts"] == sum(task.attempts for task in result.tasks)
    beside = changed.get(
        'resilience_attempts_total{operation="process_success", outcome="success", workflow="concurrent"}', 0
    )
    counted = {
        name: value for name, value in changed.items() if name.startswith("resilience_attempts_total{")
    }
    assert summary["attempts"] == sum(counted.values()) - beside
    failed = sum(
        value
        for name, value in counted.items()
        if 'outcome="success"' not in name and 'outcome="cancelled"' not in name
    )
    assert summary["failures"] == failed
    hides_none = result.outcome == "success" and result.counts.failed + result.counts.timed_out == 0
    assert (summary["error"] is None) == hides_none


def test_runs_of_one_trace_are_counted_apart() -> None:
    """A caller may start several, and a workflow another one."""
    runs = RunSummaries(SpanFeed())
    tracer = own_tracer_into(runs.feed)
    root = start(tracer, "caller")
    outer, beside = workflow(tracer, "outer", parent=root), workflow(tracer, "beside", parent=root)
    inner = workflow(tracer, "inner", parent=outer)
    attempt(tracer, inner, 1, "success")
    attempt(tracer, inner, 2, "success")
    attempt(tracer, outer, 1, "success")
    attempt(tracer, beside, 1, "success")
    attempt(tracer, root, 1, "success")
    assert {run["workflow"]: run["attempts"] for run in runs.latest()} == {
        "outer": 1,
        "beside": 1,
        "inner": 2,
    }


def test_spans_of_others_make_no_runs() -> None:
    """Whatever their names are; what is below them still belongs to the run around."""
    runs = RunSummaries(SpanFeed())
    tracer, other = own_tracer_into(runs.feed), tracer_into(runs.feed)
    start(other, "workflow of somebody else").end()
    assert runs.latest() == []
    run = workflow(tracer)
    between = start(other, "attempt of somebody else", run)
    attempt(tracer, between, 1, "error")
    (summary,) = runs.latest()
    assert (summary["attempts"], summary["failures"]) == (1, 1)


def test_the_oldest_ended_runs_are_forgotten_and_no_running_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest come first."""
    monkeypatch.setattr(run_summaries, "MAX_ENDED", 2)
    runs = RunSummaries(SpanFeed())
    tracer = own_tracer_into(runs.feed)
    running = workflow(tracer, run_id="long")
    for number in range(4):
        end(workflow(tracer, run_id=f"short {number}"), "success")
    assert ids(runs) == ["short 3", "short 2", "long"]
    end(running, "success")
    assert ids(runs) == ["short 3", "long"]


def test_a_run_that_is_delivered_again_is_one_run() -> None:
    """It begins anew, and what is left of the delivery before changes nothing."""
    runs = RunSummaries(SpanFeed())
    tracer = own_tracer_into(runs.feed)
    first = workflow(tracer, run_id="run-1")
    attempt(tracer, first, 1, "success")
    second = workflow(tracer, run_id="run-1")
    with runs.watching():
        attempt(tracer, first, 2, "error")
        end(first, "cancelled")
        assert runs.take_changed() == []
    (summary,) = runs.latest()
    assert (summary["state"], summary["attempts"]) == ("running", 0)
    end(second, "success")
    assert [run["outcome"] for run in runs.latest()] == ["success"]
    workflow(tracer, run_id="run-1")
    assert [run["state"] for run in runs.latest()] == ["running"]


def test_changes_are_collected_while_somebody_watches() -> None:
    """Each run once, as it is when they are taken."""
    runs = RunSummaries(SpanFeed())
    tracer = own_tracer_into(runs.feed)
    before, quiet = workflow(tracer, "before"), workflow(tracer, "quiet")
    with runs.watching():
        with runs.watching():
            assert (runs.has_changed, runs.take_changed()) == (False, [])
        attempt(tracer, before, 1, "error")
        during = workflow(tracer, "during", "run-1")
        changed = [("before", "running", 1), ("during", "running", 0)]
        assert (runs.has_changed, [shown(run) for run in runs.take_changed()]) == (True, changed)
        assert (runs.has_changed, runs.take_changed()) == (False, [])
        runs.cancel_requested("run-1")
        assert [shown(run) for run in runs.take_changed()] == [("during", "cancelling", 0)]
        end(during, "cancelled")
        assert [shown(run) for run in runs.take_changed()] == [("during", "ended", 0)]
        end(before, "success")
    assert (runs.has_changed, runs.take_changed()) == (False, [])
    end(quiet, "success")
    assert (runs.has_changed, runs.take_changed()) == (False, [])


def shown(run: dict[str, Any]) -> tuple[Any, ...]:
    return run["workflow"], run["state"], run["attempts"]


def test_nothing_is_left_of_runs_that_have_ended() -> None:
    """Of a million runs as little as of one."""
    runs = RunSummaries(SpanFeed())
    tracer = own_tracer_into(runs.feed)
    for _ in range(run_summaries.MAX_ENDED + 50):
        run = workflow(tracer)
        attempt(tracer, run, 1, "success")
        end(run, "success")
    assert len(runs.latest()) == run_summaries.MAX_ENDED
    assert runs._places == {}


def test_spans_may_start_and_end_on_other_threads_while_it_is_read() -> None:
    """No count is lost."""
    runs = RunSummaries(SpanFeed())
    tracer = own_tracer_into(runs.feed)
    run = workflow(tracer)

    def work() -> None:
        for number in range(1, 201):
            attempt(tracer, run, number, "error")
            runs.take_changed()
            runs.latest()

    with runs.watching():
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    (summary,) = runs.latest()
    assert (summary["attempts"], summary["retries"], summary["failures"]) == (800, 796, 800)
