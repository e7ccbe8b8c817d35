"""One of the formats of ``prometheus_client``, and what its lines consist of.

Nothing here knows the syntax: what stands before a value is taken from a line that the client has written,
so that names, labels and their escaping are its own in each release. Only exemplars are written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client import Metric, utils
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample

from retryscope._prometheus.cells import SpanExemplar

Encode = Callable[[Collector], bytes]
"""As ``prometheus_client.exposition.choose_encoder`` returns it."""

number: Final[Callable[[float], str]] = getattr(utils, "floatToGoString", repr)
"""A number as it stands in a line. Where the client keeps that elsewhere, its lines are not understood."""

_ZERO: Final = b" 0.0"


class UnknownLinesError(Exception):
    """The client writes something else than lines that end in a value."""


class Format:
    """What one of the client's encoders writes.

    Attributes:
        encode: The encoder.
        ending: What it writes after everything.
        shows_exemplars: Whether they are in it.
    """

    __slots__ = ("encode", "ending", "shows_exemplars")

    def __init__(self, encode: Encode) -> None:
        self.encode = encode
        self.ending = encode(_Given(()))
        family = Metric("a", "A", "counter")
        plain = self.lines(family, [Sample("a_total", {}, 0.0)])
        self.shows_exemplars = plain != self.lines(
            family, [Sample("a_total", {}, 0.0, None, Exemplar({"b": "c"}, 1.0, 2.0))]
        )

    def collected(self, collector: Collector) -> bytes:
        """What a collector says, without the ending."""
        return self._endless(self.encode(_Collected(collector)))

    def lines(self, family: Metric, samples: Sequence[Sample]) -> bytes:
        """A family with these samples, without the ending."""
        metric = Metric(family.name, family.documentation, family.type, family.unit)
        metric.samples.extend(samples)
        return self._endless(self.encode(_Given((metric,))))

    def before_values(self, family: Metric, head: bytes, samples: Sequence[Sample]) -> list[str]:
        """What stands before the value in the line of each of these samples, whose values are 0.

        Raises:
            UnknownLinesError: There are others than these lines, or they end otherwise.
        """
        lines = self.lines(family, samples).removeprefix(head).split(b"\n")
        if len(lines) != len(samples) + 1 or lines.pop() or not all(line.endswith(_ZERO) for line in lines):
            raise UnknownLinesError
        return [line[: 1 - len(_ZERO)].decode() for line in lines]

    def heading_at_the_end(self, family: Metric, head: bytes, sample: Sample) -> bytes:
        """What the sample is moved below, after all others of its family; nothing if it stays in place."""
        once = self.lines(family, [sample])
        line = self.lines(family, [sample, sample]).removeprefix(once)
        if not line or not once.endswith(line):
            raise UnknownLinesError
        return once.removeprefix(head).removesuffix(line)

    def _endless(self, text: bytes) -> bytes:
        return text[: len(text) - len(self.ending)]


def exemplar_text(exemplar: Exemplar | SpanExemplar | None) -> str:
    """An exemplar as it stands after the value."""
    if exemplar is None:
        return ""
    if type(exemplar) is SpanExemplar:
        trace_id, span_id = exemplar.ids
        labels = f'span_id="{span_id:016x}",trace_id="{trace_id:032x}"'
    else:
        labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(exemplar.labels.items()))
    timestamp = "" if exemplar.timestamp is None else f" {exemplar.timestamp}"
    return f" # {{{labels}}} {number(exemplar.value)}{timestamp}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


class _Given(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class _Collected(Collector):
    """A registry of one: what the collector raises is raised as there, and is no error of a family."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def collect(self) -> Iterable[Metric]:
        yield from self._collector.collect()
