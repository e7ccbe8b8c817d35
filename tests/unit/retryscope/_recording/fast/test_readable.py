"""What processors and exporters read of a span of ours."""

import json
import os

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span, SpanKind, StatusCode

from tests.unit.retryscope._recording.fast.spans import fast, live


def test_it_is_both_the_apis_span_and_the_sdks_readable_one() -> None:
    """So nobody has to know of it."""
    with fast() as (recorder, _, _):
        span = live(recorder.start("retry price", {}))
        assert isinstance(span, Span)
        assert isinstance(span, ReadableSpan)
        assert repr(span) == f'LiveSpan(name="retry price", context={span.context})'


def test_it_is_readable_while_it_runs_and_after() -> None:
    """By processors that show what is running."""
    with fast(resource=Resource({"a": 1})) as (recorder, _, _):
        outer = recorder.start("workflow checkout", {})
        started = recorder.start("retry price", {"given": 1}, kind=SpanKind.SERVER)
        span = live(started)
        assert (span.name, span.kind, span.start_time, span.end_time) == (
            "retry price",
            SpanKind.SERVER,
            7,
            None,
        )
        assert (dict(span.attributes), span.events, span.links) == ({"given": 1}, (), ())
        assert (span.status.status_code, span.parent) == (StatusCode.UNSET, outer.context)
        assert (span.dropped_attributes, span.dropped_events, span.dropped_links) == (0, 0, 0)
        recorder.end(started, {"final": 2}, failure="no")
        assert dict(span.attributes) == {"given": 1, "final": 2}
        assert span.attributes is span.attributes
        assert (span.end_time, span.status.description) == (7, "no")
        assert dict(span.resource.attributes) == {"a": 1}
        assert span.instrumentation_scope.name == "retryscope.instrumentation"
        with pytest.raises(TypeError):
            span.attributes["given"] = 2  # type: ignore[index]


def test_its_json_is_the_sdks() -> None:
    """The console exporter's, for one."""
    with fast() as (recorder, _, _):
        started = recorder.start("retry price", {"a": "b"})
        live(started).add_event("e", {"c": 1}, 5)
        recorder.end(started, {})
        document = json.loads(live(started).to_json())
    assert (document["name"], document["attributes"], document["events"][0]["attributes"]) == (
        "retry price",
        {"a": "b"},
        {"c": 1},
    )


def test_the_resource_is_that_of_the_process() -> None:
    """Which a fork changes."""
    with fast() as (recorder, _, _):
        span = live(recorder.start("retry price", {}))
        recorder._tracer.resource = Resource({"process.pid": os.getpid()})
        assert span.resource.attributes["process.pid"] == os.getpid()
