"""The telemetry in force: one object per process, made by ``setup()`` or, without it, on first use."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from opentelemetry import trace
from prometheus_client import REGISTRY

from retryscope import semconv
from retryscope._recording.recorder import Recorder
from retryscope._recording.sdk import TracerRecorder
from retryscope._recording.stacktrace import format_stacktrace
from retryscope.metrics import Metrics, metrics_for
from retryscope.operation import Operation, declared, observe
from retryscope.outcome import Outcome, status_rule

AttemptsAs = Literal["spans", "events"]

_log = logging.getLogger("retryscope")


@dataclass(frozen=True, slots=True, eq=False)
class Telemetry:
    """Where the primitives record.

    Attributes:
        recorder: Takes spans.
        metrics: Takes counts and durations.
        time_ns: Wall clock, in nanoseconds since the epoch.
        is_failure: The status rule: whether a span with this outcome gets the status ERROR.
        attempts: Whether attempts and waits are spans, or attempts only events on their operation's.
    """

    recorder: Recorder
    metrics: Metrics
    time_ns: Callable[[], int] = time.time_ns
    is_failure: Callable[[Outcome], bool] = status_rule
    attempts: AttemptsAs = "spans"


_active: Telemetry | None = None


def active() -> Telemetry:
    """The telemetry in force.

    Before any :func:`retryscope.setup` it records on the global OpenTelemetry provider and the
    default Prometheus registry, whatever they are.
    """
    if _active is None:
        metrics = metrics_for(REGISTRY)
        tracer = trace.get_tracer(semconv.SCOPE_NAME)
        return install(
            Telemetry(TracerRecorder(tracer, time.time_ns, tracing_failure_counter(metrics)), metrics)
        )
    return _active


def install(telemetry: Telemetry | None) -> Telemetry:
    """Put telemetry in force and create the series of every declared operation.

    ``None`` forgets the present one; the next use starts afresh with the defaults.
    """
    global _active
    _active = telemetry
    if telemetry is None:
        return active()
    for operation in declared():
        telemetry.metrics.of(operation)
    return telemetry


def tracing_failure_counter(metrics: Metrics) -> Callable[[Exception], None]:
    """A callback that counts each failure of the tracing and logs the first one."""
    logged = False

    def count(failure: Exception) -> None:
        nonlocal logged
        metrics.failed("tracing")
        if not logged:
            logged = True
            _log.error("tracing failed; further failures are only counted: %s", format_stacktrace(failure))

    return count


def _declare(operation: Operation) -> None:
    if _active is not None:
        _active.metrics.of(operation)


observe(declared=_declare, folded=lambda: active().metrics.folded("operation"))
