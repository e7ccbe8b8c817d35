"""EventLoopLagHigh: something blocks the event loop."""

from collections.abc import Iterator

from retryscope_service.slo import dashboards
from retryscope_service.slo.alerts.alert import Alert, Subject, shown
from retryscope_service.slo.alerts.evaluation import Evaluation, compared
from retryscope_service.slo.alerts.measured import Measured
from retryscope_service.slo.compression import Compression
from retryscope_service.slo.definition import SloDefinition
from retryscope_service.slo.promql import EVENT_LOOP_LAG, JOB_INSTANCE, lines, over, summed

_LOOP = Subject("the event loop[ of {instance} ({job})]", "the event loop")


def event_loop_lag_high(definition: SloDefinition) -> Alert:
    """A quantile of the event loop's lag is too large."""
    settings = definition.alerts.event_loop_lag_high

    def promql(compression: Compression) -> str:
        window = str(compression.window(settings.window))
        lag = summed(over("rate", EVENT_LOOP_LAG, window), *JOB_INSTANCE, "le")
        return lines(f"histogram_quantile({settings.quantile:.12g}, {lag}) > {settings.threshold:.12g}")

    def value(measured: Measured) -> Iterator[Evaluation]:
        lag = measured.lag_quantile(settings.quantile, settings.window)
        if lag is not None:
            yield compared({}, lag, settings.threshold)

    return Alert(
        name="EventLoopLagHigh",
        settings=settings,
        subject=_LOOP,
        summary="{subject} lags.",
        description=f"At the quantile {settings.quantile:g} it wakes its tasks {{value}} late: something"
        " blocks it.",
        condition=f"the event loop was more than {shown(settings.threshold, 's')} late, at the quantile"
        f" {settings.quantile:g} of the last {settings.window}",
        unit="s",
        threshold=settings.threshold,
        window=settings.window,
        dashboard=dashboards.link(dashboards.SERVICE, *JOB_INSTANCE),
        promql=promql,
        value=value,
    )
