"""The values of ``prometheus_client``'s children, written without its locks.

Families, children and what a scrape reads stay the client's: a cell writes into the very objects that the
child's own methods write. ``inc`` of the client takes a lock and checks its arguments, ``observe`` does so
twice and tries its buckets one by one, an exemplar is formatted and validated; a cell does nothing of that.

It may leave out the lock because ``value._value += 1.0`` is one step for all other threads: CPython changes
threads only where a function is called or a loop jumps back, and between reading and writing a ``float``
there is neither. So cells and the client's methods may also write the same child in turn. Where that does not
hold, the client's own methods are called, at the same place and with the same result:

- without a global interpreter lock, and on other interpreters than CPython;
- where the child's values are not the client's plain ones, as in its multiprocess mode;
- where a private name that is used here has moved, or means something else than it did: all of them are tried
  out, once per process, and looked at again for each child.
"""

from __future__ import annotations

import sys
import time
from bisect import bisect_left
from collections.abc import Iterable
from functools import cache
from typing import Any, Final, Protocol, TypeVar

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client import values as client_values
from prometheus_client.samples import Exemplar

SpanIds = tuple[int, int]
"""Trace id and span id, as numbers: what an exemplar is made of at the scrape."""

_Value = TypeVar("_Value", bound=str)

GIL: Final[bool] = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether threads take turns. An interpreter that has begun so stays so."""


class Count(Protocol):
    """A counter's child."""

    def inc(self, ids: SpanIds | None = None) -> None:
        """Count one, with an exemplar or without."""


class Level(Protocol):
    """A gauge's child."""

    def add(self, amount: float) -> None:
        """Go up or down."""


class Distribution(Protocol):
    """A histogram's child."""

    def observe(self, amount: float, ids: SpanIds | None = None) -> None:
        """Count one observation, with an exemplar or without."""


def count_of(child: Counter) -> Count:
    """The cell of a counter's child, or what stands in for it."""
    return _CountCell(child) if _are_plain(child, "_value") else _CountByClient(child)


def level_of(child: Gauge) -> Level:
    """The cell of a gauge's child, or what stands in for it."""
    return _LevelCell(child) if _are_plain(child, "_value") else _LevelByClient(child)


def distribution_of(child: Histogram) -> Distribution:
    """The cell of a histogram's child, or what stands in for it."""
    plain = _are_plain(child, "_sum") and _are_plain(child, "_buckets", "_upper_bounds")
    return _DistributionCell(child) if plain else _DistributionByClient(child)


def counts_of(family: Counter, labels: tuple[str, ...], values: Iterable[_Value]) -> dict[_Value, Count]:
    """The cells of several children that differ in their last label."""
    return {value: count_of(family.labels(*labels, value)) for value in values}


def distributions_of(
    family: Histogram, labels: tuple[str, ...], values: Iterable[_Value]
) -> dict[_Value, Distribution]:
    """The cells of several children that differ in their last label."""
    return {value: distribution_of(family.labels(*labels, value)) for value in values}


class SpanExemplar:
    """What the client calls an exemplar, with its labels made when they are read.

    That is once in 15 seconds, whereas another one takes its place with every observation.
    """

    __slots__ = ("ids", "timestamp", "value")

    def __init__(self, ids: SpanIds, value: float) -> None:
        self.ids = ids
        self.value = value
        self.timestamp = time.time()

    @property
    def labels(self) -> dict[str, str]:
        """``trace_id`` and ``span_id`` in hex."""
        return labels_of(self.ids)

    def formatted(self) -> Exemplar:
        """As the client would have made it."""
        return Exemplar(self.labels, self.value, self.timestamp)


def labels_of(ids: SpanIds) -> dict[str, str]:
    """The labels of an exemplar: 63 characters of the 128 that are allowed."""
    trace_id, span_id = ids
    return {"trace_id": f"{trace_id:032x}", "span_id": f"{span_id:016x}"}


class _CountCell:
    __slots__ = ("_value",)

    def __init__(self, child: Counter) -> None:
        self._value = child._value

    def inc(self, ids: SpanIds | None = None) -> None:
        value = self._value
        value._value += 1.0
        if ids is not None:
            value._exemplar = SpanExemplar(ids, 1)


class _LevelCell:
    __slots__ = ("_value",)

    def __init__(self, child: Gauge) -> None:
        self._value = child._value

    def add(self, amount: float) -> None:
        self._value._value += amount


class _DistributionCell:
    __slots__ = ("_bounds", "_buckets", "_sum")

    def __init__(self, child: Histogram) -> None:
        self._bounds = child._upper_bounds
        self._buckets = child._buckets
        self._sum = child._sum

    def observe(self, amount: float, ids: SpanIds | None = None) -> None:
        place = bisect_left(self._bounds, amount)  # the last bound is infinite
        total = self._sum
        # As the client does, the sum first: a scrape on another thread, or one in between, may see it one
        # observation ahead of the count, and never behind.
        total._value += amount
        if not place and amount != amount:
            return  # NaN is in no bucket: the client counts it in none
        bucket = self._buckets[place]
        bucket._value += 1.0
        if ids is not None:
            bucket._exemplar = SpanExemplar(ids, amount)


class _CountByClient:
    __slots__ = ("_child",)

    def __init__(self, child: Counter) -> None:
        self._child = child

    def inc(self, ids: SpanIds | None = None) -> None:
        self._child.inc(1, None if ids is None else labels_of(ids))


class _LevelByClient:
    __slots__ = ("_child",)

    def __init__(self, child: Gauge) -> None:
        self._child = child

    def add(self, amount: float) -> None:
        self._child.inc(amount)


class _DistributionByClient:
    __slots__ = ("_child",)

    def __init__(self, child: Histogram) -> None:
        self._child = child

    def observe(self, amount: float, ids: SpanIds | None = None) -> None:
        self._child.observe(amount, None if ids is None else labels_of(ids))


def _are_plain(child: object, value: str, bounds: str | None = None) -> bool:
    """Whether what the child keeps under that name, and its bounds, are what the cells know."""
    if not (GIL and sys.implementation.name == "cpython" and client_is_known()):
        return False
    found = getattr(child, value, None)
    if bounds is None:
        return is_plain(found)
    limits = getattr(child, bounds, None)
    return (
        isinstance(found, list)
        and isinstance(limits, list)
        and len(found) == len(limits)
        and limits[-1:] == [float("inf")]
        and all(map(is_plain, found))
    )


def is_plain(value: object) -> bool:
    """Whether this is the client's value for a single process, its number and exemplar where they were."""
    held = getattr(value, "__dict__", {})  # not a property, behind which anything might happen
    return (
        type(value) is getattr(client_values, "MutexValue", None) and "_value" in held and "_exemplar" in held
    )


@cache
def client_is_known() -> bool:
    """Whether a cell changes what the client's methods would have changed, tried on families of nobody."""
    try:
        return _tried()
    except Exception:
        return False


def _tried() -> bool:
    ids, labels = (1, 2), labels_of((1, 2))
    counted, count = Counter("a", "A", registry=None), Counter("a", "A", registry=None)
    counted.inc(1, labels)
    _CountCell(count).inc(ids)
    raised, level = Gauge("a", "A", registry=None), Gauge("a", "A", registry=None)
    raised.inc(3.0)
    _LevelCell(level).add(3.0)
    observed, distribution = (Histogram("a", "A", buckets=(1, 2), registry=None) for _ in range(2))
    cell = _DistributionCell(distribution)
    for amount in (1.0, 1.5, 9.0):
        observed.observe(amount, labels)
        cell.observe(amount, ids)
    pairs = ((counted, count), (raised, level), (observed, distribution))
    return all(_seen(by_client) == _seen(by_cell) for by_client, by_cell in pairs)


def _seen(family: Any) -> list[tuple[object, ...]]:
    """What a scrape sees of it, without the times."""
    return [
        (sample.name, sample.labels, sample.value, *(_told(sample.exemplar) if sample.exemplar else ()))
        for metric in family.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    ]


def _told(exemplar: Exemplar | SpanExemplar) -> tuple[object, ...]:
    return exemplar.labels, exemplar.value, type(exemplar.timestamp)
