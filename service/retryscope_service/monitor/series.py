"""CounterSeries and gauges over the windows of the alerts, in memory of a fixed size for each series."""

import math
from array import array
from collections.abc import Mapping
from typing import Final

from retryscope_service.monitor.prometheus_functions import increase
from retryscope_service.monitor.scrape import Labels

STEP: Final = 5.0
"""Seconds between two samples for windows up to ``FINE_SPAN``, and between two evaluations of the alerts."""
COARSE_STEP: Final = 60.0
"""Seconds between two samples for longer windows."""
FINE_SPAN: Final = 3600.0
LOOKBACK: Final = 300.0
"""Seconds for which Prometheus takes the last sample of a series for its present value."""


class SampledSeries:
    """The last values of any number of series, all sampled at the same times.

    Args:
        rows: Times that are kept.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._times = array("d", [math.nan]) * rows
        self._columns: dict[Labels, array[float]] = {}
        self._born: dict[Labels, int] = {}
        self.end = 0
        """How many rows were ever added: the number of the next one."""

    def add(self, time: float, values: Mapping[Labels, float]) -> None:
        """Add a row, later than all before."""
        position = self.end % self._rows
        self._times[position] = time
        for series, value in values.items():
            column = self._columns.get(series)
            if column is None:
                column = self._columns[series] = array("d", [math.nan]) * self._rows
                self._born[series] = self.end
            column[position] = value
        self.end += 1

    def first_after(self, time: float) -> int:
        """Number of the first row that is later than a time."""
        low, high = max(0, self.end - self._rows), self.end
        while low < high:
            middle = (low + high) // 2
            if self.time(middle) > time:
                high = middle
            else:
                low = middle + 1
        return low

    def time(self, row: int) -> float:
        """When a row was sampled."""
        return self._times[row % self._rows]

    def value(self, series: Labels, row: int) -> float:
        """The value of a series in a row."""
        return self._columns[series][row % self._rows]

    def born(self, series: Labels) -> int:
        """Number of the first row that has the series."""
        return self._born.get(series, self.end)


class CounterSeries:
    """CounterSeries that were never reset, as those of this very process.

    Args:
        longest: Seconds of the longest window that :meth:`increase` is asked for.
    """

    def __init__(self, longest: float) -> None:
        self._fine = SampledSeries(math.ceil(min(longest, FINE_SPAN) / STEP) + 2)
        self._coarse = SampledSeries(math.ceil(longest / COARSE_STEP) + 2) if longest > FINE_SPAN else None
        self._now = -math.inf
        self._first: dict[float, int] = {}
        """First row of a window that ends now: the same for every series."""
        self.latest: Mapping[Labels, float] = {}

    def add(self, now: float, values: Mapping[Labels, float]) -> None:
        """Take the values of a moment, later than all before."""
        self._fine.add(now, values)
        coarse = self._coarse
        if coarse and (not coarse.end or now - coarse.time(coarse.end - 1) > COARSE_STEP - STEP / 2):
            coarse.add(now, values)
        self._now = now
        self.latest = values
        self._first.clear()

    def increase(self, series: Labels, window: float) -> float | None:
        """By how much a counter grew in the window until now; None with less than two samples in it."""
        samples = self._fine if window <= FINE_SPAN or self._coarse is None else self._coarse
        start = self._now - window
        row = self._first.get(window)
        if row is None:
            row = self._first[window] = samples.first_after(start)
        # What is new to this process was 0 before: unlike a scraped series it loses nothing.
        first = max(row, samples.born(series) - 1)
        number = samples.end - first
        if number and samples.time(samples.end - 1) < self._now:
            number += 1  # the present value, which the coarse samples do not have
        if number < 2:
            return None
        return increase(
            (samples.time(first), samples.value(series, first) if first >= samples.born(series) else 0.0),
            (self._now, self.latest[series]),
            number,
            start,
            self._now,
        )


class GaugeSeries:
    """Gauges over one window.

    Args:
        window: Its seconds.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._sampled = SampledSeries(math.ceil((window + LOOKBACK) / STEP) + 2)
        self._now = -math.inf
        self.latest: Mapping[Labels, float] = {}

    def add(self, now: float, values: Mapping[Labels, float]) -> None:
        """Take the values of a moment, later than all before."""
        self._sampled.add(now, values)
        self._now = now
        self.latest = values

    def values(self, series: Labels) -> list[float]:
        """Those in the window until now."""
        samples = self._sampled
        first = max(samples.first_after(self._now - self._window), samples.born(series))
        return [samples.value(series, row) for row in range(first, samples.end)]

    def was_there(self, series: Labels) -> bool:
        """Whether it had a value when the window began."""
        samples, start = self._sampled, self._now - self._window
        row = samples.first_after(start) - 1
        return row >= samples.born(series) and samples.time(row) > start - LOOKBACK
