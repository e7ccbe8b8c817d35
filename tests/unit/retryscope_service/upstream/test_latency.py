"""The distributions of latency: what they draw, by a fixed seed; where they are cut; what they refuse."""

from random import Random
from statistics import fmean, median, quantiles
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from retryscope_service.upstream.latency import Exponential, Fixed, Latency, LogNormal, Normal, Uniform

ADAPTER: TypeAdapter[Latency] = TypeAdapter(Latency)


def drawn(latency: Latency, count: int = 20_000) -> list[float]:
    rng = Random(7)
    return [latency.draw(rng) for _ in range(count)]


def test_fixed_is_always_the_same() -> None:
    assert set(drawn(Fixed(distribution="fixed", seconds=0.2), 100)) == {0.2}


def test_uniform_is_spread_evenly_between_its_bounds() -> None:
    found = drawn(Uniform(distribution="uniform", low=1.0, high=3.0))
    assert min(found) >= 1
    assert max(found) <= 3
    assert quantiles(found, n=4) == pytest.approx([1.5, 2.0, 2.5], rel=0.02)


def test_normal_has_its_mean_and_is_never_below_zero() -> None:
    found = drawn(Normal(distribution="normal", mean=2.0, deviation=0.5))
    assert fmean(found) == pytest.approx(2.0, rel=0.01)
    assert quantiles(found, n=100)[83] == pytest.approx(2.5, rel=0.02)  # one deviation above
    assert min(drawn(Normal(distribution="normal", mean=0.0, deviation=1.0))) == 0


def test_lognormal_has_its_median_and_a_long_tail() -> None:
    found = drawn(LogNormal(distribution="lognormal", median=0.1, sigma=1.0))
    assert median(found) == pytest.approx(0.1, rel=0.03)
    assert quantiles(found, n=100)[98] == pytest.approx(1.02, rel=0.1)


def test_exponential_has_its_mean() -> None:
    assert fmean(drawn(Exponential(distribution="exponential", mean=0.3))) == pytest.approx(0.3, rel=0.02)


def test_what_is_drawn_beyond_the_cap_is_cut_to_it() -> None:
    found = drawn(LogNormal(distribution="lognormal", median=0.1, sigma=2.0, cap=0.5))
    assert max(found) == 0.5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"distribution": "gamma"}, "gamma", id="an unknown one"),
        pytest.param({"distribution": "fixed"}, "fixed.seconds", id="without its parameter"),
        pytest.param({"distribution": "fixed", "seconds": -1}, "greater than or equal to 0", id="below zero"),
        pytest.param({"distribution": "fixed", "seconds": 1, "mean": 1}, "fixed.mean", id="of another one"),
        pytest.param({"distribution": "exponential", "mean": 0}, "greater than 0", id="no mean"),
        pytest.param({"distribution": "lognormal", "median": 1, "sigma": 9}, "equal to 5", id="too wide"),
        pytest.param(
            {"distribution": "uniform", "low": 2, "high": 1}, "at least low, 2.0", id="out of order"
        ),
    ],
)
def test_wrong_parameters_are_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ADAPTER.validate_python(given)
