"""The charts' values of the last hours, in memory of a fixed size; a restart starts empty."""

from collections import deque
from typing import Any, Final

from retryscope_service.monitor.chart import Chart
from retryscope_service.monitor.curves import WINDOWS
from retryscope_service.monitor.delta import Delta, Totals
from retryscope_service.monitor.ring import Ring
from retryscope_service.monitor.scrape import Scrape

LENGTHS: Final = {1: 900, 10: 1080}
"""Values of each resolution that are kept: 15 minutes, 3 hours."""
_JITTER: Final = 0.5
"""Seconds: what was read so much earlier than the window begins still counts as its beginning."""
_DIGITS: Final = 6
"""Significant ones: no chart shows more, and a document of 50,000 numbers is half as long."""

Values = dict[str, float | None]


class ChartHistory:
    """Computes the charts' values from one scrape a second, and remembers them.

    A second without a scrape, because the process was suspended or its event loop blocked, has no value;
    nor has what follows it until there are two scrapes in the window again.
    """

    def __init__(self, charts: tuple[Chart, ...]) -> None:
        self._charts = charts
        self._series = [series for chart in charts for series in chart.series]
        keys = [series.key for series in self._series]
        self._rings = [Ring(keys, step, length) for step, length in LENGTHS.items()]
        self._scrapes: deque[tuple[float, Totals]] = deque(maxlen=max(WINDOWS.values()) + 1)

    def add(self, now: float, scrape: Scrape) -> Values:
        """Take a scrape; the values of this second.

        Args:
            now: Seconds since the epoch, in another second than those before, and later.
            scrape: What was read.
        """
        self._scrapes.append((now, Totals.of(scrape)))
        values: Values = {}
        for ring in reversed(self._rings):  # the finest one last: its values are the stream's
            if not ring.has(round(now)):
                values = self._values(now, WINDOWS[ring.step])
                ring.put(round(now), values)
        return values

    def _values(self, now: float, window: int) -> Values:
        delta = self._delta(now - window - _JITTER)
        if delta is None:
            return {series.key: None for series in self._series}
        return {series.key: _rounded(series.value(delta)) for series in self._series}

    def _delta(self, since: float) -> Delta | None:
        first_time, first = next(each for each in self._scrapes if each[0] >= since)
        last_time, last = self._scrapes[-1]
        return Delta(first, last, last_time - first_time) if last_time > first_time else None

    def clear(self) -> None:
        """Forget everything."""
        self._scrapes.clear()
        for ring in self._rings:
            ring.clear()

    def document(self, time: float) -> dict[str, Any]:
        """All charts with all values; a few milliseconds of work."""
        now = round(time)
        return {
            "time": time,
            "resolutions": [
                {"step": ring.step, "start": ring.start(now), "length": ring.length} for ring in self._rings
            ],
            "charts": [self._chart(chart, now) for chart in self._charts],
        }

    def _chart(self, chart: Chart, now: int) -> dict[str, Any]:
        threshold = chart.threshold
        return {
            "id": chart.id,
            "title": chart.title,
            "unit": chart.unit,
            "description": chart.description,
            "promql": chart.promql,
            "traceql": chart.traceql,
            "threshold": threshold and {"value": threshold.value, "label": threshold.label},
            "series": [
                {
                    "key": series.key,
                    "label": series.label,
                    "color": series.colour,
                    "points": {str(ring.step): ring.values(series.key, now) for ring in self._rings},
                }
                for series in chart.series
            ],
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")
