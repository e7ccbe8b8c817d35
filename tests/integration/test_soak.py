"""Many runs of everything at once, some of whose clients go away: afterwards all of it adds up."""

from collections import Counter
from random import Random

from tests.integration.conftest import StartService
from tests.support.polling import wait_until
from tests.support.process import Answer, Call, traceparent
from tests.support.spans import SpanData, from_json

RUNS = 500
WORKFLOWS = ("sequential", "concurrent", "cancellation", "timeouts", "retry")
OPERATION_SPANS = ("task ", "retry ", "timeout ")
NOT_IN_THE_ANSWER = "task process_success"


def test_500_runs_at_once_with_disconnects(start_service: StartService) -> None:
    service = start_service(RETRYSCOPE_MAX_RUNS_IN_FLIGHT="1000", RETRYSCOPE_MAX_TRACES=str(2 * RUNS))
    random = Random("soak")
    calls: dict[str, Call] = {}
    for number in range(RUNS):
        trace_id = f"{random.getrandbits(127) + 1:032x}"
        path = f"/workflows/{WORKFLOWS[number % len(WORKFLOWS)]}"
        body = {"time_scale": 0.01, "seed": number}
        calls[trace_id] = Call(service.port, "POST", path, body, traceparent(trace_id), hold=True)
    for call in calls.values():
        call.release()

    leaving = set(random.sample(sorted(calls), RUNS // 5))
    answers: dict[str, Answer] = {}
    for trace_id, call in random.sample(sorted(calls.items()), RUNS):  # so the disconnects are spread out
        if trace_id in leaving:
            call.disconnect()
        else:
            answers[trace_id] = call.answer()
    wait_until(lambda: service.metric("resilience_workflows_in_flight") == 0, "every run has ended")
    wait_until(lambda: service.runs_in_flight() == 0, "every run has left")
    assert service.metric("resilience_operations_in_flight") == 0

    traces: dict[str, list[SpanData]] = {}
    for trace_id in calls:
        answer = service.get(f"/traces/{trace_id}")
        # A client that leaves very early is gone before its run begins.
        assert answer.status == 200 or trace_id in leaving
        if answer.status == 200:
            traces[trace_id] = list(from_json(answer.body))
    spans = [span for trace in traces.values() for span in trace]

    for trace_id, trace in traces.items():
        check_trace(trace)
        if trace_id in answers:
            check_answer(answers[trace_id], trace)

    outcomes = Counter(
        (span.attributes["resilience.workflow"], span.attributes["resilience.outcome"])
        for span in spans
        if span.name.startswith("workflow ")
    )
    for (workflow, outcome), number in outcomes.items():
        labels = {"workflow": str(workflow), "outcome": str(outcome)}
        assert service.metric("resilience_workflow_duration_seconds_count", **labels) == number
    assert service.metric("resilience_workflow_duration_seconds_count") == outcomes.total()
    assert outcomes["retry", "exhausted"] > 0

    operations = [span for span in spans if span.name.startswith(OPERATION_SPANS)]
    by_outcome = Counter(str(span.attributes["resilience.outcome"]) for span in operations)
    for outcome in ("success", "error", "timeout", "exhausted", "cancelled"):
        assert by_outcome[outcome] > 0
        counted = service.metric("resilience_operation_duration_seconds_count", outcome=outcome)
        assert counted == by_outcome[outcome], outcome
    attempts = sum(int(span.attributes.get("resilience.retry.attempts", 1)) for span in operations)
    assert service.metric("resilience_attempts_total") == attempts
    assert service.metric("resilience_cancellations_total") == by_outcome["cancelled"]
    for metric, name in (("backoff", "backoff "), ("cleanup", "cleanup ")):
        number = sum(span.name.startswith(name) for span in spans)
        assert service.metric(f"resilience_{metric}_duration_seconds_count") == number, metric
    assert service.metric("resilience_telemetry_failures_total") == 0

    # On a scale of 0.01 a cleanup may take 0.05 s only, and 500 runs keep the event loop busy for longer.
    # That is no reason to say that one ignores its cancellation.
    late = service.metric("resilience_cleanup_duration_seconds_count", outcome="timed_out")
    service.stop()
    assert service.messages("ERROR") == ["cleanup of long_running_task timed out after 0.05 s"] * int(late)
    assert all("gave up after" in message for message in service.messages("WARNING"))


def check_trace(trace: list[SpanData]) -> None:
    """Every span has ended, inside its parent, which is there."""
    by_id = {span.span_id: span for span in trace}
    assert len(by_id) == len(trace)
    for span in trace:
        assert span.end >= span.start, span
        if span.name != "POST /workflows/{workflow}":
            parent = by_id[span.parent_id]
            assert parent.start <= span.start
            assert span.end <= parent.end, (span, parent)
            assert span.name.startswith(("backoff ", "cleanup ")) or "resilience.outcome" in span.attributes


def check_answer(answer: Answer, trace: list[SpanData]) -> None:
    """The answer says the same as its trace."""
    assert answer.status in {200, 502}
    body = answer.body
    outcomes = Counter(
        str(span.attributes["resilience.outcome"])
        for span in trace
        if span.name.startswith(OPERATION_SPANS) and span.name != NOT_IN_THE_ANSWER
    )
    assert body["counts"] == {
        "succeeded": outcomes["success"],
        "failed": outcomes["error"] + outcomes["exhausted"],
        "timed_out": outcomes["timeout"],
        "cancelled": outcomes["cancelled"],
    }
    assert sum(body["counts"].values()) == len(body["tasks"])
    (workflow,) = (span for span in trace if span.name.startswith("workflow "))
    assert workflow.attributes["resilience.outcome"] == body["outcome"]
    backoffs = sum(span.end - span.start for span in trace if span.name.startswith("backoff "))
    assert abs(sum(task["backoff_seconds"] for task in body["tasks"]) - backoffs / 1e9) < 0.25
