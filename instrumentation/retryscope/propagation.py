"""Trace context and baggage of whoever asks: whatever they hold, the request goes on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import Getter, TextMapPropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_log = logging.getLogger("retryscope")
_W3C = TraceContextTextMapPropagator()
_W3C_FIELDS = ("traceparent", "baggage")
"""Without the first one ``tracestate`` is not read."""


def extract(carrier: Mapping[str, str]) -> Context:
    """The context that a request or a message carries, by the configured propagators.

    Where one of them fails, it is what the W3C trace context alone makes of it. It never raises.

    Args:
        carrier: The headers.

    >>> from opentelemetry.trace import get_current_span
    >>> context = extract({"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
    >>> f"{get_current_span(context).get_span_context().trace_id:032x}"
    '4bf92f3577b34da6a3ce929d0e0e4736'
    """
    extracted: Context | None
    try:
        propagator = propagate.get_global_textmap()
        if _is_w3c(propagator) and not any(field in carrier for field in _W3C_FIELDS):
            return Context()  # as they would say, for a tenth of the cost: most requests carry nothing
        extracted = cast("Context | None", propagate.extract(carrier, getter=_TEXTS))
    except Exception:  # they are plug-ins, and what they read was written by anybody
        _log.debug("a propagator failed", exc_info=True)
        extracted = _W3C.extract(carrier, getter=_TEXTS)
    # Of no propagator at all (OTEL_PROPAGATORS=none) it is None.
    return Context() if extracted is None else extracted


@lru_cache(maxsize=4)
def _is_w3c(propagator: TextMapPropagator) -> bool:
    """Whether it reads only W3C's fields: others may read more than the ``fields`` that they write."""
    parts = getattr(propagator, "_propagators", ()) if type(propagator) is CompositePropagator else ()
    kinds = list(map(type, parts))
    return kinds in ([TraceContextTextMapPropagator], [TraceContextTextMapPropagator, W3CBaggagePropagator])


def inject() -> dict[str, str]:
    """What a message has to carry for :func:`extract`: the current context, by the configured propagators.

    Where one of them fails, it is the W3C trace context alone. It never raises.

    >>> inject()
    {}
    """
    carrier: dict[str, str] = {}
    try:
        propagate.inject(carrier)
    except Exception:
        _log.debug("a propagator failed", exc_info=True)
        carrier = {}
        _W3C.inject(carrier)
    return carrier


def as_text(value: str) -> str:
    r"""A header as text that can be encoded: bytes that were no UTF-8 are replaced.

    >>> ascii(as_text("caf\udce9"))
    "'caf\\ufffd'"
    """
    if value.isascii():
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class _TextGetter(Getter[Mapping[str, str]]):
    """Propagators encode what they read, which fails for bytes that were no text."""

    def get(self, carrier: Mapping[str, str], key: str) -> list[str] | None:
        value = carrier.get(key)
        return None if value is None else [as_text(value)]

    def keys(self, carrier: Mapping[str, str]) -> list[str]:
        return list(carrier)


_TEXTS = _TextGetter()
