"""Spans as JSON for the page."""

import json
from typing import Any

from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace import SpanProcessor as Nobody
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

from retryscope import semconv
from retryscope_service.traces.span_json import span_json
from tests.unit.retryscope_service.traces.spans import own_tracer_into, start, tracer_into


def shown(span: Span, *names: str) -> tuple[Any, ...]:
    document = span_json(span)
    return tuple(document[name] for name in names)


def test_a_span_of_a_primitive_with_all_that_it_may_have() -> None:
    """The members that the page needs by name, the attributes as they are; times in seconds."""
    tracer = own_tracer_into(Nobody())
    root, by = start(tracer, "retry call"), start(tracer, "elsewhere")
    attributes: dict[str, Any] = {
        semconv.OPERATION: "call",
        semconv.TASK_NAME: "Task-A",
        semconv.ATTEMPT_NUMBER: 2,
    }
    span = start(tracer, "attempt call", root, attributes)
    assert span.start_time is not None
    running = span_json(span)
    assert running == {
        "id": f"{span.get_span_context().span_id:016x}",
        "parent": f"{root.get_span_context().span_id:016x}",
        "name": "attempt call",
        "kind": "attempt",
        "operation": "call",
        "task": "Task-A",
        "start": span.start_time / 1e9,
        "end": None,
        "outcome": None,
        "attempt": 2,
        "delay": None,
        "max_attempts": None,
        "attempts": None,
        "giveup": None,
        "limit": None,
        "deadline": None,
        "error": None,
        "cancel_cause": None,
        "attributes": attributes,
        "events": [],
        "links": [],
    }
    cause = {semconv.CANCEL_CAUSE: "sibling"}
    span.add_event(semconv.EVENT_CANCEL_REQUESTED, cause, 1_500_000_000)
    span.add_link(by.get_span_context(), {semconv.LINK_KIND: semconv.LINK_CANCELLED_BY})
    span.set_attributes({semconv.OUTCOME: "cancelled", **cause})
    span.end()
    assert span.end_time is not None
    assert span_json(span) == {
        **running,
        "end": span.end_time / 1e9,
        "outcome": "cancelled",
        "cancel_cause": "sibling",
        "attributes": {**attributes, semconv.OUTCOME: "cancelled", **cause},
        "events": [{"time": 1.5, "name": semconv.EVENT_CANCEL_REQUESTED, "attributes": cause}],
        "links": [
            {
                "trace_id": f"{by.get_span_context().trace_id:032x}",
                "span_id": f"{by.get_span_context().span_id:016x}",
                "kind": semconv.LINK_CANCELLED_BY,
            }
        ],
    }


def test_the_kind_is_that_of_the_primitive() -> None:
    """Only of ours: others may call their spans as they like."""
    ours, other = own_tracer_into(Nobody()), tracer_into(Nobody())
    for primitive in semconv.PRIMITIVES:
        assert shown(start(ours, f"{primitive} call"), "kind", "parent") == (primitive, None)
        assert shown(start(other, f"{primitive} call"), "kind") == ("other",)
    assert shown(start(ours, "retrying"), "kind") == ("other",)
    request = ours.start_span("POST /workflows/{workflow}", kind=SpanKind.SERVER)
    assert isinstance(request, Span)
    assert shown(request, "kind") == ("server",)


def test_backoff_and_cleanup() -> None:
    """The planned wait; how the cleanup ended."""
    tracer = own_tracer_into(Nobody())
    backoff = start(tracer, "backoff call")
    backoff.set_attribute(semconv.RETRY_DELAY, 0.25)
    assert shown(backoff, "kind", "delay") == ("backoff", 0.25)
    cleanup = start(tracer, "cleanup call")
    cleanup.set_attribute(semconv.CLEANUP_OUTCOME, "timed_out")
    assert shown(cleanup, "kind", "outcome") == ("cleanup", "timed_out")


def test_an_error_has_the_message_of_the_recorded_exception() -> None:
    """Where it is recorded; an outer span has its description, or only the type."""
    tracer = own_tracer_into(Nobody())
    inner, outer, silent = (start(tracer, f"attempt {name}") for name in ("inner", "outer", "silent"))
    for span in (inner, outer, silent):
        span.set_attributes({semconv.OUTCOME: "error", semconv.ERROR_TYPE: "ConnectionError"})
    inner.add_event(semconv.EVENT_EXCEPTION, {semconv.EXCEPTION_MESSAGE: "<b>refused</b>"})
    outer.set_status(Status(StatusCode.ERROR, "gave up"))
    kind = "ConnectionError"
    assert shown(inner, "error") == ({"type": kind, "message": "<b>refused</b>"},)
    assert shown(outer, "error") == ({"type": kind, "message": "gave up"},)
    assert shown(silent, "error") == ({"type": kind, "message": ""},)


def test_a_failed_span_of_somebody_else_is_an_error_too() -> None:
    """By OpenTelemetry's own conventions."""
    tracer = tracer_into(Nobody())
    span = start(tracer, "query")
    span.record_exception(ValueError("no such table"))
    span.set_status(Status(StatusCode.ERROR))
    error = {"type": "ValueError", "message": "no such table"}
    assert shown(span, "outcome", "error") == ("error", error)
    bare = start(tracer, "query")
    bare.set_status(Status(StatusCode.ERROR, "broken"))
    assert shown(bare, "outcome", "error") == ("error", {"type": "_OTHER", "message": "broken"})
    fine = start(tracer, "query")
    fine.set_status(Status(StatusCode.OK))
    assert shown(fine, "outcome", "error") == (None, None)


def test_whatever_an_attribute_holds_becomes_json() -> None:
    """No browser reads NaN."""
    values: dict[str, Any] = {
        "bool": True,
        "int": 2**60,
        "float": 0.1,
        "nan": float("nan"),
        "infinity": float("-inf"),
        "list": [1.5, float("inf")],
        "text": "</script>\ud800",
        "bytes": b"\x00\xff",
        "map": {"inner": [float("nan")]},
    }
    provider = TracerProvider(shutdown_on_exit=False)
    target = start(provider.get_tracer("test"), "target")
    link = Link(target.get_span_context(), {"weight": float("nan")})
    span = provider.get_tracer("test").start_span("x", attributes=values, links=[link])
    span.add_event("e", {"nan": float("nan")})
    assert isinstance(span, Span)
    document = json.loads(json.dumps(span_json(span), allow_nan=False))
    assert document["attributes"] == {
        "bool": True,
        "int": 2**60,
        "float": 0.1,
        "nan": "nan",
        "infinity": "-inf",
        "list": [1.5, "inf"],
        "text": "</script>\ud800",
        "bytes": "AP8=",
        "map": {"inner": ["nan"]},
    }
    assert document["events"][0]["attributes"] == {"nan": "nan"}
    assert document["links"][0]["kind"] is None


def test_what_a_retry_and_a_limit_say_by_name() -> None:
    """Whatever the attributes are called: the page knows no names of them."""
    tracer = own_tracer_into(Nobody())
    retry = start(tracer, "retry call", None, {semconv.RETRY_MAX_ATTEMPTS: 5})
    assert shown(retry, "max_attempts", "attempts", "giveup") == (5, None, None)
    retry.set_attributes({semconv.RETRY_ATTEMPTS: 2, semconv.RETRY_GIVEUP_REASON: "deadline"})
    retry.set_attribute(semconv.DEADLINE, 1.5)
    assert shown(retry, "max_attempts", "attempts", "giveup", "deadline") == (5, 2, "deadline", 1.5)
    timeout = start(tracer, "timeout call")
    timeout.set_attribute(semconv.TIMEOUT_LIMIT, 2.5)
    cleanup = start(tracer, "cleanup call")
    cleanup.set_attribute(semconv.CLEANUP_DEADLINE, 5.0)
    assert (shown(timeout, "limit"), shown(cleanup, "limit")) == ((2.5,), (5.0,))
