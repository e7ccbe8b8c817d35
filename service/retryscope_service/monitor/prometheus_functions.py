"""Two functions of PromQL as Prometheus computes them, so that the console says what Prometheus says."""

import math
from collections.abc import Sequence
from typing import Final

_NEAR: Final = 1.1
"""How many mean gaps between samples a window may begin before its first sample and count as covered."""


def increase(
    first: tuple[float, float], last: tuple[float, float], samples: int, start: float, end: float
) -> float:
    """How much a counter that was never reset grew from ``start`` to ``end``, extrapolated to both.

    The formula of ``extrapolatedRate`` in Prometheus's promql/functions.go: up to the window's edges where
    samples come near them, else half a gap, and never back beyond the time when the counter was 0.

    Args:
        first: Time and value of the first sample in the window.
        last: Of the last one.
        samples: How many there are, at least 2.
        start: Where the window begins.
        end: Where it ends.

    >>> increase((10.0, 5.0), (50.0, 9.0), samples=5, start=0.0, end=60.0)
    6.0
    >>> increase((40.0, 0.0), (50.0, 9.0), samples=2, start=0.0, end=50.0)
    9.0
    """
    (first_time, first_value), (last_time, last_value) = first, last
    grown = last_value - first_value
    sampled = last_time - first_time
    gap = sampled / (samples - 1)
    before, after = first_time - start, end - last_time
    if before >= gap * _NEAR:
        before = gap / 2
    if grown > 0:
        before = min(before, sampled * first_value / grown)
    if after >= gap * _NEAR:
        after = gap / 2
    return grown * (sampled + before + after) / sampled


def histogram_quantile(quantile: float, bounds: Sequence[float], cumulative: Sequence[float]) -> float | None:
    """The quantile of a classic histogram, by linear interpolation in a bucket; None without observations.

    The first bucket begins at 0, and what lies in the last one, up to infinity, counts as the bound before,
    as in ``bucketQuantile`` in Prometheus's promql/quantile.go.

    >>> histogram_quantile(0.5, [1.0, 2.0, math.inf], [2.0, 6.0, 8.0])
    1.5
    >>> histogram_quantile(0.99, [1.0, 2.0, math.inf], [2.0, 6.0, 8.0])
    2.0
    """
    observations = cumulative[-1]
    if not observations > 0:
        return None
    rank = quantile * observations
    bucket = next(
        (number for number, count in enumerate(cumulative[:-1]) if count >= rank), len(cumulative) - 1
    )
    if math.isinf(bounds[bucket]):
        return bounds[bucket - 1]
    begin, below = (bounds[bucket - 1], cumulative[bucket - 1]) if bucket else (0.0, 0.0)
    return begin + (bounds[bucket] - begin) * (rank - below) / (cumulative[bucket] - below)
