"""The telemetry in force: set up once, or made on first use."""

import logging

import pytest
from opentelemetry.trace import NoOpTracer
from prometheus_client import REGISTRY, CollectorRegistry

import retryscope
from retryscope import Operation, step
from retryscope._recording.sdk import TracerRecorder
from retryscope._recording.telemetry import Telemetry, active, install, tracing_failure_counter
from retryscope.metrics import metrics_for
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, value_of


def unexpected(failure: Exception) -> None:
    """Fail the test."""
    raise AssertionError from failure


def test_without_setup_it_counts_in_the_default_registry() -> None:
    """A library may use the primitives; the application decides whether to look."""
    install(None)
    default = Recorded(REGISTRY)
    before = value_of(default, "resilience_operation_duration_seconds_count", operation="price")

    async def main() -> None:
        async with step(PRICE):
            pass

    run(main())
    assert value_of(default, "resilience_operation_duration_seconds_count", operation="price") == before + 1
    assert active() is active()


def test_first_use_makes_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only once."""
    monkeypatch.setattr("retryscope._recording.telemetry._active", None)
    Operation("declared before first use", workflow="checkout")
    made = active()
    assert isinstance(made.recorder, TracerRecorder)
    assert made.metrics is metrics_for(REGISTRY)
    assert active() is made


def test_operations_declared_before_get_their_series_when_it_is_installed() -> None:
    """Modules are imported before ``setup`` is called."""
    registry = CollectorRegistry()
    Operation("declared early", workflow="checkout")
    install(Telemetry(TracerRecorder(NoOpTracer(), lambda: 0, unexpected), metrics_for(registry)))
    try:
        names = {dict(labels).get("operation") for _, labels in Recorded(registry).samples()}
        assert {"declared early", "price"} <= names
    finally:
        install(None)


def test_failures_of_the_tracing_are_counted_and_the_first_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With its stack trace, once."""
    registry = CollectorRegistry()
    count = tracing_failure_counter(metrics_for(registry))
    for _ in range(3):
        count(RuntimeError("broken"))
    assert value_of(Recorded(registry), "resilience_telemetry_failures_total", part="tracing") == 3
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().endswith(": RuntimeError: broken\n")


def test_the_public_names_are_the_fields_words() -> None:
    """``from retryscope import *`` gives what the documentation names, and each is documented."""
    assert sorted(retryscope.__all__) == retryscope.__all__
    for name in retryscope.__all__:
        assert getattr(retryscope, name) is not None
