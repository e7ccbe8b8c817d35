"""Whether spans of our own can stand in for those of a tracer: everything they rely on is looked at, once.

The SDK's public interface has no way to start a span without its cost. What is used beyond it is named here;
where any of it has moved, or where the tracer is not the SDK's own, :mod:`retryscope._recording.sdk` records.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from importlib.metadata import version
from types import FunctionType
from typing import Any, Final

from opentelemetry import context as context_api
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, Tracer
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import INVALID_SPAN, SpanContext, TraceFlags, set_span_in_context
from opentelemetry.trace import Tracer as AnyTracer

_FIELDS: Final[Mapping[str, type]] = {
    "sampler": Sampler,
    "resource": Resource,
    "span_processor": SpanProcessor,
    "id_generator": IdGenerator,
    "_span_limits": SpanLimits,
    "_instrumentation_scope": InstrumentationScope,
}
"""What a span is started by."""
_SWITCHES: Final = frozenset({"_tracer_config", "_tracer_provider"})
"""What `_is_enabled` looks at; the second in 1.40 only."""
_KNOWN_BESIDES: Final = frozenset({"instrumentation_info", "_tracer_metrics"}) | _SWITCHES
_LIMITS: Final = (
    "max_span_attributes",
    "max_span_attribute_length",
    "max_event_attributes",
    "max_link_attributes",
    "max_attribute_length",
    "max_events",
    "max_links",
)


def current_context() -> ContextVar[Context] | None:
    """The variable that ``attach`` and ``get_current`` wrap in three calls each; None where it is not one."""
    variable = getattr(getattr(context_api, "_RUNTIME_CONTEXT", None), "_current_context", None)
    return variable if isinstance(variable, ContextVar) else None


def span_key() -> Any:
    """The key of the current span in a context."""
    (key,) = set_span_in_context(INVALID_SPAN, Context())
    return key


def obstacle(tracer: AnyTracer) -> str | None:
    """Why spans of our own can't stand in for this tracer's; None where they can.

    >>> from opentelemetry.trace import NoOpTracer
    >>> obstacle(NoOpTracer())
    "the tracer is not the OpenTelemetry SDK's, but opentelemetry.trace.NoOpTracer"
    """
    if type(tracer) is not Tracer:
        kind = type(tracer)
        return f"the tracer is not the OpenTelemetry SDK's, but {kind.__module__}.{kind.__qualname__}"
    if not _is_its_own(tracer):
        return "start_span() of the OpenTelemetry SDK's tracer has been replaced"
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return "spans without locks need the interpreter's lock, which is off"
    moved = _moved(tracer)
    return f"opentelemetry-sdk {version('opentelemetry-sdk')} has changed: {moved}" if moved else None


def _is_its_own(tracer: Tracer) -> bool:
    start: Any = Tracer.start_span
    return (
        isinstance(start, FunctionType)
        and start.__globals__.get("__name__") == Tracer.__module__
        and "start_span" not in vars(tracer)
    )


def _moved(tracer: Tracer) -> str | None:
    fields = vars(tracer)
    for name, kind in _FIELDS.items():
        if not isinstance(fields.get(name), kind):
            return f"Tracer.{name}"
    for name in fields.keys() - _FIELDS.keys() - _KNOWN_BESIDES:
        return f"Tracer.{name} is new"  # and perhaps says of spans what would not be honoured
    if any(not hasattr(fields["_span_limits"], name) for name in _LIMITS):
        return "SpanLimits"
    if not _SWITCHES.isdisjoint(fields) and not callable(getattr(tracer, "_is_enabled", None)):
        return "Tracer._is_enabled()"
    if "_tracer_metrics" in fields and not callable(getattr(fields["_tracer_metrics"], "start_span", None)):
        return "Tracer._tracer_metrics.start_span()"
    if current_context() is None:
        return "the current context is no ContextVar"
    try:
        span_key()
        known = SpanContext(1, 2, False, TraceFlags(1))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None if (known.trace_id, known.span_id, known.trace_flags) == (1, 2, 1) else "SpanContext"


def enabled_by(tracer: Tracer) -> Callable[[], bool] | None:
    """Asked before each span where a configurator may have switched the tracer off."""
    return tracer._is_enabled if hasattr(tracer, "_is_enabled") else None


def counted_by(tracer: Tracer) -> Callable[[Any, Any], Callable[[], None]] | None:
    """What counts spans for the SDK's own metrics; None where nobody wants these.

    From 1.40 to 1.42 the SDK can't tell, and always counts.
    """
    metrics: Any = getattr(tracer, "_tracer_metrics", None)
    if metrics is None or type(metrics).__name__ == "NoOpTracerMetrics":
        return None
    counted: Callable[[Any, Any], Callable[[], None]] = metrics.start_span
    return counted


def known_answers(sampler: object) -> tuple[bool, bool]:
    """Whether a sampler samples all roots, and all children of sampled local spans."""
    if sampler is ALWAYS_ON:
        return True, True
    if type(sampler) is not ParentBased:
        return False, False
    return (
        getattr(sampler, "_root", None) is ALWAYS_ON,
        getattr(sampler, "_local_parent_sampled", None) is ALWAYS_ON,
    )
