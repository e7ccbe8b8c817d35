"""The exporter to the collector that the variables name."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from retryscope._recording.collector_session import CollectorSession
from retryscope._recording.encoded_export import BATCH_SIZE as FAST_BATCH_SIZE
from retryscope._recording.encoded_export import FastExportProcessor
from retryscope._recording.environment import positive_int
from retryscope._recording.export import (
    BATCH_SIZE,
    EXPORT_TIMEOUT_MILLIS,
    QUEUE_SIZE,
    SCHEDULE_DELAY_MILLIS,
    ExportProcessor,
)
from retryscope._recording.losses import OnDrop
from retryscope._recording.sender import Sender

EXPORTER: Final = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
"""The SDK exporter's logger."""

Exporter = ExportProcessor | FastExportProcessor


def exporter_to(options: dict[str, Any], on_drop: OnDrop, fast: bool) -> Exporter:
    """What exports to a collector, with queue and batches by the ``OTEL_BSP_*`` variables.

    Args:
        options: As :func:`~retryscope._recording.environment.otlp_options` has checked them.
        on_drop: Counts what is lost.
        fast: Whether spans are encoded when they end; else the SDK's exporter does it.

    Raises:
        ValueError: A variable has a value that can't be used.
    """
    # Unused by the SDK, which would yet log a stack trace about a wrong value.
    positive_int("OTEL_BSP_EXPORT_TIMEOUT", EXPORT_TIMEOUT_MILLIS)
    queue_size = positive_int("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE_SIZE)
    batch_size = positive_int(
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", min(FAST_BATCH_SIZE if fast else BATCH_SIZE, queue_size)
    )
    if batch_size > queue_size:
        raise ValueError(
            f"OTEL_BSP_MAX_EXPORT_BATCH_SIZE must be at most OTEL_BSP_MAX_QUEUE_SIZE, {queue_size},"
            f" got {batch_size}"
        )
    delay = positive_int("OTEL_BSP_SCHEDULE_DELAY", SCHEDULE_DELAY_MILLIS)
    if fast:
        return FastExportProcessor(
            Sender(options),
            on_drop,
            queue_size=queue_size,
            batch_size=batch_size,
            schedule_delay_millis=delay,
        )
    session = CollectorSession()
    processor = ExportProcessor(
        OTLPSpanExporter(session=session, **options),
        on_drop,
        queue_size=queue_size,
        batch_size=batch_size,
        schedule_delay_millis=delay,
    )
    # On the very logger: a filter is not asked about the records of the loggers below its own.
    _each_message_once.forget()
    logging.getLogger(EXPORTER).addFilter(_each_message_once)
    session.on_rejected = partial(processor.losses.add, "rejected")
    return processor


class _EachMessageOnce(logging.Filter):
    """The exporter logs every failed request; once is enough, the metric counts the rest."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this message, its values aside, is new."""
        new = record.msg not in self._seen
        self._seen.add(record.msg)
        return new

    def forget(self) -> None:
        """Log each again."""
        self._seen.clear()


_each_message_once: Final = _EachMessageOnce()


def log_each_message_again() -> None:
    """As the exporter does by itself."""
    logging.getLogger(EXPORTER).removeFilter(_each_message_once)
