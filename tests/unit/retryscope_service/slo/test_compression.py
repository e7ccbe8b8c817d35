"""The rules on a faster clock."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope_service.slo.compression import Compression
from retryscope_service.slo.duration import Duration


def test_by_default_nothing_changes() -> None:
    compression = Compression()
    assert (
        compression.window(Duration.parse("5m"))
        == compression.hold(Duration.parse("5m"))
        == Duration.parse("5m")
    )


def test_windows_and_holds_shrink_alike() -> None:
    compression = Compression(1 / 200)
    assert str(compression.window(Duration.parse("1h"))) == "18s"
    assert str(compression.hold(Duration.parse("2m"))) == "600ms"


def test_neither_window_nor_hold_gets_shorter_than_the_floor() -> None:
    """A rate needs samples, and one late scrape is no outage."""
    compression = Compression(1 / 200, floor_seconds=2)
    assert str(compression.window(Duration.parse("5m"))) == "2s"
    assert str(compression.window(Duration.parse("10m"))) == "3s"
    assert str(compression.hold(Duration.parse("2m"))) == "2s"
    assert str(compression.hold(Duration.parse("10m"))) == "3s"


@given(st.floats(1e-9, 1), st.floats(0, 100_000), st.integers(0, 10**9))
def test_at_every_scale_what_must_hold_does_so_for_as_long_as_the_floor(
    scale: float, floor: float, milliseconds: int
) -> None:
    """But never longer than uncompressed: what fires at once does so at any scale."""
    compression, full = Compression(scale, floor), Duration(milliseconds)
    hold = compression.hold(full)
    assert Duration.of(min(full.seconds, floor)) <= hold <= full
    assert compression.window(full) >= Duration.of(floor)


def test_a_window_is_never_empty() -> None:
    assert str(Compression(1e-9).window(Duration.parse("5m"))) == "1ms"


@pytest.mark.parametrize("scale", [0, -1, 1.5, math.nan, math.inf])
def test_a_scale_out_of_bounds_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match=f"scale is {scale:g}: it must be greater than 0 and at most 1"):
        Compression(scale)


@pytest.mark.parametrize("floor", [-1, math.nan, math.inf])
def test_a_floor_out_of_bounds_is_refused(floor: float) -> None:
    with pytest.raises(ValueError, match=f"floor is {floor:g} s: it must be finite and at least 0"):
        Compression(1, floor)
