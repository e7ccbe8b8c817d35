"""Which families are read without being asked, and how their children come and go."""

from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, Summary
from prometheus_client.exposition import choose_encoder
from prometheus_client.samples import Sample

from retryscope._prometheus import family_lines
from retryscope._prometheus.families import UndatedCounter, UndatedHistogram
from retryscope._prometheus.family_lines import FamilyLines, is_known
from retryscope._prometheus.scrape import Scraper
from retryscope._prometheus.text import Format, UnknownLinesError
from tests.unit.retryscope._prometheus.registries import scrape

encode, _ = choose_encoder("")


def lines_of(family: FamilyLines) -> bytes:
    for _ in family.prepare():
        pass
    return b"".join(family.read())


@pytest.mark.parametrize("kind", [Counter, Gauge, Histogram, Summary, UndatedCounter, UndatedHistogram])
def test_children_come_and_go_as_with_the_client(kind: Any) -> None:
    """One that was removed and made again begins anew; what is not prepared yet is not read."""
    registry = CollectorRegistry()
    family = kind("a", "A", ["l"], registry=registry)
    assert is_known(family)
    ours = FamilyLines(family, Format(encode))
    for name in ("x", "y"):
        family.labels(name)
        assert lines_of(ours) == encode(registry)
    family.remove("x")
    family.labels("x")
    assert lines_of(ours) == encode(registry)
    before = encode(registry)
    family.labels("z")
    assert b"".join(ours.read()) == before
    family.clear()
    assert lines_of(ours) == encode(registry)


def test_a_child_with_a_function_is_not_understood_from_then_on() -> None:
    """It may take its time."""
    family = Gauge("g", "G", ["l"], registry=None)
    ours = FamilyLines(family, Format(encode))
    family.labels("x")
    lines_of(ours)
    family.labels("x").set_function(lambda: 1.0)
    with pytest.raises(UnknownLinesError):
        lines_of(ours)


def test_a_family_that_makes_its_samples_in_its_own_way_is_asked() -> None:
    """By class or by object; it may be in none of the values."""

    class Doubled(Counter):
        def _child_samples(self) -> Iterable[Sample]:
            return [Sample("_total", {}, 2 * self._value.get())]

    class Longer(Histogram):
        def collect(self) -> Iterable[Metric]:
            return [*super().collect(), Metric("more", "More", "gauge")]

    registry = CollectorRegistry()
    Doubled("a", "A", registry=registry).inc()
    Longer("h", "H", registry=registry)
    given_another_way: Any = Gauge("g", "G", registry=registry)
    given_another_way.collect = lambda: [Metric("other", "Other", "gauge")]
    scraper = Scraper(registry, Format(encode))
    assert scrape(scraper) == encode(registry)
    assert b"a_total 2.0" in scrape(scraper)
    assert b"TYPE other gauge" in scrape(scraper)
    assert b"TYPE more gauge" in scrape(scraper)


def test_samples_of_another_release_are_not_understood() -> None:
    """A counter or a histogram with a sample more."""
    form = Format(encode)
    counter, histogram = Counter("c", "C", registry=None), Histogram("h", "H", registry=None)
    for child, suffixes in ((counter, ["_total", "_rate"]), (histogram, ["_bucket", "_rate"])):
        with pytest.raises(UnknownLinesError):
            family_lines._lines(child, suffixes, suffixes, form)
