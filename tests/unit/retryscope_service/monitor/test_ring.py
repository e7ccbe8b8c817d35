"""Values at regular times: the last ones stay, the rest is missing."""

import pytest

from retryscope_service.monitor.ring import Ring


def ring(step: int = 1, length: int = 4) -> Ring:
    return Ring(["a"], step, length)


def test_begins_empty() -> None:
    assert ring().values("a", now=100) == [None] * 4
    assert ring().start(now=100) == 97


def test_gives_the_last_values_oldest_first() -> None:
    kept = ring()
    for time in range(100, 107):
        kept.put(time, {"a": float(time)})
    assert kept.values("a", now=106) == [103, 104, 105, 106]
    assert kept.start(now=106) == 103


def test_what_was_skipped_is_missing() -> None:
    kept = ring()
    for time in (100, 101, 103):
        kept.put(time, {"a": float(time)})
    assert kept.values("a", now=103) == [100, 101, None, 103]


@pytest.mark.parametrize("away", [4, 5, 1000, 1002])
def test_nothing_of_before_a_long_gap_comes_up_again(away: int) -> None:
    kept = ring()
    for time in range(100, 108):
        kept.put(time, {"a": 1.0})
    kept.put(107 + away, {"a": 2.0})
    assert kept.values("a", now=107 + away) == [None, None, None, 2.0]


def test_a_value_that_could_not_be_computed_is_missing() -> None:
    kept = ring()
    kept.put(100, {"a": None})
    kept.put(101, {"a": 0.0})
    assert kept.values("a", now=101) == [None, None, None, 0.0]


@pytest.mark.parametrize(
    ("later", "values"), [(1, [102, 103, 104, None]), (3, [104, None, None, None]), (9, [None] * 4)]
)
def test_time_goes_on_without_values(later: int, values: list[float | None]) -> None:
    kept = ring()
    for time in range(100, 105):
        kept.put(time, {"a": float(time)})
    assert kept.values("a", now=104 + later) == values


def test_one_value_for_each_step() -> None:
    kept = ring(step=10)
    kept.put(100, {"a": 1.0})
    assert kept.has(100)
    assert kept.has(109)
    assert not kept.has(110)
    kept.put(112, {"a": 2.0})
    assert kept.values("a", now=119) == [None, None, 1.0, 2.0]
    assert kept.start(now=119) == 80


def test_can_be_cleared() -> None:
    kept = ring()
    kept.put(100, {"a": 1.0})
    kept.clear()
    assert not kept.has(50)
    kept.put(50, {"a": 2.0})
    assert kept.values("a", now=50) == [None, None, None, 2.0]
