"""Latencies in bounded memory: counters in buckets that grow by one percent."""

import math
from collections import Counter
from typing import Final

PRECISION: Final = 0.01
"""A percentile is at most this share larger than the latency it stands for, and never smaller."""

SHORTEST: Final = 1e-6
LONGEST: Final = 1e5
"""Seconds; what lies beyond is counted in the first and last bucket."""

BUCKETS: Final = math.ceil(math.log(LONGEST / SHORTEST) / math.log1p(PRECISION)) + 1
"""Most counters that a histogram holds, however many latencies it counts: 2,547."""

PERCENTILES: Final = (50, 90, 95, 99)


class Histogram:
    """Percentiles of seconds, with a stated precision (:data:`PRECISION`); count and maximum are exact.

    Attributes:
        count: Latencies counted, the unknown ones among them.
        unknown: Those that nobody knows: of what was never answered. They come after all others.
        maximum: The longest that is known, in seconds.
    """

    __slots__ = ("_buckets", "count", "maximum", "unknown")

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.unknown = 0
        self.maximum = 0.0

    def add(self, seconds: float) -> None:
        """Count a latency."""
        bounded = min(max(seconds, SHORTEST), LONGEST)
        self._buckets[math.ceil(math.log(bounded / SHORTEST) / math.log1p(PRECISION))] += 1
        self.count += 1
        self.maximum = max(self.maximum, seconds)

    def add_unknown(self) -> None:
        """Count something that was never answered."""
        self.count += 1
        self.unknown += 1

    def percentile(self, percent: float) -> float | None:
        """The latency that so many percent do not exceed (nearest rank).

        None where nothing was counted, and where it is one of the unknown.
        """
        wanted = max(1, math.ceil(self.count * percent / 100))
        for bucket in sorted(self._buckets):
            wanted -= self._buckets[bucket]
            if wanted <= 0:
                return min(SHORTEST * (1 + PRECISION) ** bucket, self.maximum)
        return None

    def summary(self) -> dict[str, float | None]:
        """The usual percentiles and the maximum, in seconds; None: not known."""
        found = {f"p{percent}": self.percentile(percent) for percent in PERCENTILES}
        found["max"] = self.maximum if self.count > self.unknown == 0 else None
        return {name: None if seconds is None else round(seconds, 6) for name, seconds in found.items()}
