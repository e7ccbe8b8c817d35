"""What happened, drawn across every panel: alerts that fired, processes that started."""

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery

from grafana.promql import JOB
from grafana.variables import PROMETHEUS


def firing_alerts(*matchers: str) -> AnnotationQuery:
    """Times during which an alert of the job fired."""
    return (
        AnnotationQuery()
        .name("Firing alerts")
        .datasource(PROMETHEUS)
        .enable(True)
        .icon_color("red")
        .expr(JOB.select("ALERTS", 'alertstate="firing"', *matchers))
        .title_format("{{alertname}}")
        .text_format("{{severity}} {{workflow}} {{operation}} {{instance}}")
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
