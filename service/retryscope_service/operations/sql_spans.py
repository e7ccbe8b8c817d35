"""A CLIENT span for each query, by the OpenTelemetry conventions for databases.

OpenTelemetry's own instrumentation refuses SQLAlchemy 2.1, and calls a cancelled query an error.
"""

import asyncio
import re
from pathlib import PurePath
from typing import Any, Final

from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider, get_tracer
from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, ExceptionContext

from retryscope.semconv import ERROR_TYPE, OUTCOME, SERVER_ADDRESS, SERVER_PORT
from retryscope_service import semconv

_DEFAULT_PORT: Final = 5432
_COLLECTION: Final = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+([A-Za-z_]\w*)", re.IGNORECASE)


def trace_queries(engine: Engine, provider: TracerProvider | None = None) -> None:
    """Record every query of an engine, below the span that is current where it is awaited."""
    tracer = get_tracer("retryscope_service", tracer_provider=provider)
    of_engine = _attributes(engine.url)

    def begun(statement: str, context: Any, **_: Any) -> None:
        operation, collection = summary(statement)
        of_query = {semconv.DB_OPERATION_NAME: operation, semconv.DB_QUERY_TEXT: statement}
        if collection:
            of_query[semconv.DB_COLLECTION_NAME] = collection
        name = f"{operation} {collection}".rstrip()
        attributes = {**of_engine, **of_query}
        context.retryscope_span = tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)

    def ended(context: Any, **_: Any) -> None:
        context.retryscope_span.set_attribute(OUTCOME, "success")
        context.retryscope_span.end()

    def failed(context: ExceptionContext) -> None:
        span = getattr(context.execution_context, "retryscope_span", None)
        if span is None or not span.is_recording():  # no query (a commit, say), or one that has ended
            return
        error = context.original_exception
        if isinstance(error, asyncio.CancelledError):
            span.set_attribute(OUTCOME, "cancelled")
        else:
            code = status_code(error)
            if code:
                span.set_attribute(semconv.DB_RESPONSE_STATUS_CODE, code)
            span.set_attribute(OUTCOME, "error")
            span.set_attribute(ERROR_TYPE, code or type(error).__qualname__)
            # PostgreSQL's further lines, DETAIL among them, repeat values.
            span.set_status(Status(StatusCode.ERROR, str(error).partition("\n")[0]))
        span.end()

    event.listen(engine, "before_cursor_execute", begun, named=True)
    event.listen(engine, "after_cursor_execute", ended, named=True)
    event.listen(engine, "handle_error", failed)


def summary(statement: str) -> tuple[str, str]:
    """What a statement does, and to which table; empty where it names none.

    >>> summary("INSERT INTO orders (id) VALUES (?)")
    ('INSERT', 'orders')
    """
    word = re.match(r"\s*(\w+)", statement)
    operation = word[1].upper() if word else "UNKNOWN"
    found = _COLLECTION.search(statement)
    # A WITH names the rows that it makes itself first.
    if operation == "WITH":
        return "SELECT", ""
    return operation, found[1] if found else ""


def status_code(error: BaseException) -> str:
    """The database's own name for an error: an SQLSTATE, or SQLITE_BUSY say; empty where it has none."""
    code: str | None = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    return code or ""


def _attributes(url: URL) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {semconv.DB_SYSTEM_NAME: url.get_backend_name()}
    if url.database:  # of a file only its name: where it lies says nothing of what it is
        attributes[semconv.DB_NAMESPACE] = PurePath(url.database).name
    host = url.host or url.query.get("host")  # the folder of a socket is named there
    if host:
        attributes[SERVER_ADDRESS] = str(host)
        if (url.port or _DEFAULT_PORT) != _DEFAULT_PORT:
            attributes[SERVER_PORT] = int(url.port or _DEFAULT_PORT)
    return attributes
