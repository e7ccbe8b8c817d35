"""Parts of a span are the same as in the whole, whoever has made it."""

from collections.abc import Mapping
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from retryscope import Operation, RetryPolicy, retry, semconv, workflow
from retryscope_service.traces.retention import is_notable
from retryscope_service.traces.span_parts import ids_of, said_at_end, said_at_start
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.traces.spans import start, tracer_into

PARTS = Operation("parts", workflow="parts")


async def record(recorded: Recorded) -> list[ReadableSpan]:
    """A retry that succeeds at the second attempt, in a workflow."""
    failures = iter([OSError()])

    @retry(PARTS, RetryPolicy(base_delay=0.0, jitter="none"))
    async def call() -> None:
        for failure in failures:
            raise failure

    async with workflow("parts"):
        await call()
    return list(recorded.log.ended)


async def test_parts_of_recorded_spans_are_those_of_the_whole(recorded: Recorded) -> None:
    spans = await record(recorded)
    assert len(spans) == 5
    for span in spans:
        assert span.context is not None
        parent = 0 if span.parent is None else span.parent.span_id
        assert ids_of(span) == (span.context.trace_id, span.context.span_id, parent)
        whole = span.attributes or {}
        begun, ended = said_at_start(span), said_at_end(span)
        assert {**begun, **ended} == whole
        assert all(ended.get(key) == whole.get(key) for key in (semconv.OUTCOME, semconv.RETRY_ATTEMPTS))
        assert begun.get(semconv.ATTEMPT_NUMBER) == whole.get(semconv.ATTEMPT_NUMBER)
        assert begun.get(semconv.OPERATION) == whole.get(semconv.OPERATION)


class Own(ReadableSpan):
    """As the library's own span: ids as numbers, attributes as two mappings."""

    def __init__(self, given: Mapping[str, Any], final: Mapping[str, Any] | None) -> None:
        super().__init__("own", attributes={**given, **(final or {})})
        self.trace_id, self.span_id, self.parent_id = 1, 2, 3
        self.given = given
        self.final = final


@pytest.mark.parametrize(
    ("given", "final"),
    [
        ({semconv.ATTEMPT_NUMBER: 1}, {semconv.OUTCOME: "success"}),
        ({semconv.ATTEMPT_NUMBER: 2}, {semconv.OUTCOME: "success"}),
        ({semconv.ATTEMPT_NUMBER: 1}, {semconv.OUTCOME: "error"}),
        ({}, {semconv.OUTCOME: "success", semconv.RETRY_ATTEMPTS: 2}),
        ({}, {semconv.CLEANUP_OUTCOME: "cut_short"}),
        ({semconv.OUTCOME: "error"}, None),
        ({}, None),
    ],
)
def test_what_is_notable_does_not_depend_on_who_has_made_it(
    given: dict[str, Any], final: dict[str, Any] | None
) -> None:
    span = Own(given, final)
    assert ids_of(span) == (1, 2, 3)
    sdk = start(tracer_into(), "sdk", attributes={**given, **(final or {})})
    assert is_notable(span) is is_notable(sdk)
