"""ConcurrencySaturated: a pool is nearly full."""

from collections.abc import Iterator

from retryscope_service import semconv
from retryscope_service.slo import dashboards
from retryscope_service.slo.alerts.alert import Alert, Subject, shown
from retryscope_service.slo.alerts.evaluation import Evaluation, compared
from retryscope_service.slo.alerts.measured import Measured
from retryscope_service.slo.compression import Compression
from retryscope_service.slo.definition import SloDefinition
from retryscope_service.slo.promql import ENGINE, JOB_INSTANCE, NOT_ENGINE, largest, lines, over, summed

_POOL = Subject("pool {pool}[ of {{ with $labels.instance }}{{ . }} of {{ end }}{job}]", "a pool")


def concurrency_saturated(definition: SloDefinition) -> Alert:
    """On average too large a share of a pool's places is taken."""
    settings = definition.alerts.concurrency_saturated

    def promql(compression: Compression) -> str:
        window = str(compression.window(settings.window))
        taken, limit = semconv.CONCURRENCY_IN_FLIGHT.name, semconv.CONCURRENCY_LIMIT.name
        own = summed(over("avg_over_time", taken, window, NOT_ENGINE), *JOB_INSTANCE, "pool")
        # The engine is one for all API processes, and each of them reports the same of it.
        engine = largest(over("avg_over_time", taken, window, ENGINE), "job", "pool")
        threshold = f"> {settings.threshold:.12g}"
        return lines(
            own,
            f"/ {summed(limit, *JOB_INSTANCE, 'pool')}",
            threshold,
            "or",
            engine,
            f"/ {largest(limit, 'job', 'pool')}",
            threshold,
        )

    def value(measured: Measured) -> Iterator[Evaluation]:
        for pool, places in measured.pool_limits.items():
            taken = measured.pools.values(pool)
            if taken and places:
                yield compared({"pool": pool[0]}, sum(taken) / len(taken) / places, settings.threshold)

    return Alert(
        name="ConcurrencySaturated",
        settings=settings,
        subject=_POOL,
        summary="{subject} is nearly full.",
        description=f"{{value}} of its limit were taken on average in the last {settings.window}; beyond it"
        " runs are refused or wait.",
        condition=f"more than {shown(settings.threshold, 'ratio')} of a pool were taken on average in the"
        f" last {settings.window}",
        unit="ratio",
        threshold=settings.threshold,
        window=settings.window,
        dashboard=dashboards.process_link(),
        promql=promql,
        value=value,
    )
