"""Alerting rules: the alerts as Prometheus is told about them."""

from retryscope_service.slo.alerts.alert import Alert
from retryscope_service.slo.compression import Compression
from retryscope_service.slo.definition import SloDefinition
from retryscope_service.slo.recording import Rule


def alerting_rule(alert: Alert, definition: SloDefinition, compression: Compression) -> Rule:
    """The rule of an alert, with the links of a definition."""
    summary, description = alert.templates()
    grafana = definition.grafana_url
    return {
        "alert": alert.name,
        "expr": alert.promql(compression),
        "for": str(compression.hold(alert.settings.for_)),
        "labels": {"severity": alert.settings.severity, **alert.labels},
        "annotations": {
            "summary": summary,
            "description": description,
            "runbook_url": f"{definition.runbook_url}#{alert.name.lower()}",
            **({} if grafana is None else {"dashboard_url": f"{grafana}{alert.dashboard}"}),
        },
    }
