"""When requests are due."""

from itertools import islice, pairwise
from random import Random

import pytest

from retryscope_service.load.arrivals import schedule


def test_constant_arrivals_have_the_same_gap_and_do_not_drift() -> None:
    times = list(islice(schedule("constant", 10, Random(1)), 1_000_001))
    assert times[:4] == [0.0, 0.1, 0.2, 0.3]
    assert times[-1] == 100_000.0


def test_poisson_arrivals_have_the_rate_and_the_spread_of_independent_users() -> None:
    """Mean and standard deviation of exponential gaps are the same."""
    times = list(islice(schedule("poisson", 20, Random(1)), 20_000))
    gaps = [after - before for before, after in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.05, rel=0.03)
    assert deviation == pytest.approx(0.05, rel=0.05)


def test_the_same_seed_gives_the_same_times() -> None:
    first, same, other = (list(islice(schedule("poisson", 5, Random(seed)), 100)) for seed in (1, 1, 2))
    assert first == same
    assert first != other
