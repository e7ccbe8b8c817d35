"""Counts of background runs."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from retryscope_service import semconv
from retryscope_service.runs.message import RunMessage
from retryscope_service.runs.result import RunResult
from retryscope_service.runs.state import STATE_OF, STATES, outcomes_of
from retryscope_service.workflows import WORKFLOWS


class RunMetrics:
    """The metrics of background runs in this process.

    Attributes:
        active: Runs of the engine, queued and running, when they were counted last.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        runs, duration, wait = semconv.RUNS, semconv.RUN_DURATION, semconv.RUN_QUEUE_WAIT_DURATION
        self._runs = Counter(runs.name, runs.help, runs.labels, registry=registry)
        self._duration = Histogram(
            duration.name, duration.help, duration.labels, buckets=duration.buckets, registry=registry
        )
        self._wait = Histogram(wait.name, wait.help, wait.labels, buckets=wait.buckets, registry=registry)
        flight = semconv.RUNS_IN_FLIGHT
        self._in_flight = Gauge(flight.name, flight.help, flight.labels, registry=registry)
        self.active = 0
        active, depth = semconv.RUNS_ACTIVE, semconv.RUN_QUEUE_DEPTH
        self._active = Gauge(active.name, active.help, registry=registry)
        self._queue_depth = Gauge(depth.name, depth.help, registry=registry)
        again, late = semconv.RUN_REDELIVERIES, semconv.RUN_LATE_RESULTS
        self._redeliveries = Counter(again.name, again.help, again.labels, registry=registry)
        self._late = Counter(late.name, late.help, late.labels, registry=registry)
        joined, resent = semconv.RUN_JOINED_DELIVERIES, semconv.RUN_RECONCILED
        self._joined = Counter(joined.name, joined.help, joined.labels, registry=registry)
        self._reconciled = Counter(resent.name, resent.help, resent.labels, registry=registry)
        for name in WORKFLOWS:  # so that a rate() sees the first increment
            for state in STATES:
                for outcome in outcomes_of(state):
                    self._runs.labels(name, state, outcome)
            for state in set(STATE_OF.values()):
                self._duration.labels(name, state)
            for family in (
                self._wait,
                self._in_flight,
                self._redeliveries,
                self._late,
                self._joined,
                self._reconciled,
            ):
                family.labels(name)

    def counted(self, active: int, running: int) -> None:
        """The runs of the engine were counted: those that have not ended, and those that a worker has."""
        self.active = active
        self._active.set(active)
        self._queue_depth.set(active - running)

    def reached(self, workflow: str, state: str, outcome: str = "") -> None:
        """A run has got into a state."""
        self._runs.labels(workflow, state, outcome).inc()

    def started(self, message: RunMessage, delivery: int) -> None:
        """A delivery has started here."""
        self.reached(message.workflow, "running")
        self._in_flight.labels(message.workflow).inc()
        if delivery == 1:
            self._wait.labels(message.workflow).observe(max(0.0, time.time() - message.submitted_at))
        else:
            self._redeliveries.labels(message.workflow).inc()

    def joined(self, workflow: str) -> None:
        """A delivery has joined the run that it is of, which runs here."""
        self._joined.labels(workflow).inc()

    def reconciled(self, workflow: str) -> None:
        """The engine no longer holds a run that has not ended; it is handed over again."""
        self._reconciled.labels(workflow).inc()

    def left(self, workflow: str) -> None:
        """A delivery is over here, whatever came of it."""
        self._in_flight.labels(workflow).dec()

    def ended(self, workflow: str, state: str, result: RunResult, *, in_time: bool) -> None:
        """A run has ended, unless another delivery had ended it before."""
        if not in_time:
            self._late.labels(workflow).inc()
            return
        self.reached(workflow, state, result.outcome)
        self._duration.labels(workflow, state).observe(result.duration_seconds)
