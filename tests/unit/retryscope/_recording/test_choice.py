"""Which recorder it is."""

import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

import retryscope
from retryscope._recording.choice import can_be_fast, recorder_for
from retryscope._recording.fast.recorder import FastRecorder
from retryscope._recording.sdk import TracerRecorder
from retryscope._recording.telemetry import active, install

SDK = TracerProvider(shutdown_on_exit=False).get_tracer("test")


@pytest.mark.parametrize(
    ("choice", "kind"), [("auto", FastRecorder), ("fast", FastRecorder), ("sdk", TracerRecorder)]
)
def test_an_sdks_tracer_has_either(choice: str, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``RETRYSCOPE_RECORDER`` says."""
    monkeypatch.setenv("RETRYSCOPE_RECORDER", f" {choice.upper()} ")
    retryscope.setup(registry=CollectorRegistry(), tracer_provider=TracerProvider(shutdown_on_exit=False))
    try:
        assert type(active().recorder) is kind
    finally:
        retryscope.shutdown()
        install(None)


def test_any_other_has_the_one_on_a_tracer_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """Once, at the set-up."""
    caplog.set_level(logging.INFO, "retryscope")
    assert not can_be_fast("auto", trace.NoOpTracer())
    assert not can_be_fast("sdk", SDK)
    (said,) = caplog.messages
    assert said == (
        "spans are recorded by the tracer, not by the faster recorder: the tracer is not the OpenTelemetry"
        " SDK's, but opentelemetry.trace.NoOpTracer"
    )
    assert isinstance(recorder_for(trace.NoOpTracer(), False, lambda: 1, lambda _: None), TracerRecorder)


def test_what_is_asked_for_and_cannot_be_is_an_error_and_nothing_is_set_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It names the reason, and what to do."""
    monkeypatch.setenv("RETRYSCOPE_RECORDER", "fast")
    with pytest.raises(
        ValueError, match=r"RETRYSCOPE_RECORDER is 'fast', which can't be: .*NoOpTracer; 'auto'"
    ):
        retryscope.setup(registry=CollectorRegistry(), tracer_provider=trace.NoOpTracerProvider())
    monkeypatch.setenv("RETRYSCOPE_RECORDER", "slow")
    with pytest.raises(ValueError, match="RETRYSCOPE_RECORDER must be 'auto', 'fast' or 'sdk', got 'slow'"):
        retryscope.setup(registry=CollectorRegistry())
    monkeypatch.delenv("RETRYSCOPE_RECORDER")
    retryscope.setup(registry=CollectorRegistry(), tracer_provider=trace.NoOpTracerProvider())
    retryscope.shutdown()
