"""Whether spans of our own can stand in for those of a tracer."""

import functools
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import context as context_api
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.trace import NoOpTracer

from retryscope._recording.fast.probe import counted_by, obstacle


def tracer() -> Any:
    return TracerProvider(shutdown_on_exit=False).get_tracer("test")


def test_there_is_none_here() -> None:
    """With the release that is installed."""
    assert obstacle(tracer()) is None


class Wrapped(Tracer):
    """Somebody's tracer that does more."""


def subclassed(it: Any) -> None:
    it.__class__ = Wrapped


def replaced(it: Any) -> None:
    it.start_span = lambda *args, **kwargs: None


def moved(name: str) -> Callable[[Any], None]:
    return lambda it: delattr(it, name)


def new(it: Any) -> None:
    it._span_filter = None


def without_a_limit(it: Any) -> None:
    it._span_limits = object.__new__(type(it._span_limits))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (subclassed, "the tracer is not the OpenTelemetry SDK's, but tests.*Wrapped"),
        (replaced, "start_span.. of the OpenTelemetry SDK's tracer has been replaced"),
        *(
            (moved(name), f"Tracer.{name}")
            for name in ("sampler", "resource", "span_processor", "id_generator")
        ),
        (moved("_span_limits"), "Tracer._span_limits"),
        (moved("_instrumentation_scope"), "Tracer._instrumentation_scope"),
        (new, "Tracer._span_filter is new"),
        (without_a_limit, "has changed: SpanLimits"),
    ],
)
def test_what_is_in_the_way_is_named(change: Callable[[Any], None], said: str) -> None:
    """With the release of the SDK, where that has changed."""
    it = tracer()
    change(it)
    found = obstacle(it)
    assert found is not None
    assert re.search(said, found), found


@pytest.mark.parametrize("switch", ["_tracer_config", "_tracer_provider"])
def test_a_switch_that_nobody_can_be_asked_about_is_one(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is how 1.40 has it."""
    monkeypatch.setattr(Tracer, "_is_enabled", None, raising=False)
    it = tracer()
    for name in ("_tracer_config", "_tracer_provider"):
        vars(it).pop(name, None)
    assert obstacle(it) is None
    setattr(it, switch, None)
    assert str(obstacle(it)).endswith("Tracer._is_enabled()")


def test_another_tracer_is_one() -> None:
    """Whoever's it is."""
    assert obstacle(NoOpTracer()) is not None


def test_a_method_that_was_replaced_for_all_tracers_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some agents do that."""
    original = Tracer.start_span

    @functools.wraps(original)
    def start_span(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    monkeypatch.setattr(Tracer, "start_span", start_span)
    assert "replaced" in str(obstacle(tracer()))


def test_a_context_that_is_no_variable_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """``OTEL_PYTHON_CONTEXT`` may name another."""
    monkeypatch.setattr(context_api, "_RUNTIME_CONTEXT", object())
    assert "the current context is no ContextVar" in str(obstacle(tracer()))


def test_an_interpreter_without_its_lock_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans have no locks."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    assert "the interpreter's lock" in str(obstacle(tracer()))


class Counting:
    def start_span(self, parent: object, decision: object) -> Callable[[], None]:
        return lambda: None


class NoOpTracerMetrics(Counting):
    """As the SDK calls it where nobody wants to know."""


def test_who_counts_the_sdks_spans_is_asked_only_where_somebody_wants_to_know() -> None:
    """``OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED``; some releases always count."""
    it = tracer()
    it._tracer_metrics = Counting()
    assert counted_by(it) is not None
    assert obstacle(it) is None
    it._tracer_metrics = NoOpTracerMetrics()
    assert counted_by(it) is None
    it._tracer_metrics = object()
    assert "Tracer._tracer_metrics.start_span()" in str(obstacle(it))
