"""What a span of our own consists of, and how processors and exporters read it.

The SDK's has three bounded containers, three locks, and copies and checks every attribute. Here they are one
mapping given at the start and one at the end, and everything that few spans have is made when it is needed.
Where the SDK's limits could bite, and for whatever users' code adds, its own containers are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

UNSET: Final = Status(StatusCode.UNSET)
_FLAGS: Final = tuple(TraceFlags(flags) for flags in range(4))


class Source(Protocol):
    """Who has started a span, and ends it."""

    @property
    def limits(self) -> SpanLimits:
        """What a span may hold."""

    @property
    def resource(self) -> Resource:
        """Whose spans they are."""

    @property
    def scope(self) -> InstrumentationScope:
        """What makes them."""

    def finish(self, span: Any, end_ns: int) -> None:
        """End a span of its own, and tell the processors."""


EventData = tuple[str, int, Mapping[str, Any], int]
"""Name, time, attributes, and how many of these were dropped."""


@dataclass(slots=True)
class More:
    """What few spans have.

    Attributes:
        context: Its ids, where they are more than numbers: its sampler has set a state.
        parent: Its parent's, where that is not one of ours, or has another sampling decision or a state.
        attributes: All of them, where the SDK's own container has to hold them.
        events: In the order in which they were added; None where there are none.
        links: The same.
        dropped_events: Those before, for which there was no room.
        dropped_links: The same.
        status: Not UNSET.
        ended: Told at its end: what counts spans for the SDK's own metrics.
    """

    context: SpanContext | None = None
    parent: SpanContext | None = None
    attributes: Any = None
    events: list[EventData] | None = None
    links: list[Link] | None = None
    dropped_events: int = 0
    dropped_links: int = 0
    status: Status = UNSET
    ended: Callable[[], None] | None = None


class ReadableLiveSpan(ReadableSpan):
    """Readable at any time, from any thread.

    Args:
        source: Who ends it.
        name: Low cardinality.
        kind: INTERNAL, as a rule.
        trace_id: Its trace.
        span_id: It.
        parent_id: The span around it, or 0.
        flags: Those of the W3C's trace context: sampled is 1, a random trace id 2.
        attributes: Given at the start. Nobody changes them.
        start_ns: Nanoseconds since the epoch.

    Attributes:
        given: The attributes given at the start.
        final: Those given at the end, with other keys.
        more: What few spans have.
    """

    __slots__ = (
        "_all",
        "_context",
        "_source",
        "end_ns",
        "final",
        "flags",
        "given",
        "kind_",
        "more",
        "name_",
        "parent_id",
        "span_id",
        "start_ns",
        "trace_id",
    )

    def __init__(
        self,
        source: Source,
        name: str,
        kind: SpanKind,
        trace_id: int,
        span_id: int,
        parent_id: int,
        flags: int,
        attributes: Mapping[str, Any],
        start_ns: int,
    ) -> None:
        # The base class's own would make what this class is there to avoid.
        self._source = source
        self.name_ = name
        self.kind_ = kind
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id = parent_id
        self.flags = flags
        self.given = attributes
        self.start_ns = start_ns
        self.end_ns: int | None = None
        self.final: Mapping[str, Any] | None = None
        self.more: More | None = None
        self._all: Mapping[str, Any] | None = None
        self._context: SpanContext | None = None

    # Two threads may want to make the same at once, and one's would be lost. There is no lock: the garbage
    # collector may come in between and end another span here. What the interpreter never does is to change
    # threads between the check and the store after it, with no call in between.

    def rare(self) -> More:
        """Where that is kept which few spans have."""
        if self.more is None:
            made = More()
            if self.more is None:
                self.more = made
        return self.more

    def bounded(self) -> Any:
        """Its attributes in the SDK's own container, which cleans them and keeps to the limits."""
        more = self.rare()
        if more.attributes is None:
            limits = self._source.limits
            made = BoundedAttributes(
                limits.max_span_attributes, self.given, False, limits.max_span_attribute_length
            )
            if more.attributes is None:
                more.attributes = made
        return more.attributes

    def get_span_context(self) -> SpanContext:
        """Its ids."""
        context = self._context
        if context is None:
            if self.more is not None and self.more.context is not None:
                context = self.more.context
            else:
                context = SpanContext(self.trace_id, self.span_id, False, _FLAGS[self.flags])
            self._context = context
        return context

    @property
    def context(self) -> SpanContext:
        """Its ids."""
        return self.get_span_context()

    @property
    def parent(self) -> SpanContext | None:
        """The ids of the span around it."""
        if self.more is not None and self.more.parent is not None:
            return self.more.parent
        if not self.parent_id:
            return None
        return SpanContext(self.trace_id, self.parent_id, False, TraceFlags(self.flags))

    @property
    def name(self) -> str:
        """Its name."""
        return self.name_

    @property
    def kind(self) -> SpanKind:
        """Its kind."""
        return self.kind_

    @property
    def start_time(self) -> int:
        """Nanoseconds since the epoch."""
        return self.start_ns

    @property
    def end_time(self) -> int | None:
        """Nanoseconds since the epoch; None while it runs."""
        return self.end_ns

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Those so far."""
        if self.more is not None and self.more.attributes is not None:
            return MappingProxyType(self.more.attributes)
        if self.final is None:
            return MappingProxyType(self.given)
        if self._all is None:
            self._all = MappingProxyType({**self.given, **self.final})
        return self._all

    @property
    def events(self) -> Sequence[Event]:
        """Those so far."""
        if self.more is None or self.more.events is None:
            return ()
        return tuple(
            Event(name, pairs if dropped else MappingProxyType(pairs), at)
            for name, at, pairs, dropped in self.more.events
        )

    @property
    def links(self) -> Sequence[Link]:
        """Those so far."""
        return () if self.more is None or self.more.links is None else tuple(self.more.links)

    @property
    def status(self) -> Status:
        """UNSET, or what was set."""
        return UNSET if self.more is None else self.more.status

    @property
    def dropped_attributes(self) -> int:
        """How many there was no room for."""
        return 0 if self.more is None or self.more.attributes is None else self.more.attributes.dropped

    @property
    def dropped_events(self) -> int:
        """How many there was no room for."""
        return 0 if self.more is None else self.more.dropped_events

    @property
    def dropped_links(self) -> int:
        """How many there was no room for."""
        return 0 if self.more is None else self.more.dropped_links

    @property
    def resource(self) -> Resource:
        """Whose span it is."""
        return self._source.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        """What has made it."""
        return self._source.scope

    def _readable_span(self) -> ReadableSpan:
        """As the SDK's spans hand themselves to processors: a copy that has no methods to change it."""
        return ReadableSpan(
            name=self.name,
            context=self.context,
            parent=self.parent,
            resource=self.resource,
            attributes=self.attributes,
            events=self.events,
            links=self.links,
            kind=self.kind,
            status=self.status,
            start_time=self.start_time,
            end_time=self.end_time,
            instrumentation_scope=self.instrumentation_scope,
        )

    def to_json(self, indent: int | None = 4) -> str:
        """As the SDK's spans write themselves."""
        text: str = self._readable_span().to_json(indent)
        return text

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name="{self.name}", context={self.context})'
