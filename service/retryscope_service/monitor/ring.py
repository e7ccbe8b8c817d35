"""Values at regular times in memory of a fixed size."""

import math
from array import array
from collections.abc import Iterable, Mapping


class Ring:
    """The last values of some series, one each ``step`` seconds; what was not measured is missing.

    Args:
        keys: The series.
        step: Seconds between two values.
        length: Values that are kept of each.
    """

    def __init__(self, keys: Iterable[str], step: int, length: int) -> None:
        self.step = step
        self.length = length
        self._columns = {key: array("d", [math.nan]) * length for key in keys}
        self._last: int | None = None

    def put(self, time: int, values: Mapping[str, float | None]) -> None:
        """Add the values of a time, which is later than all before; the ones skipped are missing."""
        slot = time // self.step
        skipped = self.length if self._last is None else min(slot - self._last - 1, self.length)
        for key, column in self._columns.items():
            for missing in range(slot - skipped, slot):
                column[missing % self.length] = math.nan
            value = values[key]
            column[slot % self.length] = math.nan if value is None else value
        self._last = slot

    def has(self, time: int) -> bool:
        """Whether the step that this time is in was reached already."""
        return self._last is not None and time // self.step <= self._last

    def start(self, now: int) -> int:
        """The time of the first value that :meth:`values` gives."""
        return (now // self.step - self.length + 1) * self.step

    def values(self, key: str, now: int) -> list[float | None]:
        """The values of a series, the oldest first, up to now."""
        slot = now // self.step
        last = slot - self.length if self._last is None else self._last
        missing = min(max(slot - last, 0), self.length)
        stored = self._columns[key].tolist()
        oldest = (last + 1) % self.length
        ordered = (stored[oldest:] + stored[:oldest])[missing:] + [math.nan] * missing
        return [None if math.isnan(value) else value for value in ordered]

    def clear(self) -> None:
        """Forget everything."""
        for column in self._columns.values():
            for position in range(self.length):
                column[position] = math.nan
        self._last = None
