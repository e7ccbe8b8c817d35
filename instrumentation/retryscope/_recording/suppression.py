"""Code whose spans nobody wants to see: scrapes, health checks, the plumbing of an engine."""

from __future__ import annotations

from types import TracebackType
from typing import Final

from opentelemetry.context import (
    _SUPPRESS_HTTP_INSTRUMENTATION_KEY,
    _SUPPRESS_INSTRUMENTATION_KEY,
    Context,
    attach,
    get_current,
    set_value,
)

from retryscope.entry import first_entry

_OF_HTTP: Final = (
    _SUPPRESS_INSTRUMENTATION_KEY,
    _SUPPRESS_HTTP_INSTRUMENTATION_KEY,
    "suppress_instrumentation",  # as it was once written
)


class without_spans:  # noqa: N801  (reads like a function)
    """Record no spans inside the block; metrics and logs go on.

    It is OpenTelemetry's own switch, so other instrumentations keep quiet as well.

    Raises:
        RuntimeError: It was entered before.

    >>> with without_spans():
    ...     suppressed()
    True
    >>> suppressed()
    False
    """

    # No generator: contextlib sets the traceback of what the block raises, which its class may refuse.
    __slots__ = ("_before", "_was_suppressed")

    def __init__(self) -> None:
        self._before: Context | None = None

    def __enter__(self) -> None:
        first_entry(self._before, "without_spans")
        self._before = get_current()
        self._was_suppressed = suppressed()
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        # Not where the block ends in another context than the one it began in, as a fixture may.
        if self._before is not None and suppressed() and not self._was_suppressed:
            attach(self._before)


def suppressed() -> bool:
    """Whether spans are switched off here."""
    return bool(get_current().get(_SUPPRESS_INSTRUMENTATION_KEY))


def http_suppressed() -> bool:
    """Whether those of HTTP clients are, by any key that OpenTelemetry's instrumentations honour."""
    context = get_current()
    return any(map(context.get, _OF_HTTP))
