"""This project's ``retry``, set up as a service sets it up, on each of its recorders and exporters."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Literal
from unittest.mock import patch

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.sdk.trace import SpanProcessor
from prometheus_client import CollectorRegistry

import retryscope as library
from benchmarks import peers
from benchmarks.workload import Operation, Policy
from retryscope._recording.collector import exporter_to
from retryscope._recording.export import BATCH_SIZE, QUEUE_SIZE, SCHEDULE_DELAY_MILLIS
from retryscope.metrics import metrics_for
from retryscope.semconv import DROPPED_SPANS

from .operation import FETCH
from .variant import Variant

Recorder = Literal["sdk", "fast"]
_LOST = ("queue_full", "export_failed", "rejected", "already_shutdown")


@contextmanager
def sdk_path(endpoint: str, processors: Iterable[SpanProcessor], timeout: float = 10.0) -> Iterator[Variant]:
    """Spans made by the SDK and encoded by its exporter."""
    with _exporting("sdk", endpoint, processors, timeout) as variant:
        yield variant


@contextmanager
def fast_path(endpoint: str, processors: Iterable[SpanProcessor], timeout: float = 10.0) -> Iterator[Variant]:
    """Spans of the library's own."""
    with _exporting("fast", endpoint, processors, timeout) as variant:
        yield variant


@contextmanager
def fastotel(endpoint: str, processors: Iterable[SpanProcessor]) -> Iterator[Variant]:
    """Spans made by the SDK, encoded and sent by fastotel's Rust."""
    peers.make_importable()
    export = import_module("fastotel").OTLPSpanProcessor(
        endpoint=endpoint,
        max_queue_size=QUEUE_SIZE,
        max_export_batch_size=BATCH_SIZE,
        schedule_delay_millis=SCHEDULE_DELAY_MILLIS,
    )
    with set_up("sdk", CollectorRegistry(), [*processors, export]):
        yield Variant(retrying, export.force_flush)


@contextmanager
def set_up(
    recorder: Recorder, registry: CollectorRegistry, processors: Iterable[SpanProcessor]
) -> Iterator[None]:
    with patch.dict(os.environ, {"RETRYSCOPE_RECORDER": recorder}):
        library.setup(registry=registry, span_processors=processors)
    try:
        yield
    finally:
        library.shutdown()


@contextmanager
def _exporting(
    recorder: Recorder, endpoint: str, processors: Iterable[SpanProcessor], timeout: float
) -> Iterator[Variant]:
    registry = CollectorRegistry()
    options = {
        "endpoint": endpoint,
        "headers": {},
        "timeout": timeout,
        "compression": Compression.NoCompression,
    }
    # What setup() makes of OTEL_EXPORTER_OTLP_ENDPOINT; made here, because it is to be flushed.
    export = exporter_to(options, metrics_for(registry).dropped, fast=recorder == "fast")

    def dropped() -> int:
        name = f"{DROPPED_SPANS.name}_total"
        return sum(int(registry.get_sample_value(name, {"reason": reason}) or 0) for reason in _LOST)

    with set_up(recorder, registry, [*processors, export]):
        yield Variant(retrying, export.force_flush, dropped)


def retrying(operation: Operation, policy: Policy) -> Operation:
    return library.retry(
        FETCH,
        library.RetryPolicy(
            max_attempts=policy.max_attempts, base_delay=policy.delay, backoff_factor=1, jitter="none"
        ),
    )(operation)
