"""Log lines as JSON, each naming its trace, with the same keys as span attributes."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from opentelemetry.trace import get_current_span

from retryscope._recording.environment import check_resource
from retryscope._recording.resource import service_name_of_environment
from retryscope._recording.stacktrace import format_stacktrace
from retryscope._recording.telemetry import active
from retryscope.background_writer import BackgroundWriter, DropReason
from retryscope.printable import printable_json

FLUSH_SECONDS: Final = 2.0
"""How long the end of the interpreter waits for a reader of the last lines, in seconds."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line.

    ``trace_id``, ``span_id`` and ``trace_flags`` are at the top level, as OpenTelemetry names them for
    formats other than OTLP; whatever was passed as ``extra`` follows under its own name.

    Args:
        service_name: Value of ``service.name``.

    >>> import json
    >>> record = logging.makeLogRecord({"msg": "hello", "levelname": "INFO", "resilience.outcome": "error"})
    >>> line = json.loads(JsonFormatter("shop").format(record))
    >>> line["message"], line["service.name"], line["resilience.outcome"]
    ('hello', 'shop', 'error')
    """

    def __init__(self, service_name: str) -> None:
        super().__init__()
        self._service_name = service_name

    def format(self, record: logging.LogRecord) -> str:
        """Render the record."""
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "service.name": self._service_name,
        }
        context = get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = f"{context.trace_id:032x}"
            line["span_id"] = f"{context.span_id:016x}"
            line["trace_flags"] = f"{context.trace_flags:02x}"
        line.update((key, value) for key, value in vars(record).items() if key not in _STANDARD)
        if record.exc_info and record.exc_info[1] is not None:
            line["exception.stacktrace"] = format_stacktrace(record.exc_info[1]).rstrip("\n")
        return printable_json(line)


class _BackgroundHandler(logging.Handler):
    """Renders a record where it is made, in its span, and lets a thread write the line."""

    def __init__(self, stream: TextIO | None, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._writer = BackgroundWriter(stream, on_drop=_count_drop, notice=self._notice)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write(f"{self.format(record)}\n")
        except Exception:
            self.handleError(record)

    def drain(self, timeout: float) -> bool:
        """Wait until all lines are written."""
        return self._writer.drain(timeout)

    def flush(self) -> None:
        """What :mod:`logging` does when the interpreter ends, however that came about."""
        self.drain(FLUSH_SECONDS)

    def close(self) -> None:
        self._writer.close()
        super().close()

    def _notice(self, lost: int) -> str:
        message = f"{lost} log lines were lost: standard output was not read, or could not be written to"
        record = logging.LogRecord("retryscope", logging.WARNING, __file__, 0, message, None, None)
        return f"{self.format(record)}\n"


def _count_drop(reason: DropReason) -> None:
    active().metrics.dropped_log(reason)


def configure_logs(service_name: str, level: str = "INFO") -> None:
    """Send all logs of the process to standard output as JSON lines.

    A thread writes them, so that a reader that does not read holds nobody up: at most 4 MiB wait, what is
    more is dropped and counted in ``resilience_telemetry_dropped_log_lines_total``. The interpreter's end
    waits up to 2 seconds for what is left; call :func:`flush_logs` where that end is skipped.

    Args:
        service_name: Value of ``service.name``, where the ``OTEL_*`` variables don't say it.
        level: Name of the lowest level that is shown.

    Raises:
        ValueError: ``OTEL_SERVICE_NAME`` or ``OTEL_RESOURCE_ATTRIBUTES`` can't be used.
    """
    check_resource()
    formatter = JsonFormatter(service_name_of_environment() or service_name)
    logging.basicConfig(level=level, handlers=[_BackgroundHandler(sys.stdout, formatter)], force=True)


def flush_logs(timeout: float = FLUSH_SECONDS) -> bool:
    """Wait until what was logged so far is written.

    Args:
        timeout: For how many seconds at most.

    Returns:
        Whether all of it is written.
    """
    ours = [each for each in logging.getLogger().handlers if isinstance(each, _BackgroundHandler)]
    return all(handler.drain(timeout) for handler in ours)
