"""Registries of all kinds, and scrapes of them."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final
from unittest.mock import patch

from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Metric, Summary
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    StateSetMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from retryscope._prometheus.families import UndatedCounter, UndatedHistogram
from retryscope._prometheus.scrape import Scraper

ACCEPTS: Final = (
    "",
    "text/plain; version=1.0.0; escaping=allow-utf-8",
    "text/plain; version=1.0.0; escaping=dots",
    "text/plain; version=1.0.0; escaping=values",
    "application/openmetrics-text",
    "application/openmetrics-text; version=1.0.0; escaping=allow-utf-8",
    "application/openmetrics-text; version=1.0.0; escaping=values",
)
"""Of each format, and of each way to write a name that not everybody can read."""

TEXTS: Final = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('\\"\n\r\u2028{}, #='), max_size=8
)
NUMBERS: Final = (
    st.floats() | st.integers(-(2**60), 2**60) | st.sampled_from([0.0, -0.0, 1e6, 1e7, 123456789.5])
)
AMOUNTS: Final = st.floats(min_value=0) | st.integers(0, 2**60)
NAMES: Final = st.text("abz_:09.ü/ ", min_size=1, max_size=6) | st.sampled_from(["a_total", "a_created", "a"])
LABELS: Final = st.lists(
    st.text("abz_09.ü", min_size=1, max_size=4).filter(lambda name: not name.startswith("__")),
    max_size=3,
    unique=True,
).filter(lambda names: not {"le", "quantile"} & set(names))
EXEMPLARS: Final = st.none() | st.dictionaries(st.sampled_from(["trace_id", "a", "b"]), TEXTS, max_size=3)

Write = Callable[[Any, st.DataObject], None]


def count(child: Any, data: st.DataObject) -> None:
    child.inc(data.draw(AMOUNTS), data.draw(EXEMPLARS))


def move(child: Any, data: st.DataObject) -> None:
    child.set(data.draw(NUMBERS))
    if data.draw(st.integers(0, 9)) == 0:
        value = data.draw(NUMBERS)
        child.set_function(lambda: value)


def observe(child: Any, data: st.DataObject) -> None:
    child.observe(data.draw(NUMBERS), *([data.draw(EXEMPLARS)] if isinstance(child, Histogram) else []))


def inform(child: Any, data: st.DataObject) -> None:
    child.info(data.draw(st.dictionaries(st.sampled_from(["version", "x"]), TEXTS, max_size=2)))


def switch(child: Any, data: st.DataObject) -> None:
    child.state(data.draw(st.sampled_from(["on", 'o"ff'])))


BOUNDS: Final = st.lists(
    st.floats(allow_nan=False, max_value=1e300), min_size=1, max_size=4, unique=True
).map(sorted)

KINDS: Final[dict[Any, Write]] = {
    Counter: count,
    UndatedCounter: count,
    Gauge: move,
    Histogram: observe,
    UndatedHistogram: observe,
    Summary: observe,
    Info: inform,
    Enum: switch,
}


class Own(Collector):
    """A collector of a user's own."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self.metrics


def own_metrics(name: str, data: st.DataObject) -> list[Metric]:
    label, text, number = data.draw(TEXTS), data.draw(TEXTS), data.draw(NUMBERS)
    counter = CounterMetricFamily(name + "c", text, labels=["l"], created=None)
    counter.add_metric([label], number, created=1.5, timestamp=data.draw(st.none() | st.floats(0, 1e9)))
    gauge = GaugeMetricFamily(name + "g", text, labels=["l"])
    gauge.add_metric([label], number)
    histogram = HistogramMetricFamily(name + "h", text, buckets=[("1.0", 2), ("+Inf", 3)], sum_value=number)
    moved = GaugeHistogramMetricFamily(name + "m", text, buckets=[("1.0", 2), ("+Inf", 3)], gsum_value=number)
    info = InfoMetricFamily(name + "i", text, value={"l": label})
    states = StateSetMetricFamily(name + "s", text, value={"a": True, label: False})
    summary = SummaryMetricFamily(name + "q", text, count_value=3, sum_value=number)
    return [counter, gauge, histogram, moved, info, states, summary]


class Families:
    """A registry with families that hypothesis has chosen, and what may happen to them."""

    def __init__(self, data: st.DataObject) -> None:
        target = data.draw(st.none() | st.dictionaries(st.sampled_from(["a", "b"]), TEXTS))
        self.registry = CollectorRegistry(target_info=target)
        self._families: list[tuple[Any, Write]] = []
        self._data = data
        for _ in range(data.draw(st.integers(0, 5))):
            self.declare()

    def declare(self) -> None:
        data = self._data
        name, labels, text = data.draw(NAMES), data.draw(LABELS), data.draw(TEXTS)
        kind = data.draw(st.sampled_from([*KINDS, Own]))
        try:
            if kind is Own:
                self.registry.register(Own(own_metrics(name, data)))
                return
            more: dict[str, Any] = {"states": ["on", 'o"ff']} if kind is Enum else {}
            if kind in (Histogram, UndatedHistogram):
                more["buckets"] = data.draw(BOUNDS)
            if kind in (Counter, Gauge, Histogram):
                more["unit"] = data.draw(st.sampled_from(["", "seconds"]))
            self._families.append((kind(name, text, labels, registry=self.registry, **more), KINDS[kind]))
        except ValueError:  # the name is taken, or the client does not allow it
            return

    def happen(self) -> None:
        """Something is counted, a child is new, or gone."""
        data = self._data
        if not self._families:
            return
        family, write = data.draw(st.sampled_from(self._families))
        if not family._labelnames:
            write(family, data)
            return
        values = [data.draw(TEXTS | st.sampled_from(["x", "y"])) for _ in family._labelnames]
        what = data.draw(st.integers(0, 9))
        if what == 0:
            family.remove(*values)
        elif what == 1:
            family.clear()
        else:
            write(family.labels(*values), data)

    def reset(self) -> None:
        for family, write in self._families:
            if write is count and not family._labelnames:
                family.reset()


def scrape(scraper: Scraper) -> bytes:
    """All steps at once."""
    for _ in scraper.prepare():
        pass
    scraper.collect_others()
    return b"".join(scraper.read())


def ticking() -> Any:
    """Another time each time, so that a text that was kept too long shows."""
    return patch.object(time, "time", iter(range(1, 10**9)).__next__)
