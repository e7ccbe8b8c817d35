"""Set-up and shutdown of the telemetry of a process."""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.util import Finalize, register_after_fork
from typing import Any, Final, get_args

from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from prometheus_client import REGISTRY, CollectorRegistry

from retryscope import semconv
from retryscope._core.resend import ResendCount
from retryscope._recording.choice import can_be_fast, recorder_for
from retryscope._recording.collector import Exporter, exporter_to, log_each_message_again
from retryscope._recording.environment import (
    RecorderChoice,
    check_resource,
    is_disabled,
    kept_successes,
    otlp_options,
    recorder_choice,
    sampler,
)
from retryscope._recording.ids import OwnIds
from retryscope._recording.recorder import NullRecorder, Recorder
from retryscope._recording.resource import HashedOnce, service_name_of_environment
from retryscope._recording.tail_sampling import TailSampler
from retryscope._recording.telemetry import AttemptsAs, Telemetry, install, tracing_failure_counter
from retryscope.fork import ForkedLock
from retryscope.metrics import SERIES_PER_OPERATION, Metrics, metrics_for
from retryscope.outcome import Outcome, status_rule
from retryscope.printable import described, encodable

_log = logging.getLogger("retryscope")


@dataclass(slots=True)
class _Installed:
    own_provider: TracerProvider | None = None
    exporter: Exporter | TailSampler | None = None
    fast: bool = False


_setting_up: Final = ForkedLock()
_installed: _Installed | None = None
_made_global: TracerProvider | None = None
"""Our first provider: the API lets nobody replace a global one, so it stays there after its shutdown."""


def setup(
    *,
    service_name: str | None = None,
    registry: CollectorRegistry = REGISTRY,
    tracer_provider: trace.TracerProvider | None = None,
    span_processors: Iterable[SpanProcessor] = (),
    is_failure: Callable[[Outcome], bool] = status_rule,
    attempts: AttemptsAs = "spans",
    keep_successes: float | None = None,
    time_ns: Callable[[], int] = time.time_ns,
) -> None:
    """Start recording; call it once, before the event loop or inside it.

    Spans go to ``tracer_provider``; without one, to the global provider if somebody has set it, else to
    a provider made here, which becomes the global one. That one honours ``OTEL_SERVICE_NAME``,
    ``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_TRACES_SAMPLER`` and, where ``OTEL_EXPORTER_OTLP_ENDPOINT`` or
    ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` is set, exports there over OTLP/HTTP (queue and batches by the
    ``OTEL_BSP_*`` variables). ``OTEL_SDK_DISABLED=true`` switches spans off; metrics stay.

    Where the provider is the SDK's, spans are made by a recorder of our own, at a tenth of the cost, as the
    provider's tracer would: its sampler, ids, limits, resource and processors are honoured.
    ``RETRYSCOPE_RECORDER`` is ``auto``; with ``sdk`` the SDK makes them, with ``fast`` it is an error where
    ours can't.

    Beyond that, and the metrics in ``registry``, nothing of the process is changed, except that the exporter
    logs each of its messages once, and that :func:`shutdown` is called when the interpreter ends: what is
    queued is sent also where an exception ends the program. A process that is forked from this one exports
    its own spans, and none of this one's.

    Args:
        service_name: ``service.name``, where these variables don't say it.
        registry: Where the metrics are registered.
        tracer_provider: A provider of your own; nothing is added to it but ``span_processors``, one of which
            may be a :class:`ResendCount`: a provider made here has one.
        span_processors: Further processors, for example a store of the last traces.
        is_failure: The status rule: whether a span with this outcome gets the status ERROR.
        attempts: ``spans``: each attempt and each wait of a retry is a span of its own. ``events``: attempts
            are events on the retry's span, with number, duration, outcome, error type and the wait before; a
            retry that succeeds at once is one span instead of two. A span keeps its last 128 events, or
            ``OTEL_SPAN_EVENT_COUNT_LIMIT``.
        keep_successes: The share of plain successes that is exported, from 0 to 1, chosen by trace id; what
            failed, was retried, timed out or was cancelled is exported with its whole trace. It needs the
            provider made here. Without it ``RETRYSCOPE_KEEP_SUCCESSES`` says it, or it is 1.
        time_ns: Wall clock, in nanoseconds since the epoch.

    Raises:
        RuntimeError: It was called before, without :func:`shutdown`.
        TypeError: An argument is of another class, or ``span_processors`` are given for a provider that takes
            none.
        ValueError: A variable, ``attempts`` or ``keep_successes`` has a value that can't be used, or the
            latter is below 1 for a provider that exports by itself.
    """
    if attempts not in get_args(AttemptsAs):
        raise ValueError(f"attempts must be 'spans' or 'events', got {described(attempts)}")
    processors = _checked(service_name, registry, tracer_provider, span_processors, is_failure, time_ns)
    keep = kept_successes(keep_successes)
    with _setting_up:
        _set_up(service_name, registry, tracer_provider, processors, is_failure, attempts, keep, time_ns)


def _checked(
    service_name: object,
    registry: object,
    tracer_provider: object,
    span_processors: Iterable[SpanProcessor],
    is_failure: object,
    time_ns: object,
) -> tuple[SpanProcessor, ...]:
    """Refuse what would fail later, where nobody could tell why; the processors."""
    if service_name is not None and not isinstance(service_name, str):
        raise TypeError(f"setup takes a service_name that is a str, got {described(service_name)}")
    if not isinstance(registry, CollectorRegistry):
        raise TypeError(
            f"setup takes a prometheus_client.CollectorRegistry as its registry, got {described(registry)}"
        )
    if tracer_provider is not None and not isinstance(tracer_provider, trace.TracerProvider):
        raise TypeError(f"setup takes an OpenTelemetry TracerProvider, got {described(tracer_provider)}")
    for what, function in (("is_failure", is_failure), ("time_ns", time_ns)):
        if not callable(function):
            raise TypeError(f"setup takes a function as its {what}, got {described(function)}")
    if not isinstance(span_processors, Iterable):
        raise TypeError(f"setup takes a list of span_processors, got {described(span_processors)}")
    processors = tuple(span_processors)
    for each in processors:
        if not isinstance(each, SpanProcessor):
            raise TypeError(f"setup takes span_processors that are SpanProcessors, got {described(each)}")
    return processors


def _set_up(
    service_name: str | None,
    registry: CollectorRegistry,
    tracer_provider: trace.TracerProvider | None,
    span_processors: tuple[SpanProcessor, ...],
    is_failure: Callable[[Outcome], bool],
    attempts: AttemptsAs,
    keep: float,
    time_ns: Callable[[], int],
) -> None:
    global _installed
    if _installed is not None:
        raise RuntimeError("retryscope.setup() was called before; call shutdown() first")
    disabled = is_disabled()
    choice = recorder_choice()
    metrics = metrics_for(registry)
    failed = tracing_failure_counter(metrics)
    recorder: Recorder
    if disabled:
        recorder = NullRecorder()
        _installed = _Installed()
    else:
        provider, _installed = _provider(
            tracer_provider, service_name, span_processors, metrics, choice, keep
        )
        tracer = provider.get_tracer(semconv.SCOPE_NAME)
        recorder = recorder_for(tracer, _installed.fast, time_ns, failed)
    install(Telemetry(recorder, metrics, time_ns, _never_raising(is_failure, failed), attempts))
    if _installed.exporter is not None:
        register_after_fork(_installed.exporter, _send_at_the_end_of_a_child)
    atexit.register(shutdown)  # also where an exception ends the program: its spans are those to look at
    _log.info(
        "telemetry is set up; the declared operations have at most %d series, %d each",
        metrics.series_bound(),
        SERIES_PER_OPERATION,
    )


def _send_at_the_end_of_a_child(_: Exporter | TailSampler) -> None:
    """A child of :mod:`multiprocessing` forgets what was registered with :mod:`atexit`."""
    Finalize(None, shutdown, exitpriority=0)


def _never_raising(
    is_failure: Callable[[Outcome], bool], failed: Callable[[Exception], None]
) -> Callable[[Outcome], bool]:
    """The status rule; where it raises, which would take the place of the caller's exception, our own."""

    def rule(outcome: Outcome) -> bool:
        try:
            return is_failure(outcome)
        except Exception as failure:
            failed(failure)
            return status_rule(outcome)

    return rule


def _provider(
    given: trace.TracerProvider | None,
    service_name: str | None,
    processors: Iterable[SpanProcessor],
    metrics: Metrics,
    choice: RecorderChoice,
    keep: float,
) -> tuple[trace.TracerProvider, _Installed]:
    found = given or trace.get_tracer_provider()
    if given is None and (isinstance(found, trace.ProxyTracerProvider) or found is _made_global):
        return _own_provider(service_name, processors, metrics, choice, keep)
    if keep < 1:
        raise ValueError(
            f"keep_successes (or RETRYSCOPE_KEEP_SUCCESSES) is {keep:g}, which needs the provider and the"
            f" exporter that setup() makes; {described(found)} exports by itself"
        )
    fast = can_be_fast(choice, found.get_tracer(semconv.SCOPE_NAME))
    for processor in processors:
        if not isinstance(found, TracerProvider):
            raise TypeError(
                f"span_processors need an OpenTelemetry SDK TracerProvider, got {described(found)}"
            )
        found.add_span_processor(processor)
    return found, _Installed(fast=fast)


def _own_provider(
    service_name: str | None,
    processors: Iterable[SpanProcessor],
    metrics: Metrics,
    choice: RecorderChoice,
    keep: float,
) -> tuple[trace.TracerProvider, _Installed]:
    global _made_global
    check_resource()
    given = service_name is not None and not service_name_of_environment()
    named = {SERVICE_NAME: encodable(service_name)} if given and service_name else {}
    options = otlp_options()
    sampled, resource = sampler(), HashedOnce(Resource.create(named))
    provider = TracerProvider(
        sampler=sampled, resource=resource, shutdown_on_exit=False, id_generator=OwnIds()
    )
    fast = can_be_fast(choice, provider.get_tracer(semconv.SCOPE_NAME))
    exporter = None if options is None else _exporter(options, metrics, fast, keep)
    for processor in (ResendCount(), *processors):
        provider.add_span_processor(processor)
    if exporter is not None:
        provider.add_span_processor(exporter)
    if _made_global is None:
        trace.set_tracer_provider(provider)
        _made_global = provider
    return provider, _Installed(provider, exporter, fast)


def _exporter(options: dict[str, Any], metrics: Metrics, fast: bool, keep: float) -> Exporter | TailSampler:
    exporter = exporter_to(options, metrics.dropped, fast)
    if keep == 1:
        return exporter
    return TailSampler(exporter, keep, on_left_out=metrics.left_out, on_early=metrics.decided_early)


def shutdown(timeout: float = 5.0) -> None:
    """Export what is queued, within ``timeout`` seconds, and stop recording spans.

    It blocks: call it from a thread if an event loop is still running. A provider of your own is left
    alone. :func:`setup` may be called again afterwards.
    """
    global _installed
    installed, _installed = _installed, None
    if installed is None:
        return
    atexit.unregister(shutdown)
    log_each_message_again()
    if installed.exporter is not None:
        installed.exporter.close(timeout)
    if installed.own_provider is not None:
        installed.own_provider.shutdown()
