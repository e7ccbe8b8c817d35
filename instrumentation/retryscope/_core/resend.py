"""The number of a resent request, on whoever's CLIENT spans: those of an HTTP client's instrumentation."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.trace import SpanKind

from retryscope import semconv
from retryscope._core.scope import attempt_here

_HTTP = (semconv.HTTP_REQUEST_METHOD, "http.method")
"""What tells an HTTP span from another client's; the second is the convention's old name for it."""


class ResendCount(SpanProcessor):
    """Puts ``http.request.resend_count`` on HTTP CLIENT spans below an attempt from the second on.

    :func:`retryscope.setup` adds one to the provider that it makes; give one to yours.

    >>> from opentelemetry.sdk.trace import TracerProvider
    >>> provider = TracerProvider()
    >>> provider.add_span_processor(ResendCount())
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Look at a span that starts where an attempt runs."""
        if span.kind is not SpanKind.CLIENT or (attempt := attempt_here()) < 2:
            return
        attributes = span.attributes or {}
        if semconv.HTTP_RESEND_COUNT not in attributes and any(name in attributes for name in _HTTP):
            span.set_attribute(semconv.HTTP_RESEND_COUNT, attempt - 1)
