"""What a process has measured of itself, which the alerts are evaluated over where no Prometheus is asked."""

from collections.abc import Mapping
from typing import Protocol

from retryscope_service.slo.duration import Duration
from retryscope_service.slo.promql import Labels


class Counters(Protocol):
    """Counters of one kind, by the values of their labels."""

    @property
    def latest(self) -> Mapping[Labels, float]:
        """The present values."""

    def increase(self, series: Labels, window: float) -> float | None:
        """By how much one grew in the last ``window`` seconds; None where that is not known yet."""


class Gauges(Protocol):
    """Gauges of one kind over the window of their alert, by the values of their labels."""

    @property
    def latest(self) -> Mapping[Labels, float]:
        """The present values."""

    def values(self, series: Labels) -> list[float]:
        """Those of one in the window."""

    def was_there(self, series: Labels) -> bool:
        """Whether it had a value when the window began."""


class Measured(Protocol):
    """The past of each counter and gauge that an alert asks for."""

    @property
    def runs(self) -> Counters:
        """Runs that ended, by workflow and outcome."""

    @property
    def attempts(self) -> Counters:
        """Attempts that ended, by workflow, operation and outcome."""

    @property
    def operations(self) -> Counters:
        """Operations that ended, by workflow, operation and outcome."""

    @property
    def promised(self) -> Counters:
        """The same, of the operations that have an objective, as far back as its windows reach."""

    @property
    def in_flight(self) -> Gauges:
        """Runs in flight, by workflow."""

    @property
    def pools(self) -> Gauges:
        """Places taken, by pool."""

    @property
    def pool_limits(self) -> Mapping[Labels, float]:
        """Places that there are now, by pool."""

    @property
    def dropped(self) -> Counters:
        """Spans lost, by reason."""

    def lag_quantile(self, quantile: float, window: Duration) -> float | None:
        """Of the event loop's lag in seconds; None without a look at it."""
