"""Ids of traces and spans, drawn from a source of our own.

The SDK draws them from the hidden instance of module :mod:`random`: whoever seeds that, as tests and
numerical programs do, gets the same trace ids in every process, and other numbers than without the spans.
"""

from __future__ import annotations

from typing import Final

from opentelemetry.sdk.trace.id_generator import IdGenerator

from retryscope.fork import own_random

_source: Final = own_random()

draw: Final = _source.getrandbits
"""So many random bits, which may all be 0."""


class OwnIds(IdGenerator):
    """Random ids that nobody else's seed determines."""

    def generate_span_id(self) -> int:
        """64 bits, not all 0."""
        return _source.getrandbits(64) or self.generate_span_id()

    def generate_trace_id(self) -> int:
        """128 bits, not all 0."""
        return _source.getrandbits(128) or self.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """All of its bits are."""
        return True
