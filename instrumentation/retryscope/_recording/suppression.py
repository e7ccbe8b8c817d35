"""Code whose spans nobody wants to see: scrapes, health checks, the plumbing of an engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, get_current, set_value


@contextmanager
def without_spans() -> Iterator[None]:
    """Record no spans inside the block; metrics and logs go on.

    It is OpenTelemetry's own switch, so other instrumentations keep quiet as well.

    >>> with without_spans():
    ...     suppressed()
    True
    >>> suppressed()
    False
    """
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        detach(token)


def suppressed() -> bool:
    """Whether spans are switched off here."""
    return bool(get_current().get(_SUPPRESS_INSTRUMENTATION_KEY))
