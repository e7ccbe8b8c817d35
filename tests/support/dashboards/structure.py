"""Rules about what a reader of the dashboard sees: identity, layout, words, units."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.support.dashboards.model import Finding, Json, panels, strings, variables, variables_in

COLUMNS = 24
DESCRIPTION = re.compile(r"What it means: \S.{20,}\n\nWhat to do: \S.{15,}", re.DOTALL)
UNITS = {"short", "none", "percentunit", "s", "suffix:/s", "bytes"}
BUILT_IN = {
    "__range",
    "__rate_interval",
    "__from",
    "__to",
    "__url_time_range",
    "__field",
    "__data",
}


def identity(dashboard: Json) -> Iterator[Finding]:
    """It can be linked to, nobody edits it in Grafana, and it is fresh."""
    where = dashboard["title"]
    if not re.fullmatch(r"retryscope-[a-z]+", dashboard.get("uid") or ""):
        yield Finding("identity", where, f"uid is {dashboard.get('uid')!r}, not retryscope-NAME")
    if dashboard.get("editable") is not False:
        yield Finding("identity", where, "it is editable")
    for key, value in (("refresh", "10s"), ("time", {"from": "now-30m", "to": "now"})):
        if dashboard.get(key) != value:
            yield Finding("identity", where, f"{key} is {dashboard.get(key)!r}, not {value!r}")


def panel_ids(dashboard: Json) -> Iterator[Finding]:
    """Each panel, rows included, has an id of its own."""
    yield from _repeated("panel ids", dashboard["title"], [p.get("id") for p in dashboard["panels"]])


def ref_ids(dashboard: Json) -> Iterator[Finding]:
    """Each query of a panel has a letter of its own."""
    for panel in panels(dashboard):
        if not panel.get("targets"):
            yield Finding("refIds", panel["title"], "it has no query")
        letters = [target.get("refId") for target in panel.get("targets", [])]
        yield from _repeated("refIds", panel["title"], letters)


def _repeated(rule: str, where: str, values: list[Any]) -> Iterator[Finding]:
    for value, times in Counter(values).items():
        if value is None or times > 1:
            yield Finding(rule, where, f"{value!r} {times} times")


def layout(dashboard: Json) -> Iterator[Finding]:
    """No panel covers another one or leaves the grid, none is too small to read, and no line has a gap."""
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        title, grid = panel["title"], panel["gridPos"]
        if grid["x"] < 0 or grid["y"] < 0 or grid["x"] + grid["w"] > COLUMNS:
            yield Finding("layout", title, f"outside of the grid: {grid}")
        if panel["type"] != "row" and (grid["w"] < 4 or grid["h"] < 3):
            yield Finding("layout", title, f"too small: {grid}")
        columns = range(grid["x"], grid["x"] + grid["w"])
        cells = list(itertools.product(columns, range(grid["y"], grid["y"] + grid["h"])))
        covered = {taken[cell] for cell in cells if cell in taken}
        yield from (Finding("layout", title, f"overlaps {other}") for other in sorted(covered))
        taken |= dict.fromkeys(cells, title)
    for line in _lines(dashboard):
        shapes = [each["gridPos"] for each in line]
        title = " | ".join(each["title"] for each in line)
        if sum(shape["w"] for shape in shapes) < COLUMNS:
            yield Finding("layout", title, "the rest of the line is empty")
        if len({shape["h"] for shape in shapes}) > 1:
            yield Finding("layout", title, "of different heights, side by side")


def _lines(dashboard: Json) -> Iterator[list[Json]]:
    """The panels that begin at the same height."""
    for _, line in itertools.groupby(
        sorted(dashboard["panels"], key=lambda each: each["gridPos"]["y"]), lambda each: each["gridPos"]["y"]
    ):
        yield list(line)


def words(dashboard: Json) -> Iterator[Finding]:
    """Every panel says what it is, what it means, what to do, and what no data means."""
    for panel in panels(dashboard):
        title = panel.get("title") or f"panel {panel.get('id')}"
        if not panel.get("title"):
            yield Finding("words", title, "it has no title")
        if not DESCRIPTION.fullmatch(panel.get("description") or ""):
            yield Finding("words", title, "its description is not `What it means: ... What to do: ...`")
        if not panel.get("fieldConfig", {}).get("defaults", {}).get("noValue"):
            yield Finding("words", title, "it does not say what no data means")


def units(dashboard: Json) -> Iterator[Finding]:
    """Every number has a unit, a table's columns too."""
    for panel in panels(dashboard):
        config = panel.get("fieldConfig", {})
        unit = config.get("defaults", {}).get("unit")
        if unit not in UNITS:
            yield Finding("units", panel["title"], f"{unit!r} is none of {sorted(UNITS)}")
        properties = [
            (o["matcher"]["options"], p) for o in config.get("overrides", []) for p in o["properties"]
        ]
        for column, prop in properties:
            if prop["id"] == "unit" and prop["value"] not in UNITS:
                yield Finding(
                    "units", panel["title"], f"{column}: {prop['value']!r} is none of {sorted(UNITS)}"
                )


def columns(dashboard: Json) -> Iterator[Finding]:
    """A table names each value that Grafana gives it: `Value #A`, `Value #B`, or `Value` alone."""
    for panel in panels(dashboard):
        letters = [target["refId"] for target in panel["targets"] if "expr" in target and "refId" in target]
        if panel["type"] != "table" or not letters:
            continue
        expected = {f"Value #{letter}" for letter in letters} if len(letters) > 1 else {"Value"}
        renamed: dict[str, str] = {}
        for transformation in panel.get("transformations") or []:
            renamed |= transformation["options"].get("renameByName", {})
        found = {name for name in renamed if name.startswith("Value")}
        if found != expected:
            yield Finding("columns", panel["title"], f"it names {sorted(found)}, not {sorted(expected)}")


def datasources(dashboard: Json, *, provisioned: dict[str, str]) -> Iterator[Finding]:
    """What is asked is chosen by a variable, whose default is provisioned with the right type."""
    declared = variables(dashboard)
    sources = {name for name, variable in declared.items() if variable["type"] == "datasource"}
    for name in sources:
        uid, kind = (declared[name].get("current") or {}).get("value"), declared[name]["query"]
        if provisioned.get(str(uid)) != kind:
            yield Finding("datasources", f"${name}", f"{uid!r} is not provisioned as {kind}")
    queries = [(panel["title"], each) for panel in panels(dashboard) for each in (panel, *panel["targets"])]
    queries += [(annotation["name"], annotation) for annotation in dashboard["annotations"]["list"]]
    queries += [(f"${name}", each) for name, each in declared.items() if each["type"] == "query"]
    for where, query in queries:
        source = query.get("datasource") or {}
        names = variables_in(source.get("uid") or "")
        if not names or names - sources:
            yield Finding("datasources", where, f"{source} is not chosen by a variable")
        elif {declared[name]["query"] for name in names} != {source.get("type")}:
            yield Finding("datasources", where, f"{source} has another type than its variable")


def variables_resolve(dashboard: Json) -> Iterator[Finding]:
    """Every variable that is used is declared before it is used, and the other way round."""
    declared = variables(dashboard)
    known: set[str] = set()
    for name, variable in declared.items():
        if variable["type"] == "query":
            if variable.get("refresh") != 2:
                yield Finding("variables", f"${name}", "it is not refreshed with the time range")
            for unknown in sorted(variables_in(variable["query"]["query"]) - known):
                yield Finding("variables", f"${name}", f"it uses ${unknown}, which is not declared before it")
        known.add(name)
    used: set[str] = set()
    content = {key: value for key, value in dashboard.items() if key != "templating"}
    for text in strings(content):
        used |= variables_in(text)
    for unknown in sorted(used - known - BUILT_IN):
        yield Finding("variables", dashboard["title"], f"${unknown} is not declared")
    for idle in sorted(known - used):
        yield Finding("variables", f"${idle}", "nothing uses it")
