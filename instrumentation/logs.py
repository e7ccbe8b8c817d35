"""Log lines as JSON, each naming its trace, with the same keys as span attributes."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from opentelemetry.trace import get_current_span

from .resource import service_name_of_environment

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line.

    ``trace_id``, ``span_id`` and ``trace_flags`` are at the top level, as OpenTelemetry names them for
    formats other than OTLP; whatever was passed as ``extra`` follows under its own name.

    Args:
        service_name: Value of ``service.name``.

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
        if record.exc_info:
            line["exception.stacktrace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure_logs(service_name: str, level: str = "INFO") -> None:
    """Send all logs of the process to standard output as JSON lines.

    Args:
        service_name: Value of ``service.name``, where the ``OTEL_*`` variables don't say it.
        level: Name of the lowest level that is shown.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service_name_of_environment() or service_name))
    logging.basicConfig(level=level, handlers=[handler], force=True)
