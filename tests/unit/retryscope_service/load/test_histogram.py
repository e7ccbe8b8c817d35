"""Percentiles in bounded memory."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope_service.load.histogram import BUCKETS, LONGEST, PRECISION, SHORTEST, Histogram

SECONDS = st.floats(SHORTEST, LONGEST)


def exact(values: list[float], percent: float) -> float:
    """Nearest rank."""
    return sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]


@given(st.lists(SECONDS, min_size=1, max_size=300), st.sampled_from([1, 50, 90, 95, 99, 100]))
def test_a_percentile_is_at_most_one_percent_too_large_and_never_too_small(
    values: list[float], percent: float
) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    found, true = histogram.percentile(percent), exact(values, percent)
    assert found is not None
    assert true * (1 - 1e-9) <= found <= true * (1 + PRECISION + 1e-9)


def test_its_memory_is_bounded_whatever_it_counts() -> None:
    """No more counters than documented, from nothing to more than a day."""
    histogram, rng = Histogram(), Random(1)
    for _ in range(50_000):
        histogram.add(10 ** rng.uniform(-9, 8))
    assert histogram.count == 50_000
    assert 1000 < len(histogram._buckets) <= BUCKETS == 2547


def test_nothing_counted_has_no_percentile() -> None:
    assert Histogram().percentile(50) is None
    assert set(Histogram().summary().values()) == {None}


@given(st.lists(SECONDS, max_size=50), st.integers(1, 50), st.sampled_from([1, 50, 90, 95, 99, 100]))
def test_what_was_never_answered_comes_after_all_else(
    values: list[float], never: int, percent: float
) -> None:
    """A percentile that would be one of those is unknown, any other as precise as ever."""
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    for _ in range(never):
        histogram.add_unknown()
    found, true = histogram.percentile(percent), exact([*values, *[math.inf] * never], percent)
    assert (found is None) == (true == math.inf)
    assert found is None or true * (1 - 1e-9) <= found <= true * (1 + PRECISION + 1e-9)
    assert (histogram.count, histogram.unknown) == (len(values) + never, never)
    assert histogram.summary()["max"] is None


def test_the_maximum_is_exact() -> None:
    histogram = Histogram()
    for value in (0.1, 123.456, 0.2):
        histogram.add(value)
    assert histogram.summary() == {
        "p50": pytest.approx(0.2, rel=0.01),
        "p90": 123.456,
        "p95": 123.456,
        "p99": 123.456,
        "max": 123.456,
    }
