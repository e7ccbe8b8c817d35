"""Counts of background runs."""

import time

from prometheus_client import CollectorRegistry

from retryscope.families import counter, gauge, histogram
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
        self._runs = counter(semconv.RUNS, registry)
        self._duration = histogram(semconv.RUN_DURATION, registry)
        self._wait = histogram(semconv.RUN_QUEUE_WAIT_DURATION, registry)
        self._in_flight = gauge(semconv.RUNS_IN_FLIGHT, registry)
        self.active = 0
        self._active = gauge(semconv.RUNS_ACTIVE, registry)
        self._queue_depth = gauge(semconv.RUN_QUEUE_DEPTH, registry)
        self._redeliveries = counter(semconv.RUN_REDELIVERIES, registry)
        self._late = counter(semconv.RUN_LATE_RESULTS, registry)
        self._joined = counter(semconv.RUN_JOINED_DELIVERIES, registry)
        self._reconciled = counter(semconv.RUN_RECONCILED, registry)
        for name in WORKFLOWS:  # so that a rate() sees the first increment
            for state in STATES:
                for outcome in outcomes_of(state):
                    self._runs.labels(name, state, outcome)
            for state in dict.fromkeys(STATE_OF.values()):
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
