"""Lengths of time as Prometheus writes them."""

import re
from dataclasses import dataclass
from typing import Self

_MILLISECONDS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_SYNTAX = re.compile("".join(f"(?:([0-9]{{1,18}}){unit})?" for unit in _MILLISECONDS))
_WRITTEN = ("d", "h", "m", "s", "ms")
"""Units of the text form: nobody calls a window of seven days one week."""


@dataclass(frozen=True, order=True, slots=True)
class Duration:
    """A length of time, exact to the millisecond, that is written like ``5m`` or ``1h30m``."""

    milliseconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read Prometheus's syntax.

        Raises:
            ValueError: It is not a duration.
        """
        match = _SYNTAX.fullmatch(text)
        if text != "0" and (not text or match is None):
            raise ValueError(
                f"{text[:100]!r} is not a duration: write whole numbers with the units"
                f" {', '.join(_MILLISECONDS)}, the longest first, such as 5m or 1h30m"
            )
        numbers = match.groups(default="0") if match else ()
        length = cls(sum(int(n) * unit for n, unit in zip(numbers, _MILLISECONDS.values(), strict=False)))
        if length.milliseconds > _LONGEST.milliseconds:
            raise ValueError(f"{text[:100]!r} is too long: at most {_LONGEST}")
        return length

    @classmethod
    def of(cls, seconds: float) -> Self:
        """So many seconds, to the nearest millisecond."""
        return cls(round(seconds * 1000))

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.milliseconds / 1000

    def __str__(self) -> str:
        rest, parts = self.milliseconds, []
        for unit in _WRITTEN:
            count, rest = divmod(rest, _MILLISECONDS[unit])
            if count:
                parts.append(f"{count}{unit}")
        return "".join(parts) or "0s"


_LONGEST = Duration(36_500 * _MILLISECONDS["d"])
"""Prometheus's own bound is that of 64 bits of nanoseconds, 292 years."""
