"""What the alerts are evaluated over: the scrapes of the past, as far as windows reach."""

from collections.abc import Mapping
from typing import Final

from retryscope_service.monitor.prometheus_functions import histogram_quantile
from retryscope_service.monitor.scrape import LAG_BOUNDS, Labels, Scrape
from retryscope_service.monitor.series import STEP, CounterSeries, GaugeSeries
from retryscope_service.slo.definition import SloDefinition
from retryscope_service.slo.duration import Duration
from retryscope_service.slo.recording import SHORT

_LAG_SERIES: Final[tuple[Labels, ...]] = tuple((f"{bound:g}",) for bound in LAG_BOUNDS)


class AlertSeries:
    """The past of each counter and gauge that an alert of a definition asks for.

    Attributes:
        runs: By workflow and outcome.
        attempts: By workflow, operation and outcome.
        operations: By workflow, operation and outcome.
        promised: The same, of the operations that have an objective.
        in_flight: By workflow.
        pools: By pool; ``pool_limits`` are their present bounds.
        dropped: By reason.
    """

    def __init__(self, definition: SloDefinition) -> None:
        alerts = definition.alerts
        of_runs = [burn.long for burn in definition.burn_rates]
        of_runs += [alerts.stalled.window, alerts.cancellation_spike.window]
        self.runs = CounterSeries(max(of_runs).seconds)
        self.attempts = CounterSeries(max(alerts.timeout_ratio_high.window, SHORT).seconds)
        self.operations = CounterSeries(max(alerts.operation_failure_ratio_high.window, SHORT).seconds)
        # Windows of days, which would take too much memory for all operations that there may be.
        self.promised = CounterSeries(max(burn.long for burn in definition.burn_rates).seconds)
        self._promised = definition.objective.operations.keys()
        self.in_flight = GaugeSeries(alerts.stalled.window.seconds)
        self.pools = GaugeSeries(alerts.concurrency_saturated.window.seconds)
        self.pool_limits: Mapping[Labels, float] = {}
        self._lag = CounterSeries(alerts.event_loop_lag_high.window.seconds)
        self.dropped = CounterSeries(alerts.telemetry_dropped.window.seconds)
        self._since: float | None = None
        self._now = 0.0

    def add(self, now: float, scrape: Scrape) -> None:
        """Take a scrape, later than all before."""
        self.runs.add(now, scrape.runs)
        self.attempts.add(now, scrape.attempts)
        self.operations.add(now, scrape.operations)
        promised = {each: number for each, number in scrape.operations.items() if each[1] in self._promised}
        self.promised.add(now, promised)
        self.in_flight.add(now, scrape.in_flight)
        self.pools.add(now, scrape.pool_in_flight)
        self.pool_limits = scrape.pool_limit
        self._lag.add(now, dict(zip(_LAG_SERIES, scrape.lag_buckets, strict=True)))
        self.dropped.add(now, scrape.dropped)
        self._since = now if self._since is None else self._since
        self._now = now

    def lag_quantile(self, quantile: float, window: Duration) -> float | None:
        """Of the event loop's lag in seconds; None without a look at it."""
        grown = [self._lag.increase(bucket, window.seconds) or 0.0 for bucket in _LAG_SERIES]
        return histogram_quantile(quantile, LAG_BOUNDS, grown)

    def cover(self, window: Duration) -> bool:
        """Whether they reach back to the beginning of a window that ends now."""
        return self._since is not None and self._now - self._since >= window.seconds - STEP
