"""The lines of one child: as of now, and written again only where something has changed."""

import pytest
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from retryscope._prometheus.cells import SpanExemplar
from retryscope._prometheus.child_lines import HistogramLines, OneLine
from retryscope._prometheus.scrape import Scraper
from retryscope._prometheus.text import Format
from tests.unit.retryscope._prometheus.registries import scrape


@pytest.mark.parametrize("values", [(0.0, -0.0), (float("nan"), float("nan")), (1, 1.0), (1.5, 1.5)])
def test_a_value_that_equals_the_one_before_need_not_be_the_same_text(values: tuple[float, float]) -> None:
    child = Gauge("a", "A", registry=None)
    line = OneLine(child._value, "a ", exemplars=False)
    for value in values:
        child.set(value)
        assert line.text() == f"a {float(value)}\n".replace("nan", "NaN").encode()


def test_a_histogram_is_written_anew_for_another_exemplar_alone() -> None:
    """Counts and sum may be the same: what was observed was the last of another span."""
    child = Histogram("h", "H", buckets=(1,), registry=None)
    buckets = child._buckets
    lines = HistogramLines(buckets, child._sum, ["1 ", "inf ", "count ", "sum "], exemplars=True)
    child.observe(0.5)
    first = lines.text()
    assert first == b"1 1.0\ninf 1.0\ncount 1.0\nsum 0.5\n"
    assert lines.text() is first
    buckets[0]._exemplar = SpanExemplar((1, 2), 0.5)
    assert b'span_id="0000000000000002"' in lines.text().splitlines()[0]
    assert lines.text() is lines.text()


def test_a_line_is_written_again_only_where_its_value_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = CollectorRegistry()
    family = Gauge("a", "A", ["l"], registry=registry)
    for number in range(100):
        family.labels(str(number)).set(number)
    scraper = Scraper(registry, Format(choose_encoder("")[0]))
    scrape(scraper)
    written: list[float] = []

    def note(value: float) -> str:
        written.append(value)
        return repr(value)

    monkeypatch.setattr("retryscope._prometheus.child_lines.number", note)
    family.labels("7").set(7.5)
    assert b'a{l="7"} 7.5\n' in scrape(scraper)
    assert written == [7.5]
