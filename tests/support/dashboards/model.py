"""A dashboard's JSON, read as what it is made of."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """A rule that is broken, and where."""

    rule: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.where}: {self.what}"


@dataclass(frozen=True)
class Target:
    """A query of a panel."""

    panel: Json
    query: Json

    @property
    def expression(self) -> str:
        """PromQL, with Grafana's variables in it."""
        return str(self.query["expr"])

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.panel['title']} {self.query.get('refId')}"


Rule = Callable[[Json], Iterator[Finding]]

VARIABLE = re.compile(r"\$\{(\w+)(?:\.[^:}]+|\[[^\]]*\])?(?::\w+)?\}|\[\[(\w+)\]\]|\$(\w+)")
"""A variable of Grafana, in any of its notations."""

WINDOWS = {"__rate_interval": "5m", "__interval": "5m", "__range": "5m"}


def load(folder: Path) -> list[Json]:
    """Every dashboard of a folder."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def panels(dashboard: Json) -> list[Json]:
    """Its panels, without the rows between them."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def prometheus_targets(dashboard: Json) -> Iterator[Target]:
    """Its queries in PromQL."""
    for panel in panels(dashboard):
        yield from (Target(panel, query) for query in panel.get("targets", []) if "expr" in query)


def tempo_targets(dashboard: Json) -> Iterator[Target]:
    """Its queries in TraceQL."""
    for panel in panels(dashboard):
        yield from (Target(panel, query) for query in panel.get("targets", []) if "expr" not in query)


def variables(dashboard: Json) -> dict[str, Json]:
    """Its variables by name, in their order."""
    return {variable["name"]: variable for variable in dashboard["templating"]["list"]}


def strings(node: object) -> Iterator[str]:
    """Every string in it."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for child in node.values():
            yield from strings(child)
    elif isinstance(node, list):
        for child in node:
            yield from strings(child)


def variables_in(text: str) -> set[str]:
    """Names of the variables that a text has."""
    return {next(filter(None, match.groups())) for match in VARIABLE.finditer(text)}


def substituted(text: str, values: dict[str, str]) -> str:
    """The text as Grafana sends it: windows filled in, and these variables."""
    known = {**WINDOWS, **values}

    def value(match: re.Match[str]) -> str:
        name = next(filter(None, match.groups()))
        return known.get(name, match[0])

    return VARIABLE.sub(value, text)


def parsable(expression: str, dashboard: Json) -> str:
    """The expression with something in the place of every variable."""
    return substituted(expression, dict.fromkeys(variables(dashboard), "x"))


def links(dashboard: Json) -> Iterator[tuple[str, Json]]:
    """Every link, with the title of its panel."""
    yield from (("dashboard", link) for link in dashboard.get("links", []))
    for panel in panels(dashboard):
        config = panel.get("fieldConfig", {})
        found = [*panel.get("links", []), *config.get("defaults", {}).get("links", [])]
        for override in config.get("overrides", []):
            for prop in override["properties"]:
                found += prop["value"] if prop["id"] == "links" else []
        yield from ((panel["title"], link) for link in found)


def provisioned(folder: Path) -> dict[str, str]:
    """Type of each provisioned data source by its uid."""
    files = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yml"))]
    return {source["uid"]: source["type"] for file in files for source in file["datasources"]}
