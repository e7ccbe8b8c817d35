"""What all dashboards have in common, and the JSON that is committed."""

import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import TimeZoneBrowser
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from grafana import annotations, navigation
from grafana.panel_kinds import Panel
from grafana.variables import Variable, datasources

Rows = Sequence[tuple[str, Sequence[Panel]]]
"""Headings, and the panels under each; without a heading there is no line for it."""


def dashboard(
    uid: str,
    title: str,
    description: str,
    *,
    variables: Iterable[Variable],
    rows: Rows,
    alerts: Sequence[str],
    about: Sequence[str] = (),
) -> Dashboard:
    """A dashboard of the family.

    Args:
        uid: Part of its address.
        title: Its name.
        description: Which questions it answers.
        variables: Besides the data sources.
        rows: Titles, and the panels under them.
        alerts: Names of those that are drawn across its panels: the ones that its panels are about.
        about: Further matchers of these alerts.
    """
    built = (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([navigation.TAG])
        .refresh("10s")
        .time("now-30m", "now")
        .timezone(TimeZoneBrowser)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .variables([*datasources(), *variables])
        .link(navigation.siblings())
        .annotations([annotations.firing_alerts(alerts, *about), annotations.starts()])
    )
    for heading, panels in rows:
        if heading:
            built = built.with_row(Row(heading))
        for panel in panels:
            built = built.with_panel(panel)
    return built


def encode(built: Dashboard) -> str:
    """Grafana's JSON, the same text every time."""
    content = json.loads(JSONEncoder().encode(built.build()))
    for panel in content["panels"]:
        # An id that follows from the title survives when panels are added, and with it links to the panel.
        panel["id"] = zlib.crc32(panel["title"].encode()) % 1_000_000
        for letter, target in zip("ABCDEFGHIJKL", panel.get("targets", []), strict=False):
            target["refId"] = letter
    _show_links(content)
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _show_links(node: Any) -> None:
    """The models put every link into a menu that is closed; without a placement it is shown."""
    if isinstance(node, dict):
        if node.get("placement") == "inControlsMenu":
            del node["placement"]
        for child in node.values():
            _show_links(child)
    elif isinstance(node, list):
        for child in node:
            _show_links(child)
