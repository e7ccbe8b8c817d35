"""Lengths of time as Prometheus writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope_service.slo.duration import Duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("0", 0),
        ("1500ms", 1.5),
        ("45s", 45),
        ("5m", 300),
        ("1h30m", 5400),
        ("3d", 259_200),
        ("1w", 604_800),
        ("1d1ms", 86_400.001),
    ],
)
def test_is_read_in_every_unit(text: str, seconds: float) -> None:
    assert Duration.parse(text).seconds == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "1" * 5000 + "d",
        "m",
        "5m1h",
        "1.5h",
        "-5m",
        "5 m",
        "5M",
        "5m ",
        "\N{ARABIC-INDIC DIGIT FIVE}m",
    ],
)
def test_anything_else_is_refused_with_what_was_written(text: str) -> None:
    with pytest.raises(
        ValueError, match="is not a duration: write whole numbers with the units w, d, h"
    ) as error:
        Duration.parse(text)
    assert repr(text[:100]) in str(error.value)


def test_a_century_is_the_longest() -> None:
    """Of more than 292 years Prometheus would refuse the rules."""
    assert str(Duration.parse("36500d")) == "36500d"
    with pytest.raises(ValueError, match="'36500d1ms' is too long: at most 36500d"):
        Duration.parse("36500d1ms")


@pytest.mark.parametrize("text", ["0s", "600ms", "5m", "1h30m", "7d", "30d"])
def test_is_written_as_it_was_read(text: str) -> None:
    assert str(Duration.parse(text)) == text


@given(st.integers(0, 10**12))
def test_is_read_as_it_was_written(milliseconds: int) -> None:
    assert Duration.parse(str(Duration(milliseconds))) == Duration(milliseconds)


def test_seconds_are_taken_to_the_nearest_millisecond() -> None:
    assert Duration.of(1.0006) == Duration(1001)


def test_sorts_by_length_not_by_text() -> None:
    durations = [Duration.parse(text) for text in ("2h", "30m", "1d")]
    assert [str(each) for each in sorted(durations)] == ["30m", "2h", "1d"]
