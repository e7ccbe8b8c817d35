"""The small part of TraceQL that the dashboards use, asked of spans in memory.

Tempo can't be run here; what is checked is that the attributes of a query are on one and the same span.
"""

import operator
import re
from collections.abc import Callable, Iterable

from tests.support.dashboards.navigation import CONDITION
from tests.support.spans import SpanData, Value

STATUS = {0: "unset", 1: "ok", 2: "error"}
COMPARED: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def matching(query: str, spans: Iterable[SpanData]) -> list[SpanData]:
    """The spans that meet every condition of ``{ ... }``; what to select of them says nothing here."""
    (conditions,) = re.findall(r"^\{ (.+?) \}(?: \| select|$)", query)
    return [span for span in spans if all(_meets(each, span) for each in conditions.split(" && "))]


def _meets(condition: str, span: SpanData) -> bool:
    parts = CONDITION.fullmatch(condition)
    assert parts, condition
    found, wanted = _value(parts["field"], span), parts["value"].strip('"')
    match parts["operator"]:
        case "=":
            return str(found) == wanted
        case "!=":
            return found is not None and (wanted == "nil" or str(found) != wanted)
        case "!~":
            return found is not None and re.fullmatch(wanted, str(found)) is None
        case "=~":
            return found is not None and re.fullmatch(wanted, str(found)) is not None
        case comparison:
            return found is not None and COMPARED[comparison](float(found), float(wanted.rstrip("s")))


def _value(field: str, span: SpanData) -> Value | None:
    if field.startswith("span."):
        return span.attributes.get(field.removeprefix("span."))
    if field.startswith("resource."):
        return span.resource.get(field.removeprefix("resource."))
    if field == "duration":
        return (span.end - span.start) / 1e9
    return span.name if field == "name" else STATUS[span.status]
