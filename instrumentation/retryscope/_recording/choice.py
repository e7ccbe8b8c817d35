"""Which of the recorders it is: spans of our own, or those of a tracer, whatever tracer that is."""

from __future__ import annotations

import logging
from collections.abc import Callable

from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.trace import Tracer

from retryscope._recording.environment import RecorderChoice
from retryscope._recording.fast.probe import obstacle
from retryscope._recording.fast.recorder import FastRecorder
from retryscope._recording.recorder import Recorder
from retryscope._recording.sdk import TracerRecorder

_log = logging.getLogger("retryscope")


def can_be_fast(choice: RecorderChoice, tracer: Tracer) -> bool:
    """Whether spans of our own stand in for this tracer's; where they can't, the log says why.

    Args:
        choice: What is wanted.
        tracer: For which.

    Raises:
        ValueError: They are wanted, and can't.
    """
    if choice == "sdk":
        return False
    reason = obstacle(tracer)
    if reason is None:
        return True
    if choice == "fast":
        raise ValueError(f"RETRYSCOPE_RECORDER is 'fast', which can't be: {reason}; 'auto' does without")
    _log.info("spans are recorded by the tracer, not by the faster recorder: %s", reason)
    return False


def recorder_for(
    tracer: Tracer, fast: bool, time_ns: Callable[[], int], on_failure: Callable[[Exception], None]
) -> Recorder:
    """The recorder.

    Args:
        tracer: Where spans start, or whose would.
        fast: What :func:`can_be_fast` has said.
        time_ns: Wall clock in nanoseconds since the epoch.
        on_failure: Called with an exception of the tracing itself.
    """
    if fast and isinstance(tracer, SdkTracer):
        return FastRecorder(tracer, time_ns, on_failure)
    return TracerRecorder(tracer, time_ns, on_failure)
