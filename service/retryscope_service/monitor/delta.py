"""The sums that the charts are made of, and how they changed between two moments."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from retryscope.outcome import ATTEMPT_OUTCOMES, CANCEL_CAUSES, OUTCOMES
from retryscope_service.monitor.prometheus_functions import histogram_quantile
from retryscope_service.monitor.scrape import LAG_BOUNDS, RUN_BOUNDS, Scrape


@dataclass(frozen=True, slots=True)
class Totals:
    """A scrape summed over workflows and operations: as large with a thousand of them as with one."""

    runs: Mapping[str, float]
    run_buckets: Sequence[float]
    attempts: Mapping[str, float]
    operations: float
    operation_seconds: float
    backoff_seconds: float
    cancellations: Mapping[str, float]
    in_flight: float
    lag_buckets: Sequence[float]

    @classmethod
    def of(cls, scrape: Scrape) -> "Totals":
        """The sums of a scrape."""
        runs: dict[str, float] = dict.fromkeys(OUTCOMES, 0.0)
        for (_, outcome), number in scrape.runs.items():
            runs[outcome] += number
        attempts: dict[str, float] = dict.fromkeys(ATTEMPT_OUTCOMES, 0.0)
        for (_, _, outcome), number in scrape.attempts.items():
            attempts[outcome] += number
        return cls(
            runs=runs,
            run_buckets=scrape.run_buckets,
            attempts=attempts,
            operations=sum(scrape.operations.values()),
            operation_seconds=scrape.operation_seconds,
            backoff_seconds=scrape.backoff_seconds,
            cancellations={cause: scrape.cancellations.get(cause, 0.0) for cause in CANCEL_CAUSES},
            in_flight=sum(scrape.in_flight.values()),
            lag_buckets=scrape.lag_buckets,
        )


@dataclass(frozen=True, slots=True)
class Delta:
    """What was counted between two moments.

    Attributes:
        before: The sums at the first one.
        after: At the second one.
        seconds: The time between them.
    """

    before: Totals
    after: Totals
    seconds: float

    def of(self, counter: Callable[[Totals], float]) -> float:
        """By how much a counter grew."""
        return counter(self.after) - counter(self.before)

    def rate(self, counter: Callable[[Totals], float]) -> float:
        """By how much it grew, a second."""
        return self.of(counter) / self.seconds

    def share(self, part: Callable[[Totals], float], whole: Callable[[Totals], float]) -> float | None:
        """Growth of one counter over that of another; None where there was none."""
        grown = self.of(whole)
        return self.of(part) / grown if grown > 0 else None

    def run_quantile(self, quantile: float) -> float | None:
        """Of the durations of the runs that ended meanwhile."""
        return histogram_quantile(
            quantile, RUN_BOUNDS, _grown(self.before.run_buckets, self.after.run_buckets)
        )

    def lag_quantile(self, quantile: float) -> float | None:
        """Of the event loop's lag meanwhile."""
        return histogram_quantile(
            quantile, LAG_BOUNDS, _grown(self.before.lag_buckets, self.after.lag_buckets)
        )


def _grown(before: Sequence[float], after: Sequence[float]) -> list[float]:
    return [new - old for old, new in zip(before, after, strict=True)]
