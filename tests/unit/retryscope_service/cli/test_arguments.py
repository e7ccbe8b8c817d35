"""Values of options: what is taken, and what is said of the rest."""

import argparse
from collections.abc import Callable

import pytest

from retryscope_service.cli.arguments import base_url, number, seconds, weights, whole


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0.0), ("30", 30.0), ("90s", 90.0), ("0.5m", 30.0), ("1h", 3600.0), ("1.5h", 5400.0)],
)
def test_a_duration_has_a_unit_or_is_seconds(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("retry=3,timeouts=1", {"retry": 3.0, "timeouts": 1.0}),
        ("retry", {"retry": 1.0}),
        (" retry = 0.5 , timeouts", {"retry": 0.5, "timeouts": 1.0}),
    ],
)
def test_a_mix_is_names_and_weights(text: str, expected: dict[str, float]) -> None:
    assert weights(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://[::1]:8080/", "https://[::1]:8080"),
        ("http://localhost/prefix/", "http://localhost/prefix"),
    ],
)
def test_a_base_url_has_no_final_slash(text: str, expected: str) -> None:
    assert base_url(text) == expected


def test_bounds_belong_to_what_is_taken() -> None:
    assert (number(0, 1)("0"), number(0, 1)("1"), number(0, 1, above=True)("1e-9")) == (0.0, 1.0, 1e-9)
    assert (whole(1, 5)("1"), whole(1, 5)("5")) == (1, 5)


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (number(0, 1), "1.01", "1.01 is out of bounds: at least 0, at most 1"),
        (number(0, 1, above=True), "0", "0 is out of bounds: above 0, at most 1"),
        (number(0, 1), "nan", "nan is out of bounds"),
        (number(0, 1), "inf", "inf is out of bounds"),
        (number(0, 1), "many", "'many' is no number"),
        (whole(1, 5), "6", "6 is out of bounds: at least 1, at most 5"),
        (whole(1, 5), "-1", "-1 is out of bounds"),
        (whole(1, 5), "1.5", "'1.5' is no whole number"),
        (whole(1, 5), "1" * 5000, "is no whole number"),
        (seconds, "-1", "'-1' is no duration; one looks like 30, 90s, 5m or 1h"),
        (seconds, "1d", "'1d' is no duration"),
        (seconds, "inf", "'inf' is no duration"),
        (seconds, "", "'' is no duration"),
        (weights, "", "'' is no mix; one looks like retry=3,timeouts=1"),
        (weights, "retry=1,,timeouts=1", "is no mix"),
        (weights, "retry=0", "weight of retry: 0 is out of bounds: above 0"),
        (weights, "retry=much", "weight of retry: 'much' is no number"),
        (weights, "retry=", "weight of retry: '' is no number"),
        (weights, "retry,retry=2", "retry is twice"),
        (base_url, "127.0.0.1:8080", "'127.0.0.1:8080' is no base URL; one looks like http://127.0.0.1:8080"),
        (base_url, "http://", "is no base URL"),
        (base_url, "http://127.0.0.1:8080/?a=b", "is no base URL"),
        (base_url, "http://127.0.0.1:8080/{{ .x }}", "is no base URL"),  # Prometheus would expand it
        (base_url, "http://{{.x}}", "is no base URL"),
    ],
)
def test_anything_else_is_refused_with_its_value_and_its_bound(
    read: Callable[[str], object], text: str, said: str
) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as raised:
        read(text)
    assert said in str(raised.value)


@pytest.mark.parametrize("text", ["http://user:password@127.0.0.1", "user:password@127.0.0.1:8080"])
def test_a_password_in_a_base_url_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"no user and no password") as raised:
        base_url(text)
    assert "password@" not in str(raised.value)
