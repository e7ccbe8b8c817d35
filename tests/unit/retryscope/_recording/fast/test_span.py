"""What users' code may do to a span of ours."""

import logging

import pytest
from opentelemetry.trace import SpanContext, Status, StatusCode

from tests.unit.retryscope._recording.fast.spans import fast, live


def test_what_is_done_to_one_that_has_ended_changes_nothing_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As with the SDK's: also where users' code has ended it before the primitive does."""
    caplog.set_level(logging.WARNING)
    with fast() as (recorder, log, _):
        started = recorder.start("task price", {"a": 1})
        span = live(started)
        span.end(9)
        assert not span.is_recording()
        span.set_attribute("a", 2)
        span.set_attributes({"a": 2})
        span.add_event("e")
        span.add_link(SpanContext(1, 2, is_remote=False))
        span.update_name("other")
        span.set_status(StatusCode.ERROR, "no")
        span.end()
        recorder.event(started, "e", {})
        recorder.exception(started, ValueError())
        recorder.end(started, {"final": 1}, failure="no")
        assert len(log.ended) == 1
        assert (span.name, dict(span.attributes), span.events, span.links) == ("task price", {"a": 1}, (), ())
        assert (span.end_time, span.status.status_code) == (9, StatusCode.UNSET)
    assert {record.name for record in caplog.records} == {"opentelemetry.sdk.trace"}
    assert len(caplog.records) == 8


def test_a_block_ends_it_with_what_came_out_of_it() -> None:
    """``with span:`` records the exception, as the SDK's does."""
    with fast() as (recorder, log, _):
        span = live(recorder.start("task price", {}, current=False))
        with pytest.raises(ValueError, match="no"), span:
            raise ValueError("no")
        assert log.ended == [span]
        (event,) = span.events
        assert event.attributes is not None
        assert (event.name, event.attributes["exception.type"]) == ("exception", "ValueError")
        assert event.attributes["exception.escaped"] == "True"
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError: no")


def test_ok_stays() -> None:
    """Whatever comes after it, the primitive's own failure too."""
    with fast() as (recorder, _, _):
        started = recorder.start("task price", {})
        live(started).set_status(Status(StatusCode.OK))
        live(started).set_status(StatusCode.ERROR, "no")
        recorder.end(started, {}, failure="no")
        assert live(started).status.status_code is StatusCode.OK


def test_a_link_to_nowhere_is_none() -> None:
    """Unless it says something."""
    with fast() as (recorder, _, _):
        span = live(recorder.start("task price", {}))
        nowhere = SpanContext(0, 0, is_remote=False)
        span.add_link(nowhere)
        span.add_link(nowhere, {"a": 1})
        assert [dict(link.attributes or {}) for link in span.links] == [{"a": 1}]
