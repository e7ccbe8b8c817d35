"""Which alerts fire, since when, and what to read about them."""

from functools import reduce

from grafana import navigation, thresholds
from grafana.colours import RED
from grafana.panel_kinds import Panel, current, number
from grafana.promql import JOB
from grafana.tables import Column, rows
from retryscope_service.slo import dashboards, recording
from retryscope_service.slo.promql import largest

FIRING = 'alertstate="firing"'
ABOUT = ("workflow", "operation", "pool", "instance")
"""Labels that say what an alert is about; each alert has some of them."""
NONE_FIRES = "No alert fires, as far as Prometheus knows"


def firing_for(*matchers: str) -> str:
    """Seconds for which each firing alert has been true, with where, and the heading of its runbook."""
    since = JOB.select("ALERTS_FOR_STATE", *matchers)
    age = f"time() - ({since} and ignoring (alertstate) {JOB.select('ALERTS', FIRING, *matchers)})"
    where = ", ".join(f'"{label}"' for label in ABOUT)
    joined = f'label_join({age}, "where", " ", {where})'
    headed = reduce(
        lambda inner, alert: f'label_replace({inner}, "heading", "{alert.lower()}", "alertname", "{alert}")',
        thresholds.ALERT_NAMES,
        joined,
    )
    return largest(headed, "alertname", "severity", "where", "heading")


def firing(*matchers: str, width: int, height: int, most: int | None = None) -> Panel:
    """The list of firing alerts."""
    return rows(
        "Firing alerts",
        {"For": Column(firing_for(*matchers), "s")},
        by={"alertname": "Alert", "severity": "Severity", "where": "Where", "heading": "Heading"},
        worst_by="For",
        means="Alerts of this job that fire now, what each is about, and for how long that has been so.",
        do="Click an alert's name for its runbook: what it means for users, where to look, what to do.",
        width=width,
        height=height,
        empty=NONE_FIRES,
        most=most,
        hidden=["Heading"],
        widths={"Alert": 200, "Severity": 75},
        links={"Alert": [navigation.runbook()]},
    )


def number_firing(*matchers: str, height: int = 4) -> Panel:
    """How many fire; nobody knows where Prometheus has no rules."""
    found = largest(JOB.select("ALERTS", FIRING, *matchers), "alertname", "workflow", "operation")
    rules = JOB.select(recording.WORKFLOW.budget)
    return number(
        "Alerts firing",
        current(f"count({found})\nor count({rules}) * 0", "alerts"),
        means="Alerts of this job that fire now, each once for what it is about.",
        do="The list of firing alerts says which, and links to their runbooks.",
        unit="short",
        empty="Prometheus has recorded nothing: no rules file, or nothing scraped",
        unknown="no rules",
        height=height,
        steps={1.0: RED},
        links=[navigation.of_variables("Service and process", dashboards.SERVICE)],
    )
