"""OperationFailureRatioHigh, TimeoutRatioHigh, CancellationSpike: too large a share ends in one way."""

from collections.abc import Callable, Collection, Iterator, Mapping

from retryscope.outcome import COUNTED, FAILED, OUTCOMES
from retryscope_service.slo import dashboards
from retryscope_service.slo.alerts.alert import OPERATION, WORKFLOW, Alert, Subject, shown
from retryscope_service.slo.alerts.counted import ATTEMPTS, OPERATIONS, RUNS, Counted
from retryscope_service.slo.alerts.evaluation import Evaluation, compared, too_few
from retryscope_service.slo.alerts.measured import Measured
from retryscope_service.slo.compression import Compression
from retryscope_service.slo.definition import OperationFailureRatioHigh, RatioAlert, SloDefinition
from retryscope_service.slo.promql import JOB_WORKFLOW, JOB_WORKFLOW_OPERATION, lines
from retryscope_service.slo.recording import OPERATION_FAILURE_BOUND


def operation_failure_ratio_high(definition: SloDefinition) -> Alert:
    """An operation fails for good more often than it may."""
    settings, minimum = definition.alerts.operation_failure_ratio_high, definition.minimum_events
    return _share_above(
        "OperationFailureRatioHigh",
        settings,
        minimum,
        counted=OPERATIONS,
        part=FAILED,
        whole=COUNTED,
        subject=OPERATION,
        summary="{subject} fails.",
        description=f"{{value}} of it in the last {settings.window} failed for good; the runs that catch this"
        " look like successes.",
        condition=f"more than {_bounds(settings)} of an operation failed for good in the last"
        f" {settings.window}, of at least {minimum} times",
        dashboard=dashboards.link(dashboards.LIBRARY, *JOB_WORKFLOW_OPERATION),
        bound=OPERATION_FAILURE_BOUND,
        bound_of=lambda labels: settings.threshold_of(labels["operation"]),
    )


def timeout_ratio_high(definition: SloDefinition) -> Alert:
    """Attempts of an operation hit their own limit."""
    settings, minimum = definition.alerts.timeout_ratio_high, definition.minimum_events
    return _share_above(
        "TimeoutRatioHigh",
        settings,
        minimum,
        counted=ATTEMPTS,
        part=("timeout",),
        whole=COUNTED,
        subject=OPERATION,
        summary="{subject} times out.",
        description=f"{{value}} of attempts in the last {settings.window} hit their limit.",
        condition=f"more than {shown(settings.threshold, 'ratio')} of an operation's attempts in the last"
        f" {settings.window} hit their limit, of at least {minimum}",
        dashboard=dashboards.link(dashboards.CANCELLATIONS, *JOB_WORKFLOW_OPERATION),
    )


def cancellation_spike(definition: SloDefinition) -> Alert:
    """Runs of a workflow are cancelled."""
    settings, minimum = definition.alerts.cancellation_spike, definition.minimum_events
    return _share_above(
        "CancellationSpike",
        settings,
        minimum,
        counted=RUNS,
        part=("cancelled",),
        whole=OUTCOMES,
        subject=WORKFLOW,
        summary="Many runs of {subject} are cancelled.",
        description=f"{{value}} of its runs in the last {settings.window} ended cancelled: callers give up,"
        " or a deployment drains.",
        condition=f"more than {shown(settings.threshold, 'ratio')} of a workflow's runs that ended in the"
        f" last {settings.window} were cancelled, of at least {minimum}",
        dashboard=dashboards.link(dashboards.CANCELLATIONS, *JOB_WORKFLOW),
    )


def _share_above(
    name: str,
    settings: RatioAlert,
    minimum: int,
    *,
    counted: Counted,
    part: Collection[str],
    whole: Collection[str],
    subject: Subject,
    summary: str,
    description: str,
    condition: str,
    dashboard: str,
    bound: str | None = None,
    bound_of: Callable[[Mapping[str, str]], float] | None = None,
) -> Alert:
    """Some outcomes' share of others is above its bound, and there are enough of them to say so.

    Args:
        name: Of the alert; ``subject`` to ``dashboard`` are its, too.
        settings: Its part of the definition.
        minimum: How many are enough.
        counted: What ends in these ways.
        part: The outcomes whose share it is.
        whole: Those that it is the share of.
        bound: PromQL of the bound, where it is not one for all.
        bound_of: The bound by labels, where it is not one for all.
    """
    window = settings.window

    def promql(compression: Compression) -> str:
        compressed = compression.window(window)
        return lines(
            counted.over("rate", compressed, part),
            f"/ {counted.over('rate', compressed, whole)}",
            f"> {bound or format(settings.threshold, '.12g')}",
            "and",
            f"{counted.over('increase', compressed, whole)} >= {minimum}",
        )

    def value(measured: Measured) -> Iterator[Evaluation]:
        for group in counted.groups(measured):
            share = group.share(window, part, whole)
            if share is not None:
                limit = bound_of(group.labels) if bound_of else settings.threshold
                lacks = too_few(group.increase(window, whole), minimum, window)
                yield compared(group.labels, share, limit, lacks)

    return Alert(
        name=name,
        settings=settings,
        subject=subject,
        summary=summary,
        description=description,
        condition=condition,
        unit="ratio",
        threshold=settings.threshold,
        window=window,
        dashboard=dashboard,
        promql=promql,
        value=value,
    )


def _bounds(alert: OperationFailureRatioHigh) -> str:
    own = (f"{shown(bound, 'ratio')} of {name}" for name, bound in alert.operations.items())
    others = f" ({', '.join(own)})" if alert.operations else ""
    return f"{shown(alert.threshold, 'ratio')}{others}"
