"""The lines of one family, kept from scrape to scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram, Metric, Summary, metrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from retryscope._prometheus.cells import is_plain
from retryscope._prometheus.child_lines import ChildLines, HistogramLines, OneLine, SummaryLines
from retryscope._prometheus.families import UndatedCounter, UndatedHistogram
from retryscope._prometheus.text import Format, UnknownLinesError, number

_COLLECTING: Final = ("collect", "_samples", "_multi_samples", "_get_metric")
_SAMPLING: Final = frozenset(
    getattr(each, "_child_samples", None)
    for each in (Counter, Gauge, Histogram, Summary, UndatedCounter, UndatedHistogram)
)
"""The ways of making samples that are known here."""

_CREATED: Final = "_created"


class FamilyLines:
    """The lines of a family that makes its samples as the client does.

    Args:
        family: One for which :func:`is_known` says so.
        form: In which they are written.

    Attributes:
        family: It.
    """

    __slots__ = ("_children", "_foot", "_format", "_head", "_known", "_metric", "family")

    def __init__(self, family: Any, form: Format) -> None:
        self.family = family
        self._format = form
        self._metric: Metric = family._get_metric()
        self._head = form.lines(self._metric, [])
        self._foot: bytes | None = None
        """What ``_created`` stands below, if not in its place."""
        self._known: dict[tuple[str, ...], _Child] = {}
        self._children: list[_Child] = []

    def prepare(self) -> Iterator[None]:
        """Take the children that there are, in steps; :meth:`read` then reads these.

        Raises:
            UnknownLinesError: Of one of them it is not known how its lines come about.
        """
        family = self.family
        children: Mapping[tuple[str, ...], Any]
        if family._is_parent():
            with family._lock:
                children = family._metrics.copy()
        else:
            children = {(): family}
        known, self._known, self._children = self._known, {}, []
        for labels, child in children.items():
            lines = known.get(labels)
            if lines is None or lines.child is not child:  # new, or made again after it was removed
                lines = self._lines_of(child, dict(zip(family._labelnames, labels, strict=False)))
                yield
            elif "_child_samples" in vars(child):  # a gauge that has been given a function
                raise UnknownLinesError
            self._known[labels] = lines
            self._children.append(lines)

    def read(self) -> Iterator[bytes]:
        """The lines of the children that were there, as of now, each of them in one step."""
        yield self._head
        foot, dated = self._foot, []
        for child in self._children:
            yield child.lines.text()
            if child.before_created is not None:
                created = child.created()
                if foot:
                    dated.append(created)
                else:
                    yield created
        if foot and dated:
            yield foot
            yield from dated

    def _lines_of(self, child: Any, labels: dict[str, str]) -> _Child:
        if "_child_samples" in vars(child):
            raise UnknownLinesError
        samples = [
            Sample(self._metric.name + sample.name, {**labels, **sample.labels}, 0.0)
            for sample in child._samples()
        ]
        suffixes = [sample.name.removeprefix(self._metric.name) for sample in samples]
        before_created = None
        if suffixes[-1:] == [_CREATED]:
            suffixes.pop()
            created = samples.pop()
            if self._foot is None:
                self._foot = self._format.heading_at_the_end(self._metric, self._head, created)
            (before_created,) = self._format.before_values(self._metric, self._head + self._foot, [created])
        before = self._format.before_values(self._metric, self._head, samples)
        return _Child(child, _lines(child, suffixes, before, self._format), before_created)


class _Child:
    """A child with its lines.

    Attributes:
        child: Of the client.
        lines: All but that of its ``_created``.
        before_created: What stands before the value in that; None if it has none.
    """

    __slots__ = ("_created", "_created_text", "before_created", "child", "lines")

    def __init__(self, child: Any, lines: ChildLines, before_created: str | None) -> None:
        self.child = child
        self.lines = lines
        self.before_created = before_created
        self._created: float | None = None
        self._created_text = b""

    def created(self) -> bytes:
        """The line of its ``_created``, which changes with a reset."""
        now = self.child._created
        if now is not self._created:
            self._created = now
            self._created_text = f"{self.before_created}{number(now)}\n".encode()
        return self._created_text


def is_known(collector: Collector) -> bool:
    """Whether this makes its samples as the client's own families do, from values in the open."""
    kind: Any = type(collector)
    return (
        isinstance(collector, (Counter, Gauge, Histogram, Summary))
        and kind._child_samples in _SAMPLING
        and all(getattr(kind, name) is getattr(metrics.MetricWrapperBase, name) for name in _COLLECTING)
        and vars(collector).keys().isdisjoint((*_COLLECTING, "_child_samples"))
    )


def _lines(child: Any, suffixes: list[str], before: list[str], form: Format) -> ChildLines:
    match child:
        case Counter() | Gauge() if suffixes in (["_total"], [""]):
            _check(child._value)
            return OneLine(child._value, before[0], exemplars=form.shows_exemplars and suffixes != [""])
        case Summary() if suffixes == ["_count", "_sum"]:
            _check(child._count, child._sum)
            values = (child._count, child._sum)
            return SummaryLines(
                [OneLine(value, text, exemplars=False) for value, text in zip(values, before, strict=True)]
            )
        case Histogram():
            buckets = child._buckets
            _check(*buckets, child._sum)
            if suffixes in (
                ["_bucket"] * len(buckets) + ["_count"],
                ["_bucket"] * len(buckets) + ["_count", "_sum"],
            ):
                return HistogramLines(buckets, child._sum, before, exemplars=form.shows_exemplars)
    raise UnknownLinesError


def _check(*values: object) -> None:
    if not all(map(is_plain, values)):
        raise UnknownLinesError
