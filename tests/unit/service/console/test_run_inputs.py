"""What inline runs were started with: known by the id of the run, for the last ones."""

import json

import pytest
from opentelemetry.sdk.trace import Span

from instrumentation import semconv
from service.console import run_inputs
from service.console.run_inputs import RunInputs, started_with
from service.console.run_summaries import RunSummaries
from tests.unit.service.console.spans import own_tracer_into, start, tracer_into

RETRY = {semconv.WORKFLOW: "retry"}


def id_of(span: Span) -> str:
    context = span.get_span_context()
    return f"{context.trace_id:032x}-{context.span_id:016x}"


def test_the_first_workflow_inside_has_the_parameters() -> None:
    """Under the id that its summary has; one that it starts itself was given something else."""
    inputs, runs = RunInputs(), RunSummaries()
    tracer = own_tracer_into(inputs, runs)
    with started_with('{"max_retries": 2}'):
        request = start(tracer, "POST /workflows/{workflow}")
        run = start(tracer, "workflow retry", request, {**RETRY})
        inner = start(tracer, "workflow other", run)
    after = start(tracer, "workflow retry", request, {**RETRY})
    (summary,) = (
        each for each in runs.latest() if each["workflow"] == "retry" and each["id"] != id_of(after)
    )
    assert inputs.get(summary["id"]) == {"workflow": "retry", "params": {"max_retries": 2}}
    assert [inputs.get(id_of(each)) for each in (request, inner, after)] == [None, None, None]


def test_spans_of_others_have_none() -> None:
    """Whatever their names are."""
    inputs = RunInputs()
    other, tracer = tracer_into(inputs), own_tracer_into(inputs)
    with started_with("{}"):
        foreign = start(other, "workflow of somebody else")
        own = start(tracer, "workflow retry", attributes={**RETRY})
    assert inputs.get(id_of(foreign)) is None
    assert inputs.get(id_of(own)) == {"workflow": "retry", "params": {}}


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_inputs, "MAX_KEPT", 2)
    inputs = RunInputs()
    tracer = own_tracer_into(inputs)
    spans = []
    for number in range(3):
        with started_with(json.dumps({"tasks": number})):
            spans.append(start(tracer, "workflow retry", attributes={**RETRY}))
    known = [inputs.get(id_of(span)) for span in spans]
    assert [each and each["params"]["tasks"] for each in known] == [None, 1, 2]
