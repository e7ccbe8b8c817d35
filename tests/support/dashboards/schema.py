"""Rules about the JSON itself: the models of Grafana's foundation SDK know every key and every value."""

import enum
import json
import types
import typing
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins

from grafana import models
from tests.support.dashboards.model import Finding, Json

register_default_plugins()


def round_trip(dashboard: Json) -> Iterator[Finding]:
    """Decoded into the models and encoded again it is the same; what they do not know would vanish."""
    try:
        again = json.loads(JSONEncoder().encode(models.Dashboard.from_json(dashboard)))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        yield Finding("schema", dashboard.get("title", "?"), f"the models cannot read it: {error!r}")
        return
    yield from (Finding("schema", where, what) for where, what in _differences(dashboard, again, "$"))


def _differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from _differences(value, after[key], f"{path}.{key}")
            elif value not in (None, [], {}, ""):
                yield f"{path}.{key}", "no model knows this key"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, f"{path}[{number}]")
    elif before != after:
        yield path, f"{before!r} became {after!r}"


def types_match(dashboard: Json) -> Iterator[Finding]:
    """Every value has the type, or is of the enumeration, that its model declares."""
    try:
        decoded = models.Dashboard.from_json(dashboard)
    except (TypeError, ValueError, KeyError, AttributeError):
        return
    yield from (Finding("types", where, what) for where, what in _mismatches(decoded, "$"))


def _mismatches(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, list):
        for number, child in enumerate(node):
            yield from _mismatches(child, f"{path}[{number}]")
    elif isinstance(node, dict):
        for key, child in node.items():
            yield from _mismatches(child, f"{path}.{key}")
    elif hasattr(node, "to_json") and not isinstance(node, enum.Enum):
        hints = typing.get_type_hints(type(node))
        for key, value in vars(node).items():
            if key in hints and not _fits(value, hints[key]):
                yield f"{path}.{key}", f"{value!r} is no {hints[key]}"
            yield from _mismatches(value, f"{path}.{key}")


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or hint is object:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, each) for each in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is list:
        return isinstance(value, list) and all(_fits(each, arguments[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return value in list(hint)
    # Some models leave what is inside them as it was decoded from JSON.
    return isinstance(value, hint) or (isinstance(value, dict) and hasattr(hint, "from_json"))
