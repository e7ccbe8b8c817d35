"""The families of ``prometheus_client`` as this library declares them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Counter, Histogram
from prometheus_client.samples import Sample

from retryscope._prometheus.cells import SpanExemplar


class UndatedCounter(Counter):
    """Without ``_created``, twice as many series that nobody asks for.

    The client's own switch is for all metrics of the process, most of which are not ours.
    """

    def _child_samples(self) -> Iterable[Sample]:
        return _as_exposed(super()._child_samples())


class UndatedHistogram(Histogram):
    """Without ``_created``, as :class:`UndatedCounter`."""

    def _child_samples(self) -> Iterable[Sample]:
        return _as_exposed(super()._child_samples())


def _as_exposed(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Whoever collects gets the client's own exemplars, whatever the cells have put there instead."""
    for sample in samples:
        if sample.name == "_created":
            continue
        exemplar: object = sample.exemplar
        yield sample._replace(exemplar=exemplar.formatted()) if isinstance(exemplar, SpanExemplar) else sample
