"""A span of our own: the API's ``Span`` and the SDK's ``ReadableSpan`` in one object, without locks."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, TypeVar

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, Span, SpanContext, Status, StatusCode

from retryscope._recording.fast.readable import ReadableLiveSpan
from retryscope.semconv import EVENT_EXCEPTION, EXCEPTION_MESSAGE, EXCEPTION_STACKTRACE, EXCEPTION_TYPE

T = TypeVar("T")

_EXCEPTION_ESCAPED: Final = "exception.escaped"
# Where the SDK's spans say the same.
_log = logging.getLogger("opentelemetry.sdk.trace")


def put(bounded: Any, attributes: Mapping[str, Any]) -> None:
    """Add attributes to the SDK's own container of them."""
    add = getattr(bounded, "_set_items", None)  # what newer releases have, which checks them all at once
    if add is not None:
        add(attributes)
        return
    for key, value in attributes.items():
        bounded[key] = value


def _append(items: list[T], item: T, most: int | None) -> int:
    """Append it; how many of the first had to go."""
    items.append(item)
    if most is None or len(items) <= most:
        return 0
    del items[0]
    return 1


class LiveSpan(ReadableLiveSpan, Span):
    """One that users' code can change until it ends."""

    __slots__ = ()

    def is_recording(self) -> bool:
        """Whether it has not ended."""
        return self.end_ns is None

    def _may(self, what: str) -> bool:
        if self.end_ns is not None:
            _log.warning("Tried calling %s on an ended span.", what)
            return False
        return True

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Add to its attributes, and replace those of the same keys."""
        if self._may("set_attributes"):
            put(self.bounded(), attributes)

    def set_attribute(self, key: str, value: Any) -> None:
        """Add one, or replace it."""
        if self._may("set_attribute"):
            self.bounded()[key] = value

    def add_event(
        self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None
    ) -> None:
        """Add an event, now or at a time in nanoseconds since the epoch."""
        if self._may("add_event"):
            limits = self._source.limits
            clean = BoundedAttributes(
                limits.max_event_attributes, attributes, max_value_len=limits.max_attribute_length
            )
            self.add_clean_event(
                name, time.time_ns() if timestamp is None else timestamp, clean, clean.dropped
            )

    def add_clean_event(
        self, name: str, time_ns: int, attributes: Mapping[str, Any], dropped: int = 0
    ) -> None:
        """Add an event whose attributes nobody changes and no limit concerns."""
        more = self.rare()
        if more.events is None:
            more.events = []
        most = self._source.limits.max_events
        more.dropped_events += _append(more.events, (name, time_ns, attributes, dropped), most)

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None = None) -> None:
        """Link it to another span."""
        if not (context.is_valid or attributes or context.trace_state):
            return
        if self._may("add_link"):
            limits = self._source.limits
            clean = BoundedAttributes(
                limits.max_link_attributes, attributes, max_value_len=limits.max_attribute_length
            )
            more = self.rare()
            if more.links is None:
                more.links = []
            more.dropped_links += _append(more.links, Link(context, clean), limits.max_links)

    def update_name(self, name: str) -> None:
        """Give it another name."""
        if self._may("update_name"):
            self.name_ = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """OK stays, whatever comes after it; UNSET changes nothing."""
        if not self._may("set_status"):
            return
        new = status if isinstance(status, Status) else Status(status, description)
        if new.status_code is not StatusCode.UNSET and self.status.status_code is not StatusCode.OK:
            self.rare().status = new

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add an exception as an event, as the SDK's spans do."""
        kind = type(exception)
        module = kind.__module__
        named = f"{module}.{kind.__qualname__}" if module and module != "builtins" else kind.__qualname__
        event = {
            EXCEPTION_TYPE: named,
            EXCEPTION_MESSAGE: str(exception),
            EXCEPTION_STACKTRACE: "".join(traceback.format_exception(exception)),
            _EXCEPTION_ESCAPED: str(escaped),
        }
        self.add_event(EVENT_EXCEPTION, {**event, **(attributes or {})}, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """End it. Users' code may do that before the primitive does, which then changes nothing more."""
        if self.end_ns is None:
            self._source.finish(self, time.time_ns() if end_time is None else end_time)
        else:
            _log.warning("Calling end() on an ended span.")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if error is not None and self.is_recording():
            self.record_exception(error, escaped=True)
            self.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        self.end()


def is_sampled(span: ReadableSpan) -> bool:
    """Whether a span, ours or the SDK's, is to be exported at all."""
    if type(span) is LiveSpan:
        return bool(span.flags & 1)
    return span.context is not None and span.context.trace_flags.sampled
