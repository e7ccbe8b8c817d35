"""TelemetryDropped: spans are lost."""

from collections.abc import Iterator

from retryscope_service.slo import dashboards
from retryscope_service.slo.alerts.alert import Alert, Subject
from retryscope_service.slo.alerts.evaluation import Evaluation, compared
from retryscope_service.slo.alerts.measured import Measured
from retryscope_service.slo.compression import Compression
from retryscope_service.slo.definition import SloDefinition
from retryscope_service.slo.promql import DROPPED_SPANS, JOB_INSTANCE, lines, over, summed

_SPANS = Subject("spans[ of {instance} ({job})] are lost: {reason}", "spans are lost")


def telemetry_dropped(definition: SloDefinition) -> Alert:
    """More spans are lost than may be."""
    settings = definition.alerts.telemetry_dropped

    def promql(compression: Compression) -> str:
        window = str(compression.window(settings.window))
        dropped = summed(over("increase", DROPPED_SPANS, window), *JOB_INSTANCE, "reason")
        return lines(f"{dropped} > {settings.threshold}")

    def value(measured: Measured) -> Iterator[Evaluation]:
        for series in measured.dropped.latest:
            lost = measured.dropped.increase(series, settings.window.seconds)
            if lost is not None:
                yield compared({"reason": series[0]}, lost, settings.threshold)

    return Alert(
        name="TelemetryDropped",
        settings=settings,
        subject=_SPANS,
        summary="{subject}.",
        description=f"About {{value}} of them in the last {settings.window}; traces are incomplete.",
        condition=f"more than {settings.threshold} spans are lost within {settings.window}",
        unit="count",
        threshold=float(settings.threshold),
        window=settings.window,
        dashboard=dashboards.link(dashboards.SERVICE, *JOB_INSTANCE),
        promql=promql,
        value=value,
    )
