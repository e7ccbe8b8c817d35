"""What happened, drawn across every panel: alerts that fired, processes that started."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery

from grafana.promql import JOB
from grafana.variables import PROMETHEUS
from retryscope_service.slo.promql import largest


def firing_alerts(names: Sequence[str], *matchers: str) -> AnnotationQuery:
    """Times during which one of these alerts of the job fired: each once, whatever it was about."""
    about = f'alertname=~"{"|".join(names)}"'
    found = JOB.select("ALERTS", 'alertstate="firing"', about, *matchers)
    return (
        AnnotationQuery()
        .name("Firing alerts")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color("red")
        .expr(largest(found, "alertname", "severity"))
        .title_format("{{alertname}}")
        .text_format("{{severity}}")
        .tag_keys("severity")
        .step("10s")
    )


def starts() -> AnnotationQuery:
    """The first minute of a process: a deploy, or a restart that nobody asked for."""
    return (
        AnnotationQuery()
        .name("Starts and deploys")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color("blue")
        .expr(f"time() - {JOB.select('process_start_time_seconds')} < 60")
        .title_format("Process started")
        .text_format("{{instance}}")
        .step("10s")
    )
