"""What charts draw: each kind of curve is computed from this process's totals and asked of Prometheus alike.

Whatever is counted is drawn over a sliding window: rates of one second are noise. The values at 1 s
resolution cover the last 10 s, those at 10 s resolution the last minute; the PromQL has the minute, because
Prometheus needs four scrapes in a window.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

from retryscope_service.monitor.chart import Colour, Series
from retryscope_service.monitor.delta import Delta, Totals
from retryscope_service.slo import promql
from retryscope_service.slo.duration import Duration
from retryscope_service.slo.promql import lines, over, quoted, selector, summed

WINDOWS: Final[Mapping[int, int]] = MappingProxyType({1: 10, 10: 60})
"""Seconds that a value covers, by the resolution in seconds."""
WINDOW: Final = str(Duration.of(max(WINDOWS.values())))
"""What Prometheus takes rates over."""


@dataclass(frozen=True, slots=True)
class Counter:
    """Something that is counted.

    Attributes:
        metric: What Prometheus calls it.
        total: Finds it in the totals.
        matchers: Which of its series it is.
    """

    metric: str
    total: Callable[[Totals], float]
    matchers: tuple[str, ...] = ()

    def rate(self, job: str) -> str:
        """PromQL: the rate of each of its series."""
        return over("rate", self.metric, WINDOW, f"job={quoted(job)}", *self.matchers)


@dataclass(frozen=True, slots=True)
class Counters:
    """Something that is counted by a label.

    Attributes:
        metric: What Prometheus calls it.
        label: The label.
        totals: Finds it in the totals, by the label's values.
    """

    metric: str
    label: str
    totals: Callable[[Totals], Mapping[str, float]]

    def all(self) -> Counter:
        """Whatever its label is."""
        return Counter(self.metric, lambda totals: sum(self.totals(totals).values()))

    def ended(self, *outcomes: str) -> Counter:
        """Those of some outcomes."""
        return Counter(
            self.metric,
            lambda totals: sum(self.totals(totals)[outcome] for outcome in outcomes),
            (promql.ended(*outcomes),),
        )


@dataclass(frozen=True, slots=True)
class Rates:
    """How often a second, a curve for each value of a label."""

    counters: Counters
    colours: Mapping[str, Colour]

    def promql(self, job: str) -> str:
        return summed(self.counters.all().rate(job), self.counters.label)

    def series(self, key: str) -> Iterator[Series]:
        for name, colour in self.colours.items():
            yield Series(f"{key}.{name}", name, colour, partial(self._value, name))

    def _value(self, name: str, delta: Delta) -> float:
        return delta.rate(lambda totals: self.counters.totals(totals)[name])


@dataclass(frozen=True, slots=True)
class Share:
    """Growth of one counter over that of another; nothing where that is 0."""

    part: Counter
    whole: Counter
    label: str
    colour: Colour

    def promql(self, job: str) -> str:
        return lines(summed(self.part.rate(job)), f"/ ({summed(self.whole.rate(job))} > 0)")

    def series(self, key: str) -> Iterator[Series]:
        yield Series(key, self.label, self.colour, self._value)

    def _value(self, delta: Delta) -> float | None:
        return delta.share(self.part.total, self.whole.total)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Quantiles of a histogram.

    Attributes:
        buckets: What Prometheus calls its buckets.
        quantile: Finds one in what changed.
        colours: The quantiles to be drawn.
    """

    buckets: str
    quantile: Callable[[Delta, float], float | None]
    colours: Mapping[float, Colour]

    def promql(self, job: str) -> str:
        rates = summed(over("rate", self.buckets, WINDOW, f"job={quoted(job)}"), "le")
        named = (
            # Without observations it is NaN, which `>= 0` leaves out.
            f"label_replace(histogram_quantile({quantile:g}, {rates}) >= 0,"
            f' "quantile", "{_name(quantile)}", "", "")'
            for quantile in self.colours
        )
        return "\nor\n".join(named) + "\n"

    def series(self, key: str) -> Iterator[Series]:
        for quantile, colour in self.colours.items():
            yield Series(f"{key}.{_name(quantile)}", _name(quantile), colour, partial(self._value, quantile))

    def _value(self, quantile: float, delta: Delta) -> float | None:
        return self.quantile(delta, quantile)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A gauge, as it is when the point is measured."""

    metric: str
    total: Callable[[Totals], float]
    label: str
    colour: Colour

    def promql(self, job: str) -> str:
        return summed(selector(self.metric, f"job={quoted(job)}"))

    def series(self, key: str) -> Iterator[Series]:
        yield Series(key, self.label, self.colour, lambda delta: self.total(delta.after))


def _name(quantile: float) -> str:
    """What a quantile is called, such as p99."""
    return f"p{quantile * 100:g}"
