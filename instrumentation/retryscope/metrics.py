"""Prometheus metrics: every family of the table, with its children made at declaration.

The OpenTelemetry metrics exporter is not used: it drops exemplars, adds three labels of its own and has
no limit on cardinality.
"""

from __future__ import annotations

import logging
from typing import Final
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry

from retryscope import semconv
from retryscope._prometheus import cells
from retryscope._prometheus.cells import Count, SpanIds
from retryscope.families import counter, gauge, histogram
from retryscope.fork import ForkedLock
from retryscope.http_metrics import HttpMetrics
from retryscope.operation import Operation, is_declared
from retryscope.outcome import (
    ATTEMPT_OUTCOMES,
    CANCEL_CAUSES,
    CLEANUP_OUTCOMES,
    GIVEUP_REASONS,
    OUTCOMES,
    CancelCause,
    CleanupOutcome,
    GiveUpReason,
    Outcome,
)

MAX_ERROR_TYPES = 8
"""Distinct error types per operation; further ones become ``_OTHER``."""
MAX_OPERATIONS = 200
"""Distinct operations per process; further ones become ``_OTHER`` of their workflow."""

SERIES_PER_OPERATION: Final = (
    semconv.OPERATION_DURATION.series_per_label_set * len(OUTCOMES)
    + semconv.ATTEMPT_DURATION.series_per_label_set * len(ATTEMPT_OUTCOMES)
    + semconv.OPERATION_ATTEMPTS.series_per_label_set * len(OUTCOMES)
    + semconv.BACKOFF_DURATION.series_per_label_set
    + semconv.CLEANUP_DURATION.series_per_label_set * len(CLEANUP_OUTCOMES)
    + len(GIVEUP_REASONS)
    + len(CANCEL_CAUSES)
    + len(ATTEMPT_OUTCOMES)  # error counted once, as _OTHER
    + MAX_ERROR_TYPES
    + 1  # in flight
)
"""Most time series that one operation can have."""

_UNDECLARED: Final = (
    "an undeclared %s, or one too many, was counted as %s or as declared: declare an Operation"
    " for it, and build no name from arguments, ids or URLs"
)
_ONE_TOO_MANY: Final = "one %s too many of HTTP requests that are sent was counted as %s: their spans have it"
_FOLDED: Final = {
    "operation": _UNDECLARED,
    "workflow": _UNDECLARED,
    "error_type": _UNDECLARED,
    "server_address": _ONE_TOO_MANY,
    "http_response_status_code": _ONE_TOO_MANY,
}
"""The labels whose values are bounded, and what is logged where one is not in its set."""

_log = logging.getLogger("retryscope")

Exemplar = SpanIds | None
"""Trace id and span id; None where they would lead nowhere."""


class Metrics:
    """The families of :mod:`retryscope.semconv`, registered once per registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.operation_duration = histogram(semconv.OPERATION_DURATION, registry)
        self.attempts = counter(semconv.ATTEMPTS, registry)
        self.attempt_duration = histogram(semconv.ATTEMPT_DURATION, registry)
        self.operation_attempts = histogram(semconv.OPERATION_ATTEMPTS, registry)
        self.backoff_duration = histogram(semconv.BACKOFF_DURATION, registry)
        self.retry_giveups = counter(semconv.RETRY_GIVEUPS, registry)
        self.cancellations = counter(semconv.CANCELLATIONS, registry)
        self.cleanup_duration = histogram(semconv.CLEANUP_DURATION, registry)
        self.operations_in_flight = gauge(semconv.OPERATIONS_IN_FLIGHT, registry)
        self.workflow_duration = histogram(semconv.WORKFLOW_DURATION, registry)
        self.workflows_in_flight = gauge(semconv.WORKFLOWS_IN_FLIGHT, registry)
        self.http = HttpMetrics(registry, self.folded)
        folded = counter(semconv.FOLDED_LABELS, registry)
        self._folded = {label: folded.labels(label) for label in _FOLDED}
        self._folds_logged: set[str] = set()
        dropped = counter(semconv.DROPPED_SPANS, registry)
        self._dropped = {
            reason: dropped.labels(reason)
            for reason in ("queue_full", "export_failed", "rejected", "already_shutdown")
        }
        self._left_out_spans = counter(semconv.LEFT_OUT_SPANS, registry)
        self._early_decisions = counter(semconv.EARLY_DECISIONS, registry)
        dropped_log_lines = counter(semconv.DROPPED_LOG_LINES, registry)
        self._dropped_log_lines = {
            reason: dropped_log_lines.labels(reason) for reason in ("queue_full", "write_failed")
        }
        failures = counter(semconv.TELEMETRY_FAILURES, registry)
        self._failures = {part: failures.labels(part) for part in ("tracing",)}
        self._operations: dict[Operation, OperationMetrics] = {}
        self._workflows: dict[str, WorkflowMetrics] = {}

    def of(self, operation: Operation) -> OperationMetrics:
        """The children of one operation, cached. Past ``MAX_OPERATIONS`` they are ``_OTHER``'s."""
        try:
            return self._operations[operation]
        except KeyError:
            return self._declare(operation)

    def _declare(self, operation: Operation) -> OperationMetrics:
        if len(self._operations) >= MAX_OPERATIONS and operation.name != semconv.OTHER:
            self.folded("operation")
            known = operation.workflow if operation.workflow in self._workflows else semconv.OTHER
            return self.of(Operation.lookup(semconv.OTHER, workflow=known))
        if operation.workflow is not None:
            self.of_workflow(operation.workflow)
        children = OperationMetrics(self, operation)
        self._operations[operation] = children
        return children

    def in_workflow(self, operation: Operation, workflow: str) -> Operation:
        """The operation as one of the workflow that it runs in; as declared where that would be too many."""
        if not is_declared(operation.name, workflow) and (
            workflow not in self._workflows or len(self._operations) >= MAX_OPERATIONS
        ):
            self.folded("workflow")
            return operation
        return operation.within(workflow)

    def of_workflow(self, workflow: str) -> WorkflowMetrics:
        """The children of one workflow, cached; bounded like the operations."""
        try:
            return self._workflows[workflow]
        except KeyError:
            if len(self._workflows) >= MAX_OPERATIONS and workflow != semconv.OTHER:
                self.folded("workflow")
                return self.of_workflow(semconv.OTHER)
            children = self._workflows[workflow] = WorkflowMetrics(self, workflow)
            return children

    def folded(self, label: str) -> None:
        """Count a label value that was outside its bounded set; say so once per label."""
        if label not in self._folds_logged:
            self._folds_logged.add(label)
            _log.warning("%s (this is logged once)", _FOLDED[label] % (label, semconv.OTHER))
        self._folded[label].inc()

    def dropped(self, reason: str, spans: int) -> None:
        """Count spans that never reach the collector."""
        self._dropped[reason].inc(spans)

    def left_out(self, spans: int) -> None:
        """Count spans of plain successes that are not exported on purpose."""
        self._left_out_spans.inc(spans)

    def decided_early(self) -> None:
        """Count a trace that is kept before its end."""
        self._early_decisions.inc()

    def dropped_log(self, reason: str) -> None:
        """Count a log line that is never written."""
        self._dropped_log_lines[reason].inc()

    def failed(self, part: str) -> None:
        """Count an error inside the telemetry itself."""
        self._failures[part].inc()

    def series_bound(self) -> int:
        """Most series that the operations declared so far can have."""
        return SERIES_PER_OPERATION * len(self._operations)


class OperationMetrics:
    """The metric children of one operation; no label is looked up while it runs."""

    __slots__ = (
        "_attempt_durations",
        "_attempts",
        "_attempts_family",
        "_backoff",
        "_cancellations",
        "_cleanup",
        "_counts",
        "_durations",
        "_error_types",
        "_folded",
        "_giveups",
        "_in_flight",
        "_labels",
    )

    def __init__(self, metrics: Metrics, operation: Operation) -> None:
        labels = self._labels = (operation.workflow or "", operation.name)
        self._in_flight = cells.level_of(metrics.operations_in_flight.labels(*labels))
        self._durations = cells.distributions_of(metrics.operation_duration, labels, OUTCOMES)
        self._attempt_durations = cells.distributions_of(metrics.attempt_duration, labels, ATTEMPT_OUTCOMES)
        self._counts = cells.distributions_of(metrics.operation_attempts, labels, OUTCOMES)
        self._backoff = cells.distribution_of(metrics.backoff_duration.labels(*labels))
        self._giveups = cells.counts_of(metrics.retry_giveups, labels, GIVEUP_REASONS)
        self._cancellations = cells.counts_of(metrics.cancellations, labels, CANCEL_CAUSES)
        self._cleanup = cells.distributions_of(metrics.cleanup_duration, labels, CLEANUP_OUTCOMES)
        self._attempts_family = metrics.attempts
        self._folded = metrics.folded
        self._error_types: set[str] = set()
        self._attempts: dict[tuple[Outcome, str], Count] = {}
        self._attempt_child("success", "")
        self._attempt_child("cancelled", "")
        self._attempt_child("timeout", semconv.ERROR_TYPE_TIMEOUT)
        self._attempt_child("error", semconv.OTHER)
        for error_type in operation.error_types[:MAX_ERROR_TYPES]:
            self._attempt_child("error", error_type)

    def _attempt_child(self, outcome: Outcome, error_type: str) -> Count:
        key = (outcome, error_type)
        child = self._attempts.get(key)
        if child is None:
            if outcome == "error" and error_type and error_type != semconv.OTHER:
                if len(self._error_types) >= MAX_ERROR_TYPES:
                    self._folded("error_type")
                    return self._attempt_child(outcome, semconv.OTHER)
                self._error_types.add(error_type)
            child = cells.count_of(self._attempts_family.labels(*self._labels, outcome, error_type))
            self._attempts[key] = child
        return child

    def started(self) -> None:
        """The operation is in flight."""
        self._in_flight.add(1.0)

    def ended(self, outcome: Outcome, seconds: float, attempts: int, exemplar: Exemplar) -> None:
        """The operation is over, after ``seconds`` and ``attempts``."""
        self._in_flight.add(-1.0)
        self._durations[outcome].observe(seconds, exemplar)
        self._counts[outcome].observe(attempts)

    def attempt(self, outcome: Outcome, error_type: str, seconds: float, exemplar: Exemplar) -> None:
        """One attempt ended, after ``seconds``."""
        child = self._attempts.get((outcome, error_type))
        if child is None:
            child = self._attempt_child(outcome, error_type)
        child.inc(exemplar)
        self._attempt_durations[outcome].observe(seconds, exemplar)

    def backoff(self, seconds: float) -> None:
        """A wait of ``seconds`` between two attempts is over."""
        self._backoff.observe(seconds)

    def gave_up(self, reason: GiveUpReason, exemplar: Exemplar) -> None:
        """A retry stopped trying."""
        self._giveups[reason].inc(exemplar)

    def cancelled(self, cause: CancelCause) -> None:
        """The operation was cancelled."""
        self._cancellations[cause].inc()

    def cleaned_up(self, outcome: CleanupOutcome, seconds: float, exemplar: Exemplar) -> None:
        """The cleanup of a cancelled operation is over."""
        self._cleanup[outcome].observe(seconds, exemplar)


class WorkflowMetrics:
    """The metric children of one workflow."""

    __slots__ = ("_durations", "_in_flight")

    def __init__(self, metrics: Metrics, workflow: str) -> None:
        self._in_flight = cells.level_of(metrics.workflows_in_flight.labels(workflow))
        self._durations = cells.distributions_of(metrics.workflow_duration, (workflow,), OUTCOMES)

    def started(self) -> None:
        """The workflow is in flight."""
        self._in_flight.add(1.0)

    def ended(self, outcome: Outcome, seconds: float, exemplar: Exemplar) -> None:
        """The workflow is over, after ``seconds``."""
        self._in_flight.add(-1.0)
        self._durations[outcome].observe(seconds, exemplar)


_making: Final = ForkedLock()
"""Threads may use the library for the first time together."""
_by_registry: WeakKeyDictionary[CollectorRegistry, Metrics] = WeakKeyDictionary()


def metrics_for(registry: CollectorRegistry) -> Metrics:
    """The metrics of a registry: a family can be registered only once, so set-up may run again."""
    with _making:
        metrics = _by_registry.get(registry)
        if metrics is None:
            metrics = _by_registry[registry] = Metrics(registry)
        return metrics
