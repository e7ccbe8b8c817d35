"""A scrape is, byte for byte, what the client writes."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, Final

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from retryscope._prometheus.cells import count_of, distribution_of
from retryscope._prometheus.families import UndatedCounter, UndatedHistogram
from retryscope._prometheus.scrape import Scraper, is_plain_registry, is_understood
from retryscope._prometheus.text import Format
from tests.unit.retryscope._prometheus.registries import ACCEPTS, Families, scrape, ticking

OPENMETRICS: Final = "application/openmetrics-text"


def scraper_of(registry: CollectorRegistry, accept: str = "") -> Scraper:
    return Scraper(registry, Format(choose_encoder(accept)[0]))


@given(st.data(), st.sampled_from(ACCEPTS))
def test_every_scrape_of_any_registry_is_what_the_client_writes(data: st.DataObject, accept: str) -> None:
    """Whatever the names, labels, values and collectors are, and whatever happens from one to the next."""
    encode, _ = choose_encoder(accept)
    with ticking():
        families = Families(data)
        scraper = Scraper(families.registry, Format(encode))
        for _ in range(3):
            for _ in range(data.draw(st.integers(0, 6))):
                families.happen()
            if data.draw(st.booleans()):
                families.declare()
            if data.draw(st.booleans()):
                families.reset()
            assert scrape(scraper) == encode(families.registry)


@pytest.mark.parametrize("accept", ACCEPTS)
def test_every_format_of_this_release_is_understood(accept: str) -> None:
    """Else everything would be as slow as with the client, and nobody would notice."""
    assert is_understood(choose_encoder(accept)[0])


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_what_cells_count_is_in_it_with_its_exemplars(accept: str) -> None:
    encode, _ = choose_encoder(accept)
    registry = CollectorRegistry()
    cell = count_of(UndatedCounter("a", "A", ["l"], registry=registry).labels('"'))
    distribution = distribution_of(UndatedHistogram("h", "H", registry=registry))
    scraper = Scraper(registry, Format(encode))
    for number in range(3):
        cell.inc((1, number))
        distribution.observe(number / 2, (number, 2) if number else None)
        assert scrape(scraper) == encode(registry)
    assert (b'span_id="0000000000000002"' in scrape(scraper)) == (accept == OPENMETRICS)


def test_who_switches_created_off_sees_none_in_the_next_scrape() -> None:
    """A switch of the whole process, which may be thrown at any time."""
    registry = CollectorRegistry()
    Counter("a", "A", ["l"], registry=registry).labels("x")
    Histogram("h", "H", registry=registry)
    scraper = scraper_of(registry)
    encode, _ = choose_encoder("")
    try:
        for switch, shown in (("disable", False), ("enable", True)):
            getattr(prometheus_client, f"{switch}_created_metrics")()
            assert scrape(scraper) == encode(registry)
            assert (b"_created" in scrape(scraper)) is shown
    finally:
        prometheus_client.enable_created_metrics()  # type: ignore[no-untyped-call]


class Raising(Collector):
    def collect(self) -> Iterable[Metric]:
        yield Metric("a", "A", "gauge")
        raise ConnectionError("no database")


class Wrong(Collector):
    def collect(self) -> Iterable[Metric]:
        metric = Metric("a", "A", "gauge")
        metric.samples.append(Sample("a", {"l": None}, 1.0))  # type: ignore[dict-item]
        yield metric


@pytest.mark.parametrize("collector", [Raising(), Wrong()])
def test_what_a_collector_raises_is_raised_as_by_the_client(collector: Collector) -> None:
    """The very type, with what the client adds to it; and the next scrape is as if nothing had been."""
    registry = CollectorRegistry()
    Counter("c", "C", registry=registry)
    registry.register(collector)
    encode, _ = choose_encoder("")
    scraper = scraper_of(registry)
    with pytest.raises(Exception) as by_client:  # noqa: PT011 - whatever it is
        encode(registry)
    with pytest.raises(type(by_client.value)) as ours:
        scrape(scraper)
    assert repr(ours.value.args) == repr(by_client.value.args)
    registry.unregister(collector)
    assert scrape(scraper) == encode(registry)


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
def test_what_cannot_be_encoded_fails_in_every_scrape(accept: str) -> None:
    """As with the client, and until it is gone: no line is left out without a word."""
    registry = CollectorRegistry()
    family = Counter("c", "C", ["l"], registry=registry)
    family.labels("\udce9")
    scraper = scraper_of(registry, accept)
    for _ in range(2):
        with pytest.raises(UnicodeEncodeError):
            scrape(scraper)
    family.clear()
    family.labels("x").inc(1, {"a": "\udce9"})
    Histogram("h", "H", registry=registry).observe(1, {"a": "\udce9"})
    for _ in range(2):
        if accept == OPENMETRICS:
            with pytest.raises(UnicodeEncodeError):
                scrape(scraper)
        else:
            assert b'c_total{l="x"} 1.0' in scrape(scraper)


def test_only_known_families_are_read_without_being_asked() -> None:
    """All else may take its time, and is for a thread; so is a gauge from when it has a function."""
    registry = CollectorRegistry()
    family = Gauge("g", "G", ["l"], registry=registry)
    family.labels("x")
    scraper = scraper_of(registry)
    scrape(scraper)
    others = [scraper.has_others]
    calls = count(1)
    family.labels("x").set_function(lambda: next(calls))
    for _ in scraper.prepare():
        pass
    others.append(scraper.has_others)
    assert others == [False, True]
    assert next(calls) == 1, "it was asked too early"
    scraper.collect_others()
    assert b'g{l="x"} 2.0' in b"".join(scraper.read())
    family.labels("y").set_function(lambda: 2)
    assert b'g{l="y"} 2.0' in scrape(scraper)


def test_values_in_files_are_read_by_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its multiprocess mode, or of somebody's own."""

    class Value:
        def __init__(self, *args: object, **kwargs: object) -> None:
            self._value = 0.0

        def get(self) -> float:
            return 5.0

        def get_exemplar(self) -> None:
            return None

    monkeypatch.setattr("prometheus_client.values.ValueClass", Value)
    registry = CollectorRegistry()
    Counter("c", "C", ["l"], registry=registry).labels("x")
    Histogram("h", "H", registry=registry)
    encode, _ = choose_encoder("")
    assert scrape(scraper_of(registry)) == encode(registry)


class Later(CollectorRegistry):
    def collect(self) -> Iterator[Metric]:
        yield Metric("later", "Later", "gauge")


def test_a_registry_of_another_kind_is_left_to_the_client() -> None:
    """What it collects is not what it has registered."""
    registry = CollectorRegistry()
    assert is_plain_registry(registry)
    assert not is_plain_registry(registry.restricted_registry(["a"]))
    assert not is_plain_registry(Later())
    patched: Any = CollectorRegistry()
    patched.collect = list
    assert not is_plain_registry(patched)


def test_a_release_of_the_client_that_writes_otherwise_is_left_to_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In numbers, in lines, or in names that this reads."""
    encode, _ = choose_encoder(OPENMETRICS)
    with monkeypatch.context() as patch:
        patch.setattr("retryscope._prometheus.child_lines.number", repr)
        assert not is_understood(encode)
    with monkeypatch.context() as patch:
        patch.delattr("prometheus_client.metrics.MetricWrapperBase")
        assert not is_understood(encode)
    assert not is_understood(lambda registry: encode(registry).replace(b" # {", b"  # {"))
    assert not is_understood(lambda registry: encode(registry) + encode(registry))
    assert is_understood(encode)


def test_lines_that_are_not_known_are_left_to_the_client() -> None:
    """Family by family: what it writes stands."""
    encode, _ = choose_encoder("")
    registry = CollectorRegistry()
    Counter("c", "C", registry=registry).inc()
    scraper = Scraper(registry, Format(lambda given: encode(given).replace(b".0\n", b"\n")))
    for _ in scraper.prepare():
        pass
    assert scraper.has_others
    assert b"c_total 1\n" in scrape(scraper)
