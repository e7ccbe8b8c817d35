"""What a request carries of its caller's trace; no test here may raise, whatever it is."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, propagate
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from retryscope import step
from retryscope.propagation import as_text, extract, inject
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, named

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


def as_received(value: bytes) -> str:
    """As aiohttp decodes it."""
    return value.decode("utf-8", "surrogateescape")


def traced(context: Context) -> str:
    return f"{get_current_span(context).get_span_context().trace_id:032x}"


def trace_id_of(recorded: Recorded) -> int:
    context = named(recorded, "task price").context
    assert context is not None
    return int(context.trace_id)


class Failing(TraceContextTextMapPropagator):
    """A plug-in with a bug."""

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        raise RuntimeError("a bug")


class Counting(TraceContextTextMapPropagator):
    """Says which fields it was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        self.asked += 1
        return super().extract(carrier, context, getter)


def test_a_request_that_carries_nothing_has_an_empty_context() -> None:
    assert extract({}) == Context()
    assert extract({"tracestate": "a=b", "accept": "*/*"}) == Context()


def test_baggage_alone_is_taken_over() -> None:
    assert baggage.get_all(extract({"baggage": "tier=gold"})) == {"tier": "gold"}


def test_other_propagators_are_asked_whatever_a_request_carries(monkeypatch: pytest.MonkeyPatch) -> None:
    """They may read fields that they never write, as B3's single header."""
    counting = Counting()
    monkeypatch.setattr(propagate, "get_global_textmap", lambda: CompositePropagator([counting]))
    extract({})
    assert counting.asked == 1


def test_trace_and_baggage_are_taken_over() -> None:
    """By the default propagators."""
    context = extract({"traceparent": TRACEPARENT, "baggage": "tier=gold"})
    assert traced(context) == TRACE_ID
    assert baggage.get_all(context) == {"tier": "gold"}


class Prefixed(TraceContextTextMapPropagator):
    """Looks through the names, as those of Jaeger and OpenTracing do."""

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        names = [name for name in getter.keys(carrier) if name.startswith("ot-baggage-")]
        return baggage.set_baggage("found", {name: getter.get(carrier, name) for name in names}, context)


def test_a_propagator_may_look_for_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """And gets texts that can be encoded, whatever the caller sent."""
    headers = {"ot-baggage-city": as_received(b"caf\xe9"), "accept": "*/*"}
    monkeypatch.setattr(propagate, "_HTTP_TEXT_FORMAT", CompositePropagator([Prefixed()]))
    context = extract(headers)
    assert baggage.get_baggage("found", context) == {"ot-baggage-city": ["caf\ufffd"]}


def test_a_propagator_that_fails_costs_a_message_only_what_it_would_add(
    monkeypatch: pytest.MonkeyPatch, recorded: Recorded
) -> None:
    """Its trace goes with it; of half a baggage nothing is left."""

    class Careless(TraceContextTextMapPropagator):
        def inject(
            self,
            carrier: CarrierT,
            context: Context | None = None,
            setter: Setter[CarrierT] = default_setter,
        ) -> None:
            setter.set(carrier, "half", "written")
            raise RuntimeError("a bug")

    monkeypatch.setattr(propagate, "_HTTP_TEXT_FORMAT", CompositePropagator([Careless()]))

    async def main() -> None:
        async with step(PRICE):
            carried = inject()
        assert carried.keys() == {"traceparent"}
        assert traced(extract(carried)) == f"{trace_id_of(recorded):032x}"

    run(main())


@pytest.mark.parametrize("propagators", [[], [Failing()]])
def test_without_a_propagator_that_works_there_is_a_context(
    propagators: list[TextMapPropagator], monkeypatch: pytest.MonkeyPatch
) -> None:
    """None at all, as OTEL_PROPAGATORS=none has it, or one that fails: the W3C's is read without it."""
    monkeypatch.setattr(propagate, "_HTTP_TEXT_FORMAT", CompositePropagator(propagators))
    assert traced(extract({"traceparent": TRACEPARENT})) == (TRACE_ID if propagators else "0" * 32)


def test_otel_propagators_none_is_a_context_too() -> None:
    """The variable is read when OpenTelemetry is imported, so by a process of its own."""
    code = "from retryscope.propagation import extract; print(extract({'traceparent': 'x'}))"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={"OTEL_PROPAGATORS": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("{}\n", "")


@given(traceparent=st.binary(), tracestate=st.binary(), entries=st.binary())
def test_any_bytes_are_a_context(traceparent: bytes, tracestate: bytes, entries: bytes) -> None:
    """Whatever the headers hold; and all that is taken over can be encoded again."""
    headers = {"traceparent": traceparent, "tracestate": tracestate, "baggage": entries}
    context = extract({name: as_received(value) for name, value in headers.items()})
    for name, value in baggage.get_all(context).items():
        f"{name}={value}".encode()


@given(entries=st.binary())
def test_baggage_that_is_no_text_does_not_lose_the_trace(entries: bytes) -> None:
    """They are headers of their own."""
    assert traced(extract({"traceparent": TRACEPARENT, "baggage": as_received(entries)})) == TRACE_ID


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_a_text_can_be_encoded_and_is_left_alone_if_it_could_before(text: str) -> None:
    """Lone surrogates are replaced, one character each."""
    clean = as_text(text)
    clean.encode()
    if not any("\ud800" <= each <= "\udfff" for each in text):
        assert clean == text
