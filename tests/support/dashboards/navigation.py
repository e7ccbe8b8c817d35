"""Rules about where a click leads: to dashboards that exist, and to traces by attributes that exist."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from grafana import thresholds
from tests.support.dashboards.model import (
    Finding,
    Json,
    links,
    panels,
    prometheus_targets,
    tempo_targets,
)
from tests.support.dashboards.queries import labels_of
from tests.support.known import Series
from tests.support.names import ATTRIBUTES

TAG = "retryscope"
CONDITION = re.compile(
    r"(?P<field>span\.[\w.]+|resource\.[\w.]+|name|status|duration)"
    r' (?P<operator>=|!=|=~|!~|>|>=|<|<=) (?P<value>"[^"]*"|[\w.${}]+)'
)
FIELD = re.compile(r"\$\{__field\.labels\.(\w+)")
COLUMN = re.compile(r'\$\{__data\.fields(?:\["|\.)([^"}]+)')
RESOURCE = {"service.name"}


def siblings(dashboard: Json) -> Iterator[Finding]:
    """It leads to its siblings with variables and time, and they lead to it."""
    if TAG not in dashboard.get("tags", []):
        yield Finding("siblings", dashboard["title"], f"without the tag {TAG} its siblings do not lead to it")
    found = [
        link for link in dashboard.get("links", []) if link["type"] == "dashboards" and TAG in link["tags"]
    ]
    if not any(link["includeVars"] and link["keepTime"] for link in found):
        yield Finding("siblings", dashboard["title"], "no link keeps variables and time")
    if any(link.get("placement") for link in found):
        yield Finding("siblings", dashboard["title"], "its links are hidden in a menu")


def addresses(dashboard: Json, *, uids: Collection[str]) -> Iterator[Finding]:
    """Links lead into Explore or to a dashboard that exists, with the job and the time kept."""
    for where, link in links(dashboard):
        if link.get("type") == "dashboards":
            continue
        url = str(link.get("url") or "")
        parts = urlsplit(url)
        uid = parts.path.removeprefix("/d/")
        if parts.path == "/explore" or url.startswith(f"{thresholds.RUNBOOK}#"):
            continue
        if parts.scheme or uid not in uids or uid == parts.path:
            yield Finding("addresses", where, f"{url or 'nothing'} leads nowhere")
        elif "${job:queryparam}" not in url or "${__url_time_range}" not in url:
            yield Finding("addresses", where, f"{url} forgets the job or the time range")


def filled_in(dashboard: Json, *, known: Mapping[str, Series]) -> Iterator[Finding]:
    """What a link fills in, the series or the row has."""
    for panel in panels(dashboard):
        one = {**dashboard, "panels": [panel]}
        of_targets = [labels_of(target, dashboard, known) for target in prometheus_targets(one)]
        common = (
            frozenset.intersection(*(each for each in of_targets if each is not None))
            if any(of_targets)
            else frozenset()
        )
        headings = {
            heading
            for transformation in panel.get("transformations") or []
            for heading in transformation["options"].get("renameByName", {}).values()
        }
        for where, link in links(one):
            url = unquote(str(link.get("url") or ""))
            for label in set(FIELD.findall(url)) - common:
                yield Finding("filled in", where, f"not every series has the label {label}")
            for column in set(COLUMN.findall(url)) - headings:
                yield Finding("filled in", where, f"no column is named {column}")


def trace_queries(dashboard: Json) -> Iterator[tuple[str, str]]:
    """Every TraceQL query, of panels and of links into Explore."""
    for target in tempo_targets(dashboard):
        yield target.panel["title"], str(target.query.get("query"))
    for where, link in links(dashboard):
        url = str(link.get("url") or "")
        if urlsplit(url).path == "/explore":
            yield where, _query_in(url)


def _query_in(url: str) -> str:
    try:
        (panes,) = parse_qs(urlsplit(url).query)["panes"]
        (pane,) = json.loads(panes).values()
        (query,) = pane["queries"]
        named = (
            pane["datasource"],
            query["datasource"]["uid"],
            query["datasource"]["type"],
            query["queryType"],
        )
        keeps_time = pane["range"] == {"from": "${__from}", "to": "${__to}"}
    except (KeyError, TypeError, ValueError) as error:
        return f"no pane with one query: {error!r}"
    if named != ("${tracesource}", "${tracesource}", "tempo", "traceql") or not keeps_time:
        return f"no TraceQL over the same time range: {pane}"
    return str(query["query"])


def traceql(dashboard: Json) -> Iterator[Finding]:
    """Trace queries are in the small part of TraceQL that is used here, and of this job."""
    for where, query in trace_queries(dashboard):
        found = re.fullmatch(r"\{ (?P<conditions>.+?) \}(?: \| select\((?P<selected>[^)]+)\))?", query)
        if found is None:
            yield Finding("traceql", where, f"not {{ ... }} | select(...): {query}")
            continue
        conditions = found["conditions"].split(" && ")
        if not re.fullmatch(r'resource\.service\.name = "\$(job|\{job\})"', conditions[0]):
            yield Finding("traceql", where, f"it is not of the job: {query}")
        fields = []
        for condition in conditions:
            if parts := CONDITION.fullmatch(condition):
                fields.append(parts["field"])
            else:
                yield Finding("traceql", where, f"{condition!r} is no condition")
        fields += found["selected"].split(", ") if found["selected"] else []
        for field in fields:
            scope, _, name = field.partition(".")
            known = {"span": set(ATTRIBUTES), "resource": RESOURCE}.get(scope, {""})
            if name not in known:
                yield Finding("traceql", where, f"no {scope} has an attribute {name}")


def into_traces(dashboard: Json) -> Iterator[Finding]:
    """A panel whose series has exemplars leads to traces as well."""
    for panel in panels(dashboard):
        asks = any(target.get("exemplar") for target in panel["targets"])
        urls = [str(link.get("url")) for _, link in links({**dashboard, "links": [], "panels": [panel]})]
        if asks and not any(url.startswith("/explore?") for url in urls):
            yield Finding("into traces", panel["title"], "no link leads to its traces")
