"""What is counted by outcome, once: how Prometheus is asked for it, and where a process finds its own."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from retryscope.outcome import OUTCOMES
from retryscope_service.slo import promql
from retryscope_service.slo.alerts.measured import Counters, Measured
from retryscope_service.slo.duration import Duration
from retryscope_service.slo.promql import JOB_WORKFLOW, JOB_WORKFLOW_OPERATION, Labels


@dataclass(frozen=True, slots=True)
class Group:
    """The counters that differ in their outcome only.

    Attributes:
        labels: What they have in common.
        counters: Where they are.
        series: Which of those they are.
    """

    labels: Mapping[str, str]
    counters: Counters
    series: Collection[Labels]

    def increase(self, window: Duration, outcomes: Collection[str]) -> float:
        """By how much those of some outcomes grew together."""
        return sum(
            self.counters.increase(labels, window.seconds) or 0.0
            for labels in self.series
            if labels[-1] in outcomes
        )

    def share(self, window: Duration, part: Collection[str], whole: Collection[str]) -> float | None:
        """Growth of the outcomes of a part over that of the whole; None where there was none."""
        grown = self.increase(window, whole)
        return self.increase(window, part) / grown if grown > 0 else None


@dataclass(frozen=True, slots=True)
class Counted:
    """A kind of counter by outcome.

    Attributes:
        metric: What Prometheus calls it.
        by: The labels besides the outcome; all of one process have the same job.
        own: Where a process finds its own.
    """

    metric: str
    by: Labels
    own: Callable[[Measured], Counters]

    def over(self, function: str, window: Duration, outcomes: Collection[str] = OUTCOMES) -> str:
        """PromQL: a function of those of some outcomes over a window, summed over the outcomes."""
        matchers = [] if set(outcomes) >= set(OUTCOMES) else [promql.ended(*outcomes)]
        return promql.summed(promql.over(function, self.metric, str(window), *matchers), *self.by)

    def groups(self, measured: Measured) -> Iterator[Group]:
        """Those of a process."""
        names = self.by[1:]
        counters = self.own(measured)
        series: dict[Labels, list[Labels]] = {}
        for labels in counters.latest:
            series.setdefault(labels[: len(names)], []).append(labels)
        for values, those in series.items():
            yield Group(dict(zip(names, values, strict=True)), counters, those)


RUNS: Final = Counted(promql.WORKFLOW_RUNS, JOB_WORKFLOW, lambda measured: measured.runs)
OPERATIONS: Final = Counted(promql.OPERATIONS, JOB_WORKFLOW_OPERATION, lambda measured: measured.operations)
PROMISED: Final = Counted(promql.OPERATIONS, JOB_WORKFLOW_OPERATION, lambda measured: measured.promised)
ATTEMPTS: Final = Counted(promql.ATTEMPTS, JOB_WORKFLOW_OPERATION, lambda measured: measured.attempts)
