"""OperationFailureRatioHigh, TimeoutRatioHigh, CancellationSpike: too large a share ends in one way."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from instrumentation.outcome import COUNTED, FAILED, OUTCOMES
from service.slo import dashboards
from service.slo.alerts.alert import OPERATION, WORKFLOW, Alert, shown
from service.slo.alerts.counted import ATTEMPTS, OPERATIONS, RUNS, Counted
from service.slo.alerts.evaluation import Evaluation, compared, too_few
from service.slo.alerts.measured import Measured
from service.slo.compression import Compression
from service.slo.definition import OperationFailureRatioHigh, SloDefinition
from service.slo.duration import Duration
from service.slo.promql import JOB_WORKFLOW, JOB_WORKFLOW_OPERATION, lines
from service.slo.recording import OPERATION_FAILURE_BOUND


@dataclass(frozen=True, slots=True)
class _Share:
    """Some outcomes' share of others is above its bound, and there are enough of them to say so.

    Attributes:
        counted: What ends in these ways.
        part: The outcomes whose share it is.
        whole: Those that it is the share of.
        window: The time in which they ended.
        bound: PromQL of the bound.
        bound_of: The bound of what has these labels.
        minimum: How many are enough.
    """

    counted: Counted
    part: Collection[str]
    whole: Collection[str]
    window: Duration
    bound: str
    bound_of: Callable[[Mapping[str, str]], float]
    minimum: int

    def promql(self, compression: Compression) -> str:
        window = compression.window(self.window)
        return lines(
            self.counted.over("rate", window, self.part),
            f"/ {self.counted.over('rate', window, self.whole)}",
            f"> {self.bound}",
            "and",
            f"{self.counted.over('increase', window, self.whole)} >= {self.minimum}",
        )

    def value(self, measured: Measured) -> Iterator[Evaluation]:
        for group in self.counted.groups(measured):
            share = group.share(self.window, self.part, self.whole)
            if share is not None:
                lacks = too_few(group.increase(self.window, self.whole), self.minimum, self.window)
                yield compared(group.labels, share, self.bound_of(group.labels), lacks)


def operation_failure_ratio_high(definition: SloDefinition) -> Alert:
    """An operation fails for good more often than it may."""
    settings, minimum = definition.alerts.operation_failure_ratio_high, definition.minimum_events
    share = _Share(
        counted=OPERATIONS,
        part=FAILED,
        whole=COUNTED,
        window=settings.window,
        bound=OPERATION_FAILURE_BOUND,
        bound_of=lambda labels: settings.threshold_of(labels["operation"]),
        minimum=minimum,
    )
    return Alert(
        name="OperationFailureRatioHigh",
        settings=settings,
        subject=OPERATION,
        summary="{subject} fails.",
        description=f"{{value}} of it in the last {settings.window} failed for good; the runs that catch this"
        " look like successes.",
        condition=f"more than {_bounds(settings)} of an operation failed for good in the last"
        f" {settings.window}, of at least {minimum} times",
        unit="ratio",
        threshold=settings.threshold,
        window=settings.window,
        dashboard=dashboards.link(dashboards.LIBRARY, *JOB_WORKFLOW_OPERATION),
        promql=share.promql,
        value=share.value,
    )


def timeout_ratio_high(definition: SloDefinition) -> Alert:
    """Attempts of an operation hit their own limit."""
    settings, minimum = definition.alerts.timeout_ratio_high, definition.minimum_events
    share = _Share(
        counted=ATTEMPTS,
        part=("timeout",),
        whole=COUNTED,
        window=settings.window,
        bound=f"{settings.threshold:.12g}",
        bound_of=lambda _: settings.threshold,
        minimum=minimum,
    )
    return Alert(
        name="TimeoutRatioHigh",
        settings=settings,
        subject=OPERATION,
        summary="{subject} times out.",
        description=f"{{value}} of attempts in the last {settings.window} hit their limit.",
        condition=f"more than {shown(settings.threshold, 'ratio')} of an operation's attempts in the last"
        f" {settings.window} hit their limit, of at least {minimum}",
        unit="ratio",
        threshold=settings.threshold,
        window=settings.window,
        dashboard=dashboards.link(dashboards.CANCELLATIONS, *JOB_WORKFLOW_OPERATION),
        promql=share.promql,
        value=share.value,
    )


def cancellation_spike(definition: SloDefinition) -> Alert:
    """Runs of a workflow are cancelled."""
    settings, minimum = definition.alerts.cancellation_spike, definition.minimum_events
    share = _Share(
        counted=RUNS,
        part=("cancelled",),
        whole=OUTCOMES,
        window=settings.window,
        bound=f"{settings.threshold:.12g}",
        bound_of=lambda _: settings.threshold,
        minimum=minimum,
    )
    return Alert(
        name="CancellationSpike",
        settings=settings,
        subject=WORKFLOW,
        summary="Many runs of {subject} are cancelled.",
        description=f"{{value}} of its runs in the last {settings.window} ended cancelled: callers give up,"
        " or a deployment drains.",
        condition=f"more than {shown(settings.threshold, 'ratio')} of a workflow's runs that ended in the"
        f" last {settings.window} were cancelled, of at least {minimum}",
        unit="ratio",
        threshold=settings.threshold,
        window=settings.window,
        dashboard=dashboards.link(dashboards.CANCELLATIONS, *JOB_WORKFLOW),
        promql=share.promql,
        value=share.value,
    )


def _bounds(alert: OperationFailureRatioHigh) -> str:
    own = (f"{shown(bound, 'ratio')} of {name}" for name, bound in alert.operations.items())
    others = f" ({', '.join(own)})" if alert.operations else ""
    return f"{shown(alert.threshold, 'ratio')}{others}"
