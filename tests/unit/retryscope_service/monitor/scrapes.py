"""Readings of a process as a test wants them."""

from typing import Any

from retryscope.outcome import OUTCOMES
from retryscope_service.monitor.scrape import LAG_BOUNDS, RUN_BOUNDS, Scrape

START = 1_000_000.0
"""Seconds since the epoch; a multiple of ten."""


def scrape(runs: float = 0.0, failed: float = 0.0, **others: Any) -> Scrape:
    """So many runs of workflow `w` succeeded, and failed, since the process began."""
    ended: dict[tuple[str, ...], float] = {("w", outcome): 0.0 for outcome in OUTCOMES}
    ended |= {("w", "success"): runs, ("w", "error"): failed}
    return Scrape(runs=ended, **others)


def runs_up_to(bound: float, number: float) -> tuple[float, ...]:
    """Buckets of runs that all took as long as that bucket."""
    return tuple(number if each >= bound else 0.0 for each in RUN_BOUNDS)


def lags_up_to(bound: float, number: float) -> tuple[float, ...]:
    """Buckets of looks at the event loop, all as late."""
    return tuple(number if each >= bound else 0.0 for each in LAG_BOUNDS)
