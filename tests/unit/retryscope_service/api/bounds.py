"""Every bound of every parameter of every workflow, from the JSON Schemas, so that none is forgotten."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from retryscope_service.operations.operations import REAL
from retryscope_service.workflows import WORKFLOWS


class Case(NamedTuple):
    """A value for one parameter, at a bound."""

    workflow: str
    field: str
    value: Any
    bound: str

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of which only this one is interesting."""
        params: dict[str, Any] = {}
        if self.workflow not in ("cancellation", "timeouts", "checkout"):
            params["failure_rate"] = 0
        name, _, inside = self.field.partition(".0")
        section, _, member = self.field.partition(".")
        if section in REAL and member:
            params.update({"operation": section, section: {member: self.value}})
        elif inside.startswith("."):
            params[name] = [{"name": "API Call", "duration": 1, "timeout": 1, inside[1:]: self.value}]
        elif self.field.endswith(".0"):
            params[name] = [self.value]
        else:
            params[self.field] = self.value
        return params


def fields(workflow: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every parameter with its schema, of a list also its items, of an object also its members."""
    schema = WORKFLOWS[workflow].params.model_json_schema()

    def walk(field: str, part: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        if "$ref" in part:
            part = schema["$defs"][part["$ref"].rpartition("/")[2]]
        for alternative in part.get("anyOf", ()):
            yield from walk(field, alternative)
        yield field, part
        if "items" in part:
            yield from walk(f"{field}.0", part["items"])
        for name, inner in part.get("properties", {}).items():
            yield from walk(f"{field}.{name}" if field else name, inner)

    yield from walk("", schema)


def just_below(schema: dict[str, Any], bound: float) -> float:
    return int(bound) - 1 if schema["type"] == "integer" else math.nextafter(bound, -math.inf)


def just_above(schema: dict[str, Any], bound: float) -> float:
    return int(bound) + 1 if schema["type"] == "integer" else math.nextafter(bound, math.inf)


def shown(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def item_of(workflow: str) -> Any:
    return {"name": "API Call", "duration": 0, "timeout": 1} if workflow == "timeouts" else 0


def at_bounds() -> Iterator[tuple[Case, Case]]:
    """For every bound of every parameter of every workflow: the last value inside, the first one outside."""
    for workflow in WORKFLOWS:
        for field, schema in fields(workflow):

            def pair(inside: Any, outside: Any, bound: str) -> tuple[Case, Case]:
                return Case(workflow, field, inside, bound), Case(workflow, field, outside, bound)  # noqa: B023

            if "minimum" in schema:
                low = schema["minimum"]
                yield pair(low, just_below(schema, low), f">= {shown(low)}")
            if "exclusiveMinimum" in schema:
                low = schema["exclusiveMinimum"]
                yield pair(just_above(schema, low), low, f"> {shown(low)}")
            if "maximum" in schema:
                high = schema["maximum"]
                yield pair(high, just_above(schema, high), f"<= {shown(high)}")
            if "minItems" in schema:
                item, least = item_of(workflow), schema["minItems"]
                yield pair([item] * least, [item] * (least - 1), f"at least {least} long")
            if "maxItems" in schema:
                item, most = item_of(workflow), schema["maxItems"]
                yield pair([item] * most, [item] * (most + 1), f"at most {most} long")
            if "minLength" in schema:
                yield pair("n" * schema["minLength"], "", f"at least {schema['minLength']} long")
            if "maxLength" in schema:
                most = schema["maxLength"]
                yield pair("n" * most, "n" * (most + 1), f"at most {most} long")
            if "enum" in schema:
                *others, last = (f"'{each}'" for each in schema["enum"])
                expected = f"{', '.join(others)} or {last}"
                for value in schema["enum"]:
                    yield pair(value, value.upper(), expected)
