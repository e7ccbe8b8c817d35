"""From a number to the traces behind it: TraceQL, links into Explore, and lists of traces.

A trace's `service.name` is the name of the Prometheus job: the same service under one name in both.
"""

import json
import re
from urllib.parse import quote

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.builders.tempo import Dataquery
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue
from grafana_foundation_sdk.models.tempo import SearchTableType

from grafana.panel_kinds import described, without_value
from grafana.tables import in_pages, width_of, without_column
from grafana.variables import TEMPO
from retryscope import semconv
from retryscope_service import semconv as service_semconv
from retryscope_service.slo.traceql import spans

NO_TRACES = "No such trace in this time range"

BREAKS_LINKS = frozenset('"%&#+\\')
"""What names of workflows and operations must not have in them, if links to traces are to work."""

LABELS = {
    "workflow": semconv.WORKFLOW,
    "operation": semconv.OPERATION,
    "outcome": semconv.OUTCOME,
    "error_type": semconv.ERROR_TYPE,
    "cause": semconv.CANCEL_CAUSE,
    "reason": semconv.RETRY_GIVEUP_REASON,
    "http_route": semconv.HTTP_ROUTE,
    "server_address": semconv.SERVER_ADDRESS,
}
"""Span attribute of each metric label that spans have too."""

IN_WORKFLOWS = f'span.{semconv.WORKFLOW} =~ "${{workflow:pipe}}"'
IN_OPERATIONS = f'span.{semconv.OPERATION} =~ "${{operation:pipe}}"'


def has(attribute: str, value: str) -> str:
    """The condition that a span attribute has a value."""
    return f'span.{attribute} = "{value}"'


def of_series(*labels: str, conditions: tuple[str, ...] = (), title: str = "Traces") -> DashboardLink:
    """From a series to its traces: the values of its labels are filled in."""
    filled = (has(LABELS[label], f"${{__field.labels.{label}}}") for label in labels)
    return explore(title, *conditions, *filled)


def of_row(title: str, *labels: str, conditions: tuple[str, ...] = ()) -> DashboardLink:
    """From a table's row to its traces; ``labels`` are the columns' headings in lower case."""
    filled = (has(LABELS[label], f"${{__data.fields.{label.title()}}}") for label in labels)
    return explore(title, *conditions, *filled)


def explore(title: str, *conditions: str) -> DashboardLink:
    """A link that opens Explore with a TraceQL query over the panel's time range."""
    pane = {
        "datasource": "${tracesource}",
        "queries": [
            {
                "refId": "A",
                "datasource": {"type": "tempo", "uid": "${tracesource}"},
                "queryType": "traceql",
                "limit": 20,
                "query": spans("${job}", *conditions),
            }
        ],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    panes = _encoded(json.dumps({"traces": pane}, separators=(",", ":")))
    return DashboardLink(title).url(f"/explore?schemaVersion=1&orgId=1&panes={panes}")


def _encoded(text: str) -> str:
    """Percent-encoded, but for the variables, which Grafana fills in.

    Above all `&&`: as it is, it would end the parameter. Grafana encodes what it fills in for `${name}`, but
    not for `${name:pipe}`: in names of workflows and operations the characters of `BREAKS_LINKS` end it.
    """
    parts = re.split(r"(\$\{[^}]+\})", text)
    return "".join(part if part.startswith("${") else quote(part, safe="") for part in parts)


HEADINGS = {
    semconv.WORKFLOW: "Workflow",
    semconv.OPERATION: "Operation",
    semconv.OUTCOME: "Outcome",
    semconv.ERROR_TYPE: "Error",
    semconv.CANCEL_CAUSE: "Cause",
    semconv.CANCEL_REASON: "Reason",
    semconv.CANCEL_LOCATION: "Asked from",
    semconv.RETRY_ATTEMPTS: "Attempts",
    semconv.RETRY_BACKOFF: "Waited",
    semconv.RETRY_GIVEUP_REASON: "Gave up for",
    semconv.TIMEOUT_LIMIT: "Limit",
    semconv.SERVER_ADDRESS: "Server",
    semconv.HTTP_RESPONSE_STATUS_CODE: "Status",
    service_semconv.RUN_ID: "Run",
    service_semconv.RUN_DELIVERY: "Delivery",
}
"""Of the columns of lists of traces: the attributes' own names have no room."""

INTRINSIC = {"Span ID": 155, "Start time": 180, "Duration": 85}
"""Columns that each list of traces has, with their widths in pixels."""
WIDTHS = {
    "Outcome": 95,
    "Cause": 140,
    "Attempts": 85,
    "Waited": 85,
    "Limit": 85,
    "Status": 75,
    "Delivery": 85,
    "Run": 315,
}
"""Of columns whose values have a length, in pixels; names and words share what is left."""


def search(
    title: str, *conditions: str, shown: tuple[str, ...], means: str, do: str, height: int = 10
) -> table.Panel:
    """A list of traces.

    Args:
        title: Of the panel.
        conditions: TraceQL that one span of the trace meets.
        shown: Attributes of the matching spans, as columns.
        means: What it means.
        do: What to do about it.
        height: In rows of the grid.
    """
    panel = described(table.Panel(), title, means=means, do=do, empty=NO_TRACES, width=24, height=height)
    selected = ", ".join(f"span.{name}" for name in shown)
    target = (
        Dataquery()
        .datasource(TEMPO)
        .query_type("traceql")
        .query(f"{spans('$job', *conditions)} | select({selected})")
        .table_type(SearchTableType.SPANS)
        .limit(20)
        .spss(3)
    )
    for name, pixels in INTRINSIC.items():
        panel = panel.override_by_name(name, [width_of(pixels)])
    for name in shown:
        heading = HEADINGS[name]
        config = [DynamicConfigValue(id_val="displayName", value=heading)]
        if heading in WIDTHS:  # in one override: by the heading that it gives, nothing is found yet
            config.append(width_of(WIDTHS[heading]))
        panel = panel.override_by_name(name, config)
    panel = in_pages(panel.mappings([without_value("-")]))
    # All are of the chosen job, and their root is seldom more than a route; a span's own name would repeat
    # its operation or workflow.
    told = ("Name",) if {semconv.OPERATION, semconv.WORKFLOW}.intersection(shown) else ()
    for heading in ("Trace Service", "Trace Name", *told):
        panel = without_column(panel, heading)
    return panel.datasource(TEMPO).with_target(target).unit("none")
