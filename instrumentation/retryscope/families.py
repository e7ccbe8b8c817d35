"""Families of Prometheus metrics as the tables of names have them.

Also a service of one's own declares its metrics so: by the row of a table, once.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from retryscope._prometheus.families import UndatedCounter, UndatedHistogram
from retryscope.names import Metric


def histogram(metric: Metric, registry: CollectorRegistry) -> Histogram:
    """The family of a histogram, registered."""
    return UndatedHistogram(
        metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=registry
    )


def counter(metric: Metric, registry: CollectorRegistry) -> Counter:
    """The family of a counter, registered."""
    return UndatedCounter(metric.name, metric.help, metric.labels, registry=registry)


def gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    """The family of a gauge, registered."""
    return Gauge(metric.name, metric.help, metric.labels, registry=registry)
