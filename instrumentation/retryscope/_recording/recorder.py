"""The one small interface through which the primitives record spans.

The primitives never talk to an SDK. Today the interface has two implementations: on an OpenTelemetry
tracer (:mod:`retryscope._recording.sdk`) and none at all, for telemetry that is switched off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, SpanKind

from retryscope import semconv
from retryscope._prometheus.cells import SpanIds

Attributes = Mapping[str, str | int | float | bool]


class OpenSpan(Protocol):
    """A started span, to be handed back to the recorder that started it."""

    @property
    def context(self) -> SpanContext:
        """Its ids; invalid when nothing is recorded."""

    @property
    def exemplar(self) -> SpanIds | None:
        """Its trace id and span id, or None where the span is not sampled."""


class Recorder(Protocol):
    """Starts, marks and ends spans. No method ever raises into the caller."""

    def start(
        self,
        name: str,
        attributes: Attributes,
        *,
        current: bool = True,
        kind: SpanKind = SpanKind.INTERNAL,
        cancelled_by: SpanContext | None = None,
    ) -> OpenSpan:
        """Start a span under the current one.

        Args:
            name: Low cardinality.
            attributes: Known at the start.
            current: Make it the parent of what follows, until its end.
            kind: What it is to other processes: SERVER or CLIENT, where it is something.
            cancelled_by: Link it to the span whose failure or request caused it.
        """

    def current(self) -> SpanContext:
        """Ids of the current span; invalid when there is none."""

    def event(self, span: OpenSpan, name: str, attributes: Attributes, time_ns: int = 0) -> None:
        """Add an event, now or at ``time_ns`` (nanoseconds since the epoch)."""

    def exception(self, span: OpenSpan, error: BaseException) -> None:
        """Record an exception with its stack trace, once, where it is handled."""

    def link(self, span: OpenSpan, target: SpanContext, kind: str = semconv.LINK_CANCELLED_BY) -> None:
        """Link the span to another one; ``kind`` says why."""

    def end(
        self,
        span: OpenSpan,
        attributes: Attributes,
        *,
        failure: str | None = None,
    ) -> None:
        """End the span; its parent is current again where it was current, and nothing that has ended is.

        Args:
            span: What :meth:`start` returned.
            attributes: Known only now: outcome, counts.
            failure: Description of the status ERROR; None leaves it UNSET.
        """


class _NullSpan:
    __slots__ = ()
    context = INVALID_SPAN_CONTEXT
    exemplar = None


_NULL_SPAN = _NullSpan()


class NullRecorder:
    """Records nothing: telemetry that is off costs next to nothing."""

    def start(
        self,
        name: str,
        attributes: Attributes,
        *,
        current: bool = True,
        kind: SpanKind = SpanKind.INTERNAL,
        cancelled_by: SpanContext | None = None,
    ) -> OpenSpan:
        """Return a span that is none."""
        return _NULL_SPAN

    def current(self) -> SpanContext:
        """Return the invalid span context."""
        return INVALID_SPAN_CONTEXT

    def event(self, span: OpenSpan, name: str, attributes: Attributes, time_ns: int = 0) -> None:
        """Do nothing."""

    def exception(self, span: OpenSpan, error: BaseException) -> None:
        """Do nothing."""

    def link(self, span: OpenSpan, target: SpanContext, kind: str = semconv.LINK_CANCELLED_BY) -> None:
        """Do nothing."""

    def end(
        self,
        span: OpenSpan,
        attributes: Attributes,
        *,
        failure: str | None = None,
    ) -> None:
        """Do nothing."""
