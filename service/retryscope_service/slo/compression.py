"""The same rules on a faster clock, so that an end-to-end test need not wait hours for a window of hours."""

import math
from dataclasses import dataclass

from retryscope_service.slo.duration import Duration


@dataclass(frozen=True)
class Compression:
    """What becomes of the durations in the rules.

    Args:
        scale: Factor on every duration; 1 leaves them as they are.
        floor_seconds: No window and no `for` gets shorter than this: `rate()` needs at least two samples in
            a window, and one late scrape is no outage, so it should be four scrape intervals.

    Raises:
        ValueError: One of them is out of bounds.
    """

    scale: float = 1.0
    floor_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.scale <= 1:
            raise ValueError(f"scale is {self.scale:g}: it must be greater than 0 and at most 1")
        if not 0 <= self.floor_seconds < math.inf:
            raise ValueError(f"floor is {self.floor_seconds:g} s: it must be finite and at least 0")

    def window(self, duration: Duration) -> Duration:
        """How far a rule looks back, or how often it is evaluated."""
        return Duration.of(max(duration.seconds * self.scale, self.floor_seconds, 0.001))

    def hold(self, duration: Duration) -> Duration:
        """How long a condition must hold: never longer than uncompressed; what fires at once still does."""
        return Duration.of(max(duration.seconds * self.scale, min(duration.seconds, self.floor_seconds)))
