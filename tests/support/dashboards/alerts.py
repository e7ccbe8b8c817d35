"""Rules about the alerts that panels name."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from tests.support.dashboards.model import Finding, Json, panels, parsable
from tests.support.known import family
from tests.support.promql import metric_uses

Families = frozenset[str]


def recorded(rules: Path) -> dict[str, str]:
    """The expression of each recorded series."""
    return {rule["record"]: rule["expr"] for rule in _rules(rules) if "record" in rule}


def alerts(rules: Path) -> dict[str, Families]:
    """The families that each alert is about, whether it asks for them or for what is recorded of them."""
    known = recorded(rules)
    found: dict[str, Families] = {}
    for rule in _rules(rules):
        if "alert" in rule:
            found[rule["alert"]] = found.get(rule["alert"], frozenset()) | families(rule["expr"], known)
    return found


def _rules(folder: Path) -> Iterator[Json]:
    for path in sorted(folder.glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def families(expression: str, known: Mapping[str, str]) -> Families:
    """The families behind an expression."""
    found: Families = frozenset()
    for use in metric_uses(expression):
        found |= families(known[use.metric], known) if use.metric in known else {family(use.metric)}
    return found


def named(dashboard: Json, *, rules: Path) -> Iterator[Finding]:
    """A panel that names an alert shows what it is about; all of that where it draws the alert's line."""
    known, about = recorded(rules), alerts(rules)
    for panel in panels(dashboard):
        shown: Families = frozenset()
        for target in panel.get("targets", []):
            try:
                shown |= families(parsable(target.get("expr", "0"), dashboard), known)
            except ValueError:
                continue
        draws = "thresholdsStyle" in panel.get("fieldConfig", {}).get("defaults", {}).get("custom", {})
        for alert in sorted(about.keys() & set(re.findall(r"\w+", panel.get("description") or ""))):
            missing = about[alert] - shown
            if missing and (draws or missing == about[alert]):
                what = f"{alert} is about {', '.join(sorted(missing))}, which it does not show"
                yield Finding("alerts", panel["title"], what)
