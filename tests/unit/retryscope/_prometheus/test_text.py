"""What lines consist of: all but values and exemplars is the client's."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

from retryscope._prometheus.cells import SpanExemplar
from retryscope._prometheus.text import Encode, Format, UnknownLinesError, exemplar_text
from tests.unit.retryscope._prometheus.registries import ACCEPTS, EXEMPLARS, NUMBERS

OPENMETRICS: Encode = choose_encoder("application/openmetrics-text")[0]
COUNTER = Metric("a", "A", "counter")


def by_client(exemplar: Exemplar | None) -> bytes:
    sample = Sample("a_total", {}, 0.0, None, exemplar)
    return Format(OPENMETRICS).lines(COUNTER, [sample]).partition(b"a_total 0.0")[2]


@given(EXEMPLARS, NUMBERS, st.none() | st.floats(0, 1e10))
def test_an_exemplar_is_written_as_by_the_client(
    labels: dict[str, str] | None, value: float, timestamp: float | None
) -> None:
    exemplar = None if labels is None else Exemplar(labels, value, timestamp)
    assert exemplar_text(exemplar).encode() + b"\n" == by_client(exemplar)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**64 - 1), st.floats())
def test_the_ids_of_a_span_are_written_as_the_exemplar_that_they_stand_for(
    trace_id: int, span_id: int, value: float
) -> None:
    exemplar = SpanExemplar((trace_id, span_id), value)
    assert exemplar_text(exemplar).encode() + b"\n" == by_client(exemplar.formatted())


@pytest.mark.parametrize("accept", ACCEPTS)
def test_exemplars_are_shown_where_the_client_shows_them(accept: str) -> None:
    encode, content_type = choose_encoder(accept)
    assert Format(encode).shows_exemplars is content_type.startswith("application/openmetrics-text")


class Given(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self.metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self.metrics


@pytest.mark.parametrize("accept", ACCEPTS)
def test_a_family_with_its_ending_is_what_the_client_writes(accept: str) -> None:
    encode, _ = choose_encoder(accept)
    registry = CollectorRegistry()
    Counter("a_b", 'A "b"\n', ["l"], registry=registry).labels("x\n").inc()
    metrics = list(registry.collect())
    form = Format(encode)
    together = b"".join(form.lines(each, each.samples) for each in metrics)
    assert together + form.ending == form.collected(Given(metrics)) + form.ending == encode(registry)


@pytest.mark.parametrize("written", [b"0\n", b"0.0\nmore 0.0\n", b""])
def test_what_is_not_one_line_with_a_value_for_each_sample_is_not_understood(written: bytes) -> None:
    sample = Sample("a_total", {}, 0.0)
    head = Format(OPENMETRICS).lines(COUNTER, [])
    assert Format(OPENMETRICS).before_values(COUNTER, head, [sample]) == ["a_total "]
    other = Format(lambda registry: OPENMETRICS(registry).replace(b"0.0\n", written))
    with pytest.raises(UnknownLinesError):
        other.before_values(COUNTER, head, [sample])


def test_the_heading_of_a_sample_that_is_not_repeated_is_not_understood() -> None:
    """A client might write each series once only."""
    written = Format(lambda registry: b"".join(sorted({m.name.encode() for m in registry.collect()})))
    with pytest.raises(UnknownLinesError):
        written.heading_at_the_end(COUNTER, b"", Sample("a_created", {}, 0.0))
