"""The variants do the same work, and those that record record the same."""

import asyncio

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks import peers, retries
from benchmarks.receiver import Receiver
from benchmarks.variants import INSTRUMENTED, absent, open_variant, present
from benchmarks.variants.operation import SPANS_OF_A_RETRY, SPANS_OF_A_SUCCESS
from benchmarks.workload import FlakyServer, Policy, call_concurrently

pytestmark = pytest.mark.filterwarnings(
    # backoff asks it; Python 3.14 deprecates it.
    "ignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning"
)

CALLERS = 10
FAILING = CALLERS // 5


def record(name: str, receiver: Receiver) -> tuple[list[int], FlakyServer, tuple[ReadableSpan, ...]]:
    """Answers, attempts and spans of a variant."""
    exporter = InMemorySpanExporter()
    server = FlakyServer(fail_every=5)
    with open_variant(name, receiver.endpoint(f"unit/{name}"), [SimpleSpanProcessor(exporter)]) as variant:
        call = variant.retrying(server.fetch, Policy(delay=0.0))
        answers = asyncio.run(call_concurrently(call, callers=CALLERS, calls_each=2))
        variant.flush()
        assert variant.dropped() == 0
    return answers, server, exporter.get_finished_spans()


@pytest.mark.parametrize("name", present())
def test_every_variant_does_the_same_work(name: str, receiver: Receiver) -> None:
    """Same answers, same attempts, and a call that failed has waited."""
    answers, server, _ = record(name, receiver)
    assert answers == [2 * caller for caller in range(CALLERS)]
    assert server.attempts == 2 * (CALLERS + FAILING)
    assert server.failures == 2 * FAILING


def test_the_textbook_records_the_same_spans_as_ours(receiver: Receiver) -> None:
    """Names, attributes, events, status and depth; only times and the wording of a description may differ."""

    def recorded(name: str) -> list[object]:
        _, _, spans = record(name, receiver)
        return sorted(map(describe, spans), key=repr)

    assert recorded("textbook") == recorded("fast path") == recorded("sdk path")


def describe(span: ReadableSpan) -> tuple[object, ...]:
    attributes = {
        key: value for key, value in (span.attributes or {}).items() if not key.endswith(".backoff")
    }
    events = sorted(
        (event.name, sorted(set(event.attributes or {}) - {"exception.escaped"})) for event in span.events
    )
    return span.name, sorted(attributes.items()), events, span.status.status_code.name, span.parent is None


@pytest.mark.parametrize("name", present(INSTRUMENTED))
def test_a_call_has_the_spans_that_the_accounting_expects(name: str, receiver: Receiver) -> None:
    """The goals on lost spans rest on these two numbers."""
    _, _, spans = record(name, receiver)
    expected = 2 * (FAILING * SPANS_OF_A_RETRY + (CALLERS - FAILING) * SPANS_OF_A_SUCCESS)
    assert len(spans) == expected == retries.Size(CALLERS, 2).spans


def test_a_peer_that_is_not_installed_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are measured all the same."""
    monkeypatch.setattr(peers, "are_installed", lambda: False)
    assert "fastotel" not in present()
    assert "make bench" in absent()["fastotel"]
    monkeypatch.setattr(peers, "are_installed", lambda: True)
    assert "fastotel" in present()
    assert absent() == {}
