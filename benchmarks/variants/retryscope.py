"""This project's ``retry``, set up as a service sets it up."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.sdk.trace import SpanProcessor
from prometheus_client import CollectorRegistry

import retryscope as library
from benchmarks.workload import Operation, Policy
from retryscope._recording.collector import exporter_to
from retryscope.metrics import metrics_for
from retryscope.semconv import DROPPED_SPANS

from .operation import FETCH
from .variant import Variant


@contextmanager
def retryscope(endpoint: str, processors: Iterable[SpanProcessor]) -> Iterator[Variant]:
    registry = CollectorRegistry()
    options = {"endpoint": endpoint, "headers": {}, "timeout": 10.0, "compression": Compression.NoCompression}
    export = exporter_to(options, metrics_for(registry).dropped, fast=True)
    library.setup(registry=registry, span_processors=[*processors, export])

    def dropped() -> int:
        reasons = ("queue_full", "export_failed", "rejected", "already_shutdown")
        name = f"{DROPPED_SPANS.name}_total"
        return sum(int(registry.get_sample_value(name, {"reason": reason}) or 0) for reason in reasons)

    try:
        yield Variant(_retrying, export.force_flush, dropped)
    finally:
        library.shutdown()


def _retrying(operation: Operation, policy: Policy) -> Operation:
    return library.retry(
        FETCH,
        library.RetryPolicy(
            max_attempts=policy.max_attempts, base_delay=policy.delay, backoff_factor=1, jitter="none"
        ),
    )(operation)
