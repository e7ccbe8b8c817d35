"""What a caller gives for a number."""

import math
from decimal import Decimal
from typing import Any

import pytest

from retryscope.arguments import require_number


@pytest.mark.parametrize("value", [0, 5, -1, 2.5, math.nan, math.inf])
def test_a_number_is_taken_as_it_is(value: float) -> None:
    """Its bounds are for others to check."""
    assert require_number("the limit", value) is value


@pytest.mark.parametrize("value", [True, "5", None, b"5", [5], 5j, Decimal(5)], ids=repr)
def test_what_is_none_is_named_with_what_it_is_for(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^the limit must be a number of seconds, got ") as raised:
        require_number("the limit", value, " of seconds")
    assert str(raised.value).endswith(f"got {value!r}")
