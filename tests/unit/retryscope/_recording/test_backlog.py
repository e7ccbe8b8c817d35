"""Encoded spans that wait."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from retryscope._recording.backlog import Backlog, request_of
from retryscope._recording.otlp import encode
from tests.unit.retryscope._recording.fast.spans import ended_by_the_sdk

SHOP, BANK = Resource({"service.name": "shop"}), Resource({"service.name": "bank"})
OURS = InstrumentationScope("ours")


def test_it_is_bounded_by_spans_those_on_their_way_included() -> None:
    """They use up memory as well."""
    backlog = Backlog(3, 1000)
    assert backlog.add(SHOP, OURS, b"a", 0)
    assert backlog.add(SHOP, OURS, b"a", 1)
    assert not backlog.add(SHOP, OURS, b"a", 1)
    assert (backlog.spans, backlog.bytes) == (2, 2)


def test_it_is_bounded_by_bytes() -> None:
    """One with a long stack trace is as much as a hundred others."""
    backlog = Backlog(100, 10)
    assert backlog.add(SHOP, OURS, b"x" * 6, 0)
    assert not backlog.add(SHOP, OURS, b"x" * 6, 0)
    assert backlog.add(SHOP, OURS, b"x" * 4, 0)
    backlog.take(1, 100)
    assert backlog.add(SHOP, OURS, b"x" * 6, 0)


def test_a_request_takes_at_most_so_many_spans_and_bytes_and_at_least_one() -> None:
    """However large that one is."""
    backlog = Backlog(100, 1000)
    for size in (50, 1, 1, 1):
        backlog.add(SHOP, OURS, b"x" * size, 0)
    assert [len(spans) for _, spans in backlog.take(10, 20)] == [1]
    assert [len(spans) for _, spans in backlog.take(2, 20)] == [2]
    assert (backlog.spans, backlog.bytes) == (1, 1)
    backlog.clear()
    assert (backlog.take(9, 9), backlog.spans, backlog.bytes) == ([], 0, 0)


def test_spans_are_grouped_by_resource_and_scope() -> None:
    """A resource is there once, with each of its scopes."""
    backlog = Backlog(100, 10_000)
    others = InstrumentationScope("others", "1.0", "https://schema")
    encoded = encode(ended_by_the_sdk())
    for resource, scope in ((SHOP, OURS), (SHOP, others), (BANK, None), (SHOP, OURS)):
        assert backlog.add(resource, scope, encoded, 0)
    request = ExportTraceServiceRequest.FromString(request_of(backlog.take(100, 10_000)))
    assert [
        (
            each.resource.attributes[0].value.string_value,
            [(one.scope.name, one.scope.version, one.schema_url, len(one.spans)) for one in each.scope_spans],
        )
        for each in request.resource_spans
    ] == [
        ("shop", [("ours", "", "", 2), ("others", "1.0", "https://schema", 1)]),
        ("bank", [("", "", "", 1)]),
    ]


def test_scopes_that_come_and_go_do_not_stay() -> None:
    """Some code asks for a tracer in each call."""
    backlog = Backlog(10_000, 10_000)
    for number in range(1000):
        backlog.add(SHOP, InstrumentationScope(str(number)), b"x", 0)
        backlog.take(1, 100)
    assert len(backlog._groups) < 100
