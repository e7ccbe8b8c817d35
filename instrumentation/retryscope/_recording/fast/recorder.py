"""Starts and ends spans of our own as the SDK provider's tracer would its.

Its sampler, ids, limits, resource and processors are honoured; spans of other instrumentations stay its own
and mix with ours as parents and children. Where a sampler's answer is known beforehand it is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import getrandbits
from typing import Any, Final, cast

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Tracer
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
)

from retryscope import semconv
from retryscope._prometheus.cells import SpanIds
from retryscope._recording.attributes import PLAIN, PREPARED
from retryscope._recording.current import StartedSpan, innermost, settle
from retryscope._recording.fast import probe
from retryscope._recording.fast.processors import Processors
from retryscope._recording.fast.span import LiveSpan, put
from retryscope._recording.ids import OwnIds, draw
from retryscope._recording.recorder import Attributes, OpenSpan
from retryscope._recording.stacktrace import exception_attributes

_SAMPLED: Final = 1
_RANDOM: Final = int(getattr(TraceFlags, "RANDOM_TRACE_ID", 0))
_CANCELLED_BY: Final = {semconv.LINK_KIND: semconv.LINK_CANCELLED_BY}


class _Started(StartedSpan):
    __slots__ = ()

    span: LiveSpan

    @property
    def exemplar(self) -> SpanIds | None:
        span = self.span
        return (span.trace_id, span.span_id) if span.flags & _SAMPLED and span.end_ns is None else None


class FastRecorder:
    """A :class:`~retryscope._recording.recorder.Recorder` whose spans are our own.

    Args:
        tracer: The SDK's, for which :func:`~retryscope._recording.fast.probe.obstacle` has found none.
        time_ns: Wall clock in nanoseconds since the epoch.
        on_failure: Called with an exception of the tracing itself, which never reaches the caller.

    Raises:
        ValueError: There is an obstacle.
    """

    def __init__(
        self, tracer: Tracer, time_ns: Callable[[], int], on_failure: Callable[[Exception], None]
    ) -> None:
        variable = probe.current_context()
        if (reason := probe.obstacle(tracer)) is not None or variable is None:
            raise ValueError(reason)
        self._context = variable
        self._key = probe.span_key()
        self._tracer = tracer
        self._time_ns = time_ns
        self._on_failure = on_failure
        self.limits = limits = tracer._span_limits
        self._most_attributes = limits.max_span_attributes
        self._most_event_attributes = limits.max_event_attributes
        self._no_length = limits.max_span_attribute_length is None
        self._no_event_length = limits.max_attribute_length is None
        self.scope = tracer._instrumentation_scope
        self._enabled = probe.enabled_by(tracer)
        self._count = probe.counted_by(tracer)
        ids = tracer.id_generator
        # Where it is known how they are drawn, two calls fewer.
        self._ids = None if type(ids) in (RandomIdGenerator, OwnIds) else ids
        self._draw = draw if type(ids) is OwnIds else getrandbits
        self._random = _RANDOM if _RANDOM and ids.is_trace_id_random() else 0
        # A sampler that must be asked says so for everything; so does whoever counts each of its answers.
        known = probe.known_answers(tracer.sampler) if self._count is None else (False, False)
        self._roots_sampled, self._children_sampled = known
        self._processors = Processors(tracer.span_processor)

    @property
    def resource(self) -> Resource:
        """That of the process, which a fork changes."""
        return self._tracer.resource

    def start(
        self,
        name: str,
        attributes: Attributes,
        *,
        current: bool = True,
        kind: SpanKind = SpanKind.INTERNAL,
        cancelled_by: SpanContext | None = None,
    ) -> OpenSpan:
        """Start a span under the current one."""
        try:
            around = innermost.get()
            if around is not None and around.ended:
                around = settle()
            before = self._context.get()
            if before.get(_SUPPRESS_INSTRUMENTATION_KEY):
                return StartedSpan(INVALID_SPAN)
            parent: Any = before.get(self._key)
            # A call costs a fifth of all that is done here: what every span needs is in no method of its own.
            sampled: object
            if parent is None:
                sampled = self._roots_sampled
            else:
                sampled = (
                    type(parent) is LiveSpan
                    and self._children_sampled
                    and parent.flags & _SAMPLED
                    and (parent.more is None or parent.more.context is None)
                )
            if self._enabled is not None and not self._enabled():
                started = StartedSpan(NonRecordingSpan(get_current_span().get_span_context()))
            elif not sampled or cancelled_by is not None:
                links = (Link(cancelled_by, _CANCELLED_BY),) if cancelled_by is not None else ()
                started = self._ask(name, kind, attributes, links)
            else:
                ids = self._ids
                if parent is None:
                    trace_id = (self._draw(128) or 1) if ids is None else ids.generate_trace_id()
                    parent_id, flags = 0, self._random | _SAMPLED
                else:
                    trace_id, parent_id, flags = parent.trace_id, parent.span_id, parent.flags
                span_id = (self._draw(64) or 1) if ids is None else ids.generate_span_id()
                live = LiveSpan(
                    self, name, kind, trace_id, span_id, parent_id, flags, attributes, self._time_ns()
                )
                self._tell_of_start(live)
                started = _Started(live)
            if current:
                # StartedSpan.make_current(), with what is known here already.
                started.around = around
                started.before = before
                self._context.set(Context({**before, self._key: started.span}))
                innermost.set(started)
            return started
        except Exception as failure:
            self._on_failure(failure)
            return StartedSpan(INVALID_SPAN)

    def _ask(self, name: str, kind: SpanKind, attributes: Attributes, links: Sequence[Link]) -> StartedSpan:
        """Start a span as the SDK's tracer does, step by step."""
        tracer, ids = self._tracer, self._ids
        outer: SpanContext | None = get_current_span().get_span_context()
        if outer is None or not outer.is_valid:
            outer, random = None, self._random
            trace_id = (self._draw(128) or 1) if ids is None else ids.generate_trace_id()
        else:
            trace_id, random = outer.trace_id, outer.trace_flags & _RANDOM
        result: Any = tracer.sampler.should_sample(None, trace_id, name, kind, attributes, links)
        flags = random | (_SAMPLED if result.decision.is_sampled() else 0)
        span_id = (self._draw(64) or 1) if ids is None else ids.generate_span_id()
        context = SpanContext(trace_id, span_id, False, TraceFlags(flags), result.trace_state)
        ended = self._count(outer, result.decision) if self._count is not None else None
        if not result.decision.is_recording():
            return StartedSpan(NonRecordingSpan(context))
        given: Mapping[str, Any] = result.attributes or {}
        parent_id = 0 if outer is None else outer.span_id
        live = LiveSpan(self, name, kind, trace_id, span_id, parent_id, flags, given, self._time_ns())
        if outer is not None or ended is not None or context.trace_state:
            more = live.rare()
            more.parent, more.ended = outer, ended
            more.context = context if context.trace_state else None
        for link in links:
            live.add_link(link.context, link.attributes)
        self._tell_of_start(live)
        return _Started(live)

    def _tell_of_start(self, live: LiveSpan) -> None:
        given = live.given
        most = self._most_attributes
        if not (self._no_length and (most is None or len(given) <= most) and _is_clean(given)):
            live.bounded()
        processors = self._processors
        if processors.holder._span_processors is not processors.known:
            processors.refresh()
        for on_start in processors.on_start:
            on_start(live, parent_context=None)

    def current(self) -> SpanContext:
        """Ids of the current span."""
        return get_current_span().get_span_context()

    def event(self, span: OpenSpan, name: str, attributes: Attributes, time_ns: int = 0) -> None:
        """Add an event."""
        live = cast(StartedSpan, span).span
        try:
            if type(live) is not LiveSpan:
                return
            most = self._most_event_attributes
            room = most is None or len(attributes) <= most
            if live.end_ns is None and self._no_event_length and room and _is_clean(attributes):
                live.add_clean_event(name, time_ns or self._time_ns(), attributes)
            else:
                live.add_event(name, attributes, time_ns or self._time_ns())
        except Exception as failure:
            self._on_failure(failure)

    def exception(self, span: OpenSpan, error: BaseException) -> None:
        """Record an exception with its stack trace."""
        if not cast(StartedSpan, span).span.is_recording():
            return
        try:
            attributes = exception_attributes(error)
        except Exception as failure:
            self._on_failure(failure)
        else:
            self.event(span, semconv.EVENT_EXCEPTION, attributes)

    def link(self, span: OpenSpan, target: SpanContext, kind: str = semconv.LINK_CANCELLED_BY) -> None:
        """Link the span to another one; ``kind`` says why."""
        try:
            cast(StartedSpan, span).span.add_link(target, {semconv.LINK_KIND: kind})
        except Exception as failure:
            self._on_failure(failure)

    def end(self, span: OpenSpan, attributes: Attributes, *, failure: str | None = None) -> None:
        """End the span; its parent is current again where it was current."""
        assert isinstance(span, StartedSpan)
        started = span
        before, around = started.before, started.around
        if (
            before is not None
            and innermost.get() is started
            and not (around is not None and around.ended)
            and self._context.get().get(self._key) is started.span
        ):
            # StartedSpan.end(), in the one case that is not rare.
            started.ended = True
            self._context.set(before)
            innermost.set(around)
        else:
            started.end()
        live = started.span
        try:
            if type(live) is not LiveSpan:
                return
            if live.end_ns is None:
                self._add_final(live, attributes)
                if failure is not None and live.status.status_code is not StatusCode.OK:
                    live.rare().status = Status(StatusCode.ERROR, failure)
                self.finish(live, self._time_ns())
        except Exception as error:
            self._on_failure(error)

    def _add_final(self, live: LiveSpan, attributes: Attributes) -> None:
        more, given, most = live.more, live.given, self._most_attributes
        if (
            (more is None or more.attributes is None)
            and (most is None or len(given) + len(attributes) <= most)
            and not any(map(given.__contains__, attributes))
            and _is_clean(attributes)
        ):
            live.final = attributes
        else:
            put(live.bounded(), attributes)

    def finish(self, span: LiveSpan, end_ns: int) -> None:
        """End a span that records, whoever has asked for it."""
        span.end_ns = end_ns
        more = span.more
        if more is not None and more.ended is not None:
            more.ended()
        for on_ending in self._processors.on_ending:
            on_ending(span)
        for on_end in self._processors.on_end:
            on_end(span)


def _is_clean(attributes: Mapping[str, Any]) -> bool:
    """Whether the SDK's container would take them as they are."""
    return type(attributes) in PREPARED or (
        "" not in attributes and PLAIN.issuperset(map(type, attributes.values()))
    )
