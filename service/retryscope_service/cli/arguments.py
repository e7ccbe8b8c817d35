"""Values of options: read, bounded, and refused with the bound."""

import argparse
import re
from collections.abc import Callable
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where a command adds its options."""

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def number(least: float, most: float, *, above: bool = False) -> Callable[[str], float]:
    """A finite number from ``least`` (or above it) to ``most``."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not (least < value if above else least <= value) or not value <= most:
            bound = f"above {least:g}" if above else f"at least {least:g}"
            raise argparse.ArgumentTypeError(f"{text} is out of bounds: {bound}, at most {most:g}")
        return value

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number from ``least`` to ``most``."""

    def read(text: str) -> int:
        value = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else None
        if value is None:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is out of bounds: at least {least}, at most {most}")
        return value

    return read


def seconds(text: str) -> float:
    """A duration: seconds, or with a unit as in 90s, 5m, 1.5h."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smh]?)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; one looks like 30, 90s, 5m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def weights(text: str) -> dict[str, float]:
    """A mix such as ``retry=3,timeouts=1``; a name alone weighs 1."""
    mix: dict[str, float] = {}
    for part in text.split(","):
        name, given, weight = (each.strip() for each in part.partition("="))
        if not name:
            raise argparse.ArgumentTypeError(f"{text!r} is no mix; one looks like retry=3,timeouts=1")
        if name in mix:
            raise argparse.ArgumentTypeError(f"{name} is twice in {text!r}")
        try:
            mix[name] = number(0, 1e6, above=True)(weight) if given else 1.0
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentTypeError(f"weight of {name}: {error}") from None
    return mix


def base_url(text: str) -> str:
    """The address of a service; one with a password in it is not repeated."""
    if "@" in text:
        raise argparse.ArgumentTypeError(
            "a base URL has no user and no password in it; the token of the service is read from"
            " RETRYSCOPE_API_TOKEN"
        )
    if not re.fullmatch(r"https?://[^/?#\s@{}]+(?:/[^?#\s{}]*)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no base URL; one looks like http://127.0.0.1:8080")
    return text.rstrip("/")
