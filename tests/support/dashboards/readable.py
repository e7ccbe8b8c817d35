"""Rules about what can be read at a glance: names beside lines, what no value looks like, where axes end."""

import re
from collections.abc import Iterator
from typing import Any

from tests.support.dashboards.model import Finding, Json, panels, prometheus_targets, tempo_targets
from tests.support.dashboards.queries import LEGEND

RATES = {"suffix:/s"}
GREY = "#6e7681"
MOST_LINES = 10
NAMES_WIDTH = 360
"""In pixels, of a legend with two numbers: for 32 letters."""
TABLE_WIDTH = 1230
"""In pixels, of a table as wide as a screen of 1280."""
NAME_WIDTH = 150
"""In pixels, of a column: for 18 letters."""
MAY_BE_EMPTY = {"http_route", "http_response_status_code", "route", "fault"}
"""Labels without a value where there is no such path, no answer, or nothing done to a request."""


def _of_type(dashboard: Json, kind: str) -> Iterator[Json]:
    yield from (panel for panel in panels(dashboard) if panel["type"] == kind)


def _defaults(panel: Json) -> Json:
    found: Json = panel["fieldConfig"]["defaults"]
    return found


def names_beside_lines(dashboard: Json) -> Iterator[Finding]:
    """Names are at the right, the highest first; or a line of a few names below a narrow panel."""
    for panel in _of_type(dashboard, "timeseries"):
        legend = panel["options"]["legend"]
        if legend["displayMode"] == "list":
            if panel["gridPos"]["w"] > 6 or legend["calcs"]:
                yield Finding("legend", panel["title"], "a panel this wide has room for names beside it")
            continue
        wanted: dict[str, Any] = {
            "placement": "right",
            "calcs": ["max", "last"],
            "sortBy": "Max",
            "sortDesc": True,
        }
        for key, value in wanted.items():
            if legend.get(key) != value:
                yield Finding("legend", panel["title"], f"{key} is {legend.get(key)!r}, not {value!r}")
        if legend.get("width", 0) < NAMES_WIDTH:
            yield Finding("legend", panel["title"], "names of operations with their workflow are cut off")


def few_lines(dashboard: Json) -> Iterator[Finding]:
    """A line per operation is one for each of the worst ones: there may be 200."""
    for target in prometheus_targets(dashboard):
        if target.panel["type"] != "timeseries" or "operation" not in LEGEND.findall(
            target.query.get("legendFormat") or ""
        ):
            continue
        limits = [int(most) for most in re.findall(r"topk\((\d+),", target.expression)]
        if not limits or max(limits) > MOST_LINES or "@ end()" not in target.expression:
            yield Finding("few lines", target.where, f"not the same {MOST_LINES} operations or fewer")


def no_value(dashboard: Json) -> Iterator[Finding]:
    """Nothing is neither good nor bad: a number says so in grey, a cell has a dash."""
    for panel in panels(dashboard):
        if panel["type"] not in ("stat", "table"):
            continue
        mappings = _defaults(panel).get("mappings") or []
        found = [m["options"] for m in mappings if m["type"] == "special"]
        results = [each["result"] for each in found if each["match"] == "null+nan"]
        if not results:
            yield Finding("no value", panel["title"], "no value looks like a value")
            continue
        text, colour = results[0].get("text") or "", results[0].get("color")
        for override in panel["fieldConfig"].get("overrides") or []:
            own = {each["id"]: each["value"] for each in override["properties"]}
            nothing = (own.get("mappings") or [{}])[0].get("options", {}).get("result", {})
            if own.get("custom.cellOptions") and nothing.get("color") != "transparent":
                yield Finding(
                    "no value", panel["title"], f"{override['matcher']['options']}: none has a colour"
                )
        if panel["type"] == "table" and text != "-":
            yield Finding("no value", panel["title"], f"an empty cell says {text!r}")
        if panel["type"] == "stat" and (colour != GREY or not 0 < len(text) <= 14):
            yield Finding("no value", panel["title"], f"{text!r} in {colour} is not a few words in grey")


def now(dashboard: Json) -> Iterator[Finding]:
    """A number is the last value of its range, and none where there is none any more."""
    for panel in _of_type(dashboard, "stat"):
        calcs = panel["options"]["reduceOptions"]["calcs"]
        if calcs != ["last"]:
            yield Finding("now", panel["title"], f"{calcs} is not the last value")
        for target in panel["targets"]:
            ends = target["expr"].rstrip().endswith("or vector(NaN)")
            if not target.get("instant") and not ends:
                yield Finding("now", panel["title"], "an old value stands where there is none now")


def axes(dashboard: Json) -> Iterator[Finding]:
    """An axis shows the line at which an alert fires, and ends near what is drawn where that is 0."""
    for panel in _of_type(dashboard, "timeseries"):
        defaults = _defaults(panel)
        if defaults.get("min") is None:
            continue
        custom = defaults.get("custom", {})
        room = custom.get("axisSoftMax", 0)
        is_dashed = custom.get("thresholdsStyle", {}).get("mode") == "dashed"
        steps = [step["value"] or 0 for step in defaults["thresholds"]["steps"]] if is_dashed else []
        if steps and room <= max(steps):
            yield Finding("axes", panel["title"], f"a line at {max(steps):g} is off an axis up to {room:g}")
        if defaults.get("unit") in RATES | {"percentunit"} and not room:
            yield Finding("axes", panel["title"], "an axis of zeros ends anywhere")


def tables(dashboard: Json) -> Iterator[Finding]:
    """Rows are sorted, and in pages instead of below the edge."""
    for panel in _of_type(dashboard, "table"):
        options = panel["options"]
        is_limited = any(each["id"] == "limit" for each in panel.get("transformations") or [])
        if not is_limited and not (options.get("footer") or {}).get("enablePagination"):
            yield Finding("tables", panel["title"], "rows below its edge are not seen")
        if _defaults(panel).get("custom", {}).get("minWidth", 150) > 60:
            yield Finding("tables", panel["title"], "columns beyond its edge are not seen")
        if "expr" not in panel["targets"][0] and (room := _room_for_names(panel)) < NAME_WIDTH:
            yield Finding("tables", panel["title"], f"names have {room:.0f} px each, they are cut off")
        sorted_by = options.get("sortBy") or []
        if "expr" in panel["targets"][0] and not (sorted_by and sorted_by[0].get("desc")):
            yield Finding("tables", panel["title"], "the worst row is anywhere")


def _room_for_names(panel: Json) -> float:
    """Pixels of each column of a list of traces that has no width of its own, on a screen of 1280."""
    own = {
        override["matcher"]["options"]: {each["id"]: each["value"] for each in override["properties"]}
        for override in panel["fieldConfig"]["overrides"]
    }
    selected = re.findall(r"span\.([\w.]+)", panel["targets"][0]["query"].rpartition("select(")[2])
    shown = [
        each
        for each in ("Span ID", "Start time", "Name", *selected, "Duration")
        if not own.get(each, {}).get("custom.hidden")
    ]
    widths = [own.get(each, {}).get("custom.width") for each in shown]
    left = TABLE_WIDTH * panel["gridPos"]["w"] / 24 - sum(each or 0 for each in widths)
    return float(left / max(1, widths.count(None)))


def empty_labels(dashboard: Json) -> Iterator[Finding]:
    """A label without a value has a name in its place: Grafana would show "Value"."""
    for target in prometheus_targets(dashboard):
        for label in MAY_BE_EMPTY.intersection(LEGEND.findall(target.query.get("legendFormat") or "")):
            if not re.search(rf'label_replace\(.*"{label}", ""\)', target.expression, re.DOTALL):
                yield Finding("empty labels", target.where, f"a series without {label} is named Value")
        if re.search(r"[^\s}]\{\{workflow|workflow\}\}[^\s{]", target.query.get("legendFormat") or ""):
            yield Finding(
                "empty labels", target.where, "signs around the workflow that an operation may not have"
            )


def finished(dashboard: Json) -> Iterator[Finding]:
    """A list of what failed is not one of attempts that a later one repaired."""
    for target in tempo_targets(dashboard):
        query = str(target.query.get("query"))
        if (
            "resilience.outcome" in query
            and " name " not in query.split("|")[0]
            and 'exhausted"' not in query
        ):
            yield Finding("finished", target.panel["title"], f"it lists attempts too: {query}")


def stripes(dashboard: Json) -> Iterator[Finding]:
    """Of the alerts those are drawn that the dashboard is about, each once."""
    for annotation in dashboard["annotations"]["list"]:
        expression = annotation["expr"]
        if "ALERTS" not in expression:
            continue
        if not re.search(r'alertname=~"[^"*+]+"', expression):
            yield Finding("stripes", annotation["name"], "alerts about anything are drawn over its curves")
        if not expression.startswith("max by (alertname, severity) ("):
            yield Finding("stripes", annotation["name"], "one alert is drawn several times")
