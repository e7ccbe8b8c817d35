"""Encoded spans that wait to be sent, bounded by their number and their bytes."""

from __future__ import annotations

from collections import deque
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from retryscope._recording.otlp import encode_request, encode_resource, encode_scope

_MAX_IDLE_GROUPS: Final = 64


class _Group:
    """Spans of one resource and scope: bytes alone, in which the garbage collector has nothing to look at."""

    __slots__ = ("encoded_resource", "encoded_scope", "resource", "scope", "spans")

    def __init__(self, resource: Resource, scope: InstrumentationScope | None) -> None:
        self.resource = resource
        self.scope = scope
        self.encoded_resource = encode_resource(resource)
        self.encoded_scope = encode_scope(scope)
        self.spans: deque[bytes] = deque()


Taken = list[tuple[_Group, list[bytes]]]
"""Spans of one request."""


class Backlog:
    """First in, first out for each scope. Whoever uses it from several threads holds a lock.

    Args:
        max_spans: That wait at most.
        max_bytes: Of these together.

    Attributes:
        spans: That wait.
        bytes: Of these together.
    """

    def __init__(self, max_spans: int, max_bytes: int) -> None:
        self._max_spans = max_spans
        self._max_bytes = max_bytes
        self.spans = 0
        self.bytes = 0
        # By identity of the resource, which is kept: to hash its attributes costs more than a span.
        self._groups: dict[tuple[int, InstrumentationScope | None], _Group] = {}
        self._last: _Group | None = None

    def add(self, resource: Resource, scope: InstrumentationScope | None, encoded: bytes, taken: int) -> bool:
        """Take an encoded span; False if there is no room for it.

        Args:
            resource: Whose it is.
            scope: What has made it.
            encoded: It.
            taken: Spans that were taken and are still on their way: they use up room as well.
        """
        size = len(encoded)
        if self.spans + taken >= self._max_spans or self.bytes + size > self._max_bytes:
            return False
        group = self._last
        if group is None or group.scope is not scope or group.resource is not resource:
            group = self._last = self._group(resource, scope)
        group.spans.append(encoded)
        self.spans += 1
        self.bytes += size
        return True

    def _group(self, resource: Resource, scope: InstrumentationScope | None) -> _Group:
        key = (id(resource), scope)
        found = self._groups.get(key)
        if found is None:
            if len(self._groups) > _MAX_IDLE_GROUPS:  # somebody makes a scope for each call
                self._groups = {each: group for each, group in self._groups.items() if group.spans}
            found = self._groups[key] = _Group(resource, scope)
        return found

    def take(self, max_spans: int, max_bytes: int) -> Taken:
        """Take out the spans of one request: at least one, if any waits."""
        taken: Taken = []
        for group in self._groups.values():
            spans: list[bytes] = []
            while group.spans and max_spans > 0 and max_bytes > 0:
                encoded = group.spans.popleft()
                spans.append(encoded)
                self.spans -= 1
                self.bytes -= len(encoded)
                max_spans -= 1
                max_bytes -= len(encoded)
            if spans:
                taken.append((group, spans))
        return taken

    def clear(self) -> None:
        """Forget all that waits."""
        self._groups.clear()
        self._last = None
        self.spans = self.bytes = 0


def request_of(taken: Taken) -> bytes:
    """Spans as one request."""
    resources: dict[int, tuple[tuple[bytes, bytes], list[tuple[tuple[bytes, bytes], list[bytes]]]]] = {}
    for group, spans in taken:
        _, scopes = resources.setdefault(id(group.resource), (group.encoded_resource, []))
        scopes.append((group.encoded_scope, spans))
    return encode_request(resources.values())
