"""Strict keys of a YAML file whose program would refuse an unknown one, or silently ignore it."""

from collections.abc import Iterator, Mapping
from typing import Any

Keys = Mapping[str, Any]
"""Each allowed key with those allowed below it, or None for anything; lists are looked through."""


def unknown_keys(value: Any, allowed: Keys | None, path: str = "") -> Iterator[str]:
    """The full names of the keys that are not allowed."""
    if allowed is None:
        return
    if isinstance(value, list):
        for item in value:
            yield from unknown_keys(item, allowed, path)
    elif isinstance(value, dict):
        for key, below in value.items():
            name = f"{path}.{key}" if path else str(key)
            if key in allowed:
                yield from unknown_keys(below, allowed[key], name)
            else:
                yield name
    elif value is not None and allowed:
        yield f"{path} (a value where keys belong)"


def leaves(*names: str) -> dict[str, None]:
    """Keys with plain values below them."""
    return dict.fromkeys(names)
