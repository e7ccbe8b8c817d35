"""Families of Prometheus metrics as the tables of names have them.

Also a service of one's own declares its metrics so: by the row of a table, once.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.samples import Sample

from retryscope.names import Metric


class _Counter(Counter):
    """Without ``_created``, twice as many series that nobody asks for.

    The client's own switch is for all metrics of the process, most of which are not ours.
    """

    def _child_samples(self) -> Iterable[Sample]:
        return [sample for sample in super()._child_samples() if sample.name != "_created"]


class _Histogram(Histogram):
    """Without ``_created``, as :class:`_Counter`."""

    def _child_samples(self) -> Iterable[Sample]:
        return [sample for sample in super()._child_samples() if sample.name != "_created"]


def histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    """The family of a histogram, registered."""
    return _Histogram(metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=registry)


def counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    """The family of a counter, registered."""
    return _Counter(metric.name, metric.help, metric.labels, registry=registry)


def gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    """The family of a gauge, registered."""
    return Gauge(metric.name, metric.help, metric.labels, registry=registry)
