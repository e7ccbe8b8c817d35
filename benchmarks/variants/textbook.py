"""Instrumentation as the manuals of OpenTelemetry and of the Prometheus client teach it.

It records what this project's ``retry`` records: the same spans, attributes, events and metrics with
exemplars, exported to the same place through a queue of the same size. A context manager for each span,
attributes set one by one, exceptions recorded by the context manager, metric children looked up by label, and
the SDK's own exporter and encoder.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, Tracer, format_span_id, format_trace_id
from prometheus_client import CollectorRegistry

from benchmarks.workload import Operation, Policy
from retryscope import semconv
from retryscope._recording.export import BATCH_SIZE, QUEUE_SIZE, SCHEDULE_DELAY_MILLIS
from retryscope.metrics import Metrics

from .operation import FETCH
from .variant import Variant

_WORKFLOW = FETCH.workflow
_OPERATION = FETCH.name


@contextmanager
def textbook(endpoint: str, processors: Iterable[SpanProcessor]) -> Iterator[Variant]:
    processor = BatchSpanProcessor(
        OTLPSpanExporter(endpoint, compression=Compression.NoCompression),
        max_queue_size=QUEUE_SIZE,
        max_export_batch_size=BATCH_SIZE,
        schedule_delay_millis=SCHEDULE_DELAY_MILLIS,
    )
    provider = TracerProvider(shutdown_on_exit=False)
    for each in (*processors, processor):
        provider.add_span_processor(each)
    tracer = provider.get_tracer("textbook")
    metrics = Metrics(CollectorRegistry())

    def retrying(operation: Operation, policy: Policy) -> Operation:
        return _retrying(operation, policy, tracer, metrics)

    try:
        yield Variant(retrying, processor.force_flush)
    finally:
        provider.shutdown()


def _retrying(operation: Operation, policy: Policy, tracer: Tracer, metrics: Metrics) -> Operation:
    async def call(caller: int) -> int:
        started = time.monotonic()
        waited = backoff = 0.0
        metrics.operations_in_flight.labels(workflow=_WORKFLOW, operation=_OPERATION).inc()
        with tracer.start_as_current_span(f"retry {_OPERATION}") as span:
            span.set_attribute(semconv.WORKFLOW, _WORKFLOW)
            span.set_attribute(semconv.OPERATION, _OPERATION)
            span.set_attribute(semconv.RETRY_MAX_ATTEMPTS, policy.max_attempts)
            for number in range(1, policy.max_attempts + 1):
                try:
                    value = await attempt(caller, number, backoff)
                except Exception:
                    if number == policy.max_attempts:
                        finish(span, "exhausted", started, number, waited)
                        raise
                    span.add_event(
                        semconv.EVENT_RETRY_SCHEDULED,
                        {
                            semconv.ATTEMPT_NUMBER: number + 1,
                            semconv.RETRY_DELAY: policy.delay,
                            semconv.RETRY_DELAY_SOURCE: "policy",
                        },
                    )
                    backoff = await back_off()
                    waited += backoff
                else:
                    finish(span, "success", started, number, waited)
                    return value
        raise AssertionError("the last attempt has returned or raised")

    async def attempt(caller: int, number: int, backoff: float) -> int:
        started = time.monotonic()
        with tracer.start_as_current_span(f"attempt {_OPERATION}") as span:
            span.set_attribute(semconv.WORKFLOW, _WORKFLOW)
            span.set_attribute(semconv.OPERATION, _OPERATION)
            span.set_attribute(semconv.ATTEMPT_NUMBER, number)
            if number > 1:
                span.set_attribute(semconv.ATTEMPT_BACKOFF, backoff)
            try:
                value = await operation(caller)
            except Exception as error:
                kind = type(error).__qualname__
                span.set_attribute(semconv.OUTCOME, "error")
                span.set_attribute(semconv.ERROR_TYPE, kind)
                metrics.attempts.labels(
                    workflow=_WORKFLOW, operation=_OPERATION, outcome="error", error_type=kind
                ).inc(exemplar=_exemplar(span))
                metrics.attempt_duration.labels(
                    workflow=_WORKFLOW, operation=_OPERATION, outcome="error"
                ).observe(time.monotonic() - started, exemplar=_exemplar(span))
                raise  # the context manager records the exception and sets the status
            span.set_attribute(semconv.OUTCOME, "success")
            metrics.attempts.labels(
                workflow=_WORKFLOW, operation=_OPERATION, outcome="success", error_type=""
            ).inc()
            metrics.attempt_duration.labels(
                workflow=_WORKFLOW, operation=_OPERATION, outcome="success"
            ).observe(time.monotonic() - started)
            return value

    async def back_off() -> float:
        started = time.monotonic()
        with tracer.start_as_current_span(f"backoff {_OPERATION}") as span:
            span.set_attribute(semconv.WORKFLOW, _WORKFLOW)
            span.set_attribute(semconv.OPERATION, _OPERATION)
            span.set_attribute(semconv.RETRY_DELAY, policy.delay)
            span.set_attribute(semconv.RETRY_DELAY_SOURCE, "policy")
            await asyncio.sleep(policy.delay)
            span.set_attribute(semconv.OUTCOME, "success")
        waited = time.monotonic() - started
        metrics.backoff_duration.labels(workflow=_WORKFLOW, operation=_OPERATION).observe(waited)
        return waited

    def finish(span: Span, outcome: str, started: float, attempts: int, waited: float) -> None:
        span.set_attribute(semconv.OUTCOME, outcome)
        span.set_attribute(semconv.RETRY_ATTEMPTS, attempts)
        span.set_attribute(semconv.RETRY_BACKOFF, waited)
        metrics.operations_in_flight.labels(workflow=_WORKFLOW, operation=_OPERATION).dec()
        metrics.operation_duration.labels(workflow=_WORKFLOW, operation=_OPERATION, outcome=outcome).observe(
            time.monotonic() - started, exemplar=_exemplar(span)
        )
        metrics.operation_attempts.labels(workflow=_WORKFLOW, operation=_OPERATION, outcome=outcome).observe(
            attempts
        )

    return call


def _exemplar(span: Span) -> dict[str, str]:
    context = span.get_span_context()
    return {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}
