"""RetryStorm: retries multiply the load on what is called."""

from collections.abc import Iterator

from retryscope.outcome import OUTCOMES
from retryscope_service.slo import dashboards
from retryscope_service.slo.alerts.alert import OPERATION, Alert
from retryscope_service.slo.alerts.counted import ATTEMPTS, OPERATIONS
from retryscope_service.slo.alerts.evaluation import Evaluation, compared, too_few
from retryscope_service.slo.alerts.measured import Measured
from retryscope_service.slo.compression import Compression
from retryscope_service.slo.definition import SloDefinition
from retryscope_service.slo.promql import JOB_WORKFLOW_OPERATION, lines
from retryscope_service.slo.recording import ATTEMPTS_PER_OPERATION, SHORT


def retry_storm(definition: SloDefinition) -> Alert:
    """An operation takes too many attempts on average."""
    settings, minimum = definition.alerts.retry_storm, definition.minimum_events

    def promql(compression: Compression) -> str:
        return lines(
            f"{ATTEMPTS_PER_OPERATION} > {settings.threshold:.12g}",
            "and",
            f"{OPERATIONS.over('increase', compression.window(SHORT))} >= {minimum}",
        )

    def value(measured: Measured) -> Iterator[Evaluation]:
        attempts = {tuple(group.labels.values()): group for group in ATTEMPTS.groups(measured)}
        for group in OPERATIONS.groups(measured):
            operations = group.increase(SHORT, OUTCOMES)
            if operations:
                tried = attempts.get(tuple(group.labels.values()))
                each = tried.increase(SHORT, OUTCOMES) / operations if tried else 0.0
                yield compared(group.labels, each, settings.threshold, too_few(operations, minimum, SHORT))

    return Alert(
        name="RetryStorm",
        settings=settings,
        subject=OPERATION,
        summary="Retries multiply {subject}.",
        description="{value} attempts per operation: what it calls fails, and gets more load for it.",
        condition=f"an operation took more than {settings.threshold:g} attempts on average in the last"
        f" {SHORT}, when it ended at least {minimum} times",
        unit="count",
        threshold=settings.threshold,
        window=SHORT,
        dashboard=dashboards.link(dashboards.RETRIES, *JOB_WORKFLOW_OPERATION),
        promql=promql,
        value=value,
    )
