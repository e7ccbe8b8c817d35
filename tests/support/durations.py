"""Durations as configuration files write them."""

import re
from typing import Final

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(text: str) -> float:
    """The seconds of `1h30m`, `15s`, `500ms`."""
    parts = re.findall(r"(\d+)(ms|s|m|h|d)", text)
    assert "".join(number + unit for number, unit in parts) == text, f"{text!r} is no duration"
    return sum(int(number) * _UNITS[unit] for number, unit in parts)
