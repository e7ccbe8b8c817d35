"""The summaries of runs: counted from spans, those in flight and the last that ended."""

import threading
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import Tracer

from instrumentation import semconv
from service.console import run_summaries
from service.console.run_summaries import RunSummaries
from tests.unit.service.console.spans import own_tracer_into, start, tracer_into


def workflow(
    tracer: Tracer, name: str = "retry", run_id: str | None = None, parent: Span | None = None
) -> Span:
    """A started workflow span."""
    attributes: dict[str, str | int] = {semconv.WORKFLOW: name}
    if run_id is not None:
        attributes[semconv.RUN_ID] = run_id
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


def ids(runs: RunSummaries) -> list[str]:
    return [run["id"] for run in runs.latest()]


def test_a_background_run_from_its_start_to_its_end() -> None:
    """Its id is that of its record; its counts are those of everything below its span."""
    runs = RunSummaries()
    tracer = own_tracer_into(runs)
    root = start(tracer, "POST /workflows/{workflow}/runs")
    run = workflow(tracer, "retry", "run-1", root)
    assert run.start_time is not None
    begun = {
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
    }
    assert runs.latest() == [begun]
    operation = start(tracer, "retry call", run)
    attempt(tracer, operation, 1, "error")
    start(tracer, "backoff call", operation).end()
    attempt(tracer, operation, 2, "timeout")
    last = attempt(tracer, operation, 3)
    assert runs.latest() == [{**begun, "attempts": 3, "retries": 2, "failures": 2}]
    end(last, "success")
    end(operation, "success")
    end(run, "success")
    assert run.end_time is not None
    counts = {"attempts": 3, "retries": 2, "failures": 2}
    ended = {**begun, **counts, "state": "ended", "outcome": "success", "ended_at": run.end_time / 1e9}
    assert runs.latest() == [ended]


def test_an_inline_run_is_named_after_its_span() -> None:
    """It has no record."""
    runs = RunSummaries()
    run = workflow(own_tracer_into(runs))
    (summary,) = runs.latest()
    context = run.get_span_context()
    assert summary["id"] == f"{context.trace_id:032x}-{context.span_id:016x}"
    assert summary["kind"] == "inline"


def test_a_cancelled_attempt_has_not_failed() -> None:
    """The run tells who cancelled it."""
    runs = RunSummaries()
    tracer = own_tracer_into(runs)
    run = workflow(tracer)
    end(attempt(tracer, run, 1), "cancelled")
    end(run, "cancelled", **{semconv.CANCEL_CAUSE: "client_disconnect"})
    (summary,) = runs.latest()
    assert (summary["attempts"], summary["failures"]) == (1, 0)
    assert (summary["outcome"], summary["cancel_cause"]) == ("cancelled", "client_disconnect")


def test_attempts_that_are_events_are_counted_when_their_retry_has_ended() -> None:
    """With ``RETRYSCOPE_ATTEMPTS=events`` there are no spans of attempts."""
    runs = RunSummaries()
    tracer = own_tracer_into(runs)
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
    runs = RunSummaries()
    tracer = own_tracer_into(runs)
    run = workflow(tracer, run_id="run-1")
    runs.cancel_requested("run-1")
    (summary,) = runs.latest()
    assert (summary["state"], summary["cancel_cause"], summary["outcome"]) == ("cancelling", "request", None)
    end(run, "success")
    runs.cancel_requested("run-1")
    runs.cancel_requested("of another process")
    (summary,) = runs.latest()
    assert (summary["state"], summary["cancel_cause"], summary["outcome"]) == ("ended", None, "success")


def test_runs_of_one_trace_are_counted_apart() -> None:
    """A caller may start several, and a workflow another one."""
    runs = RunSummaries()
    tracer = own_tracer_into(runs)
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
    runs = RunSummaries()
    tracer, other = own_tracer_into(runs), tracer_into(runs)
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
    runs = RunSummaries()
    tracer = own_tracer_into(runs)
    running = workflow(tracer, run_id="long")
    for number in range(4):
        end(workflow(tracer, run_id=f"short {number}"), "success")
    assert ids(runs) == ["short 3", "short 2", "long"]
    end(running, "success")
    assert ids(runs) == ["short 3", "long"]


def test_a_run_that_is_delivered_again_is_one_run() -> None:
    """It begins anew, and what is left of the delivery before changes nothing."""
    runs = RunSummaries()
    tracer = own_tracer_into(runs)
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
    runs = RunSummaries()
    tracer = own_tracer_into(runs)
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
    runs = RunSummaries()
    tracer = own_tracer_into(runs)
    for _ in range(run_summaries.MAX_ENDED + 50):
        run = workflow(tracer)
        attempt(tracer, run, 1, "success")
        end(run, "success")
    assert len(runs.latest()) == run_summaries.MAX_ENDED
    assert runs._run_of == {}


def test_spans_may_start_and_end_on_other_threads_while_it_is_read() -> None:
    """No count is lost."""
    runs = RunSummaries()
    tracer = own_tracer_into(runs)
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
