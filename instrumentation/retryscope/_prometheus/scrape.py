"""All lines of a registry, in steps between which others may run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, Summary, metrics
from prometheus_client.registry import Collector

from retryscope._prometheus.cells import SpanExemplar
from retryscope._prometheus.family_lines import FamilyLines, is_known
from retryscope._prometheus.text import Encode, Format, UnknownLinesError


class Scraper:
    """Reads a registry in one format, again and again.

    One scrape is :meth:`prepare`, then :meth:`collect_others`, then :meth:`read`.

    What is read is not of one moment, no more than with the client: between two families, and between two
    children, the program goes on. Within a histogram buckets and count belong together, and its sum is at
    most ahead of them by what other threads are about to count. A child that is added meanwhile is in the
    next scrape.

    Args:
        registry: It.
        form: One that the client writes as it is known here, by what :func:`is_understood` says.
    """

    def __init__(self, registry: CollectorRegistry, form: Format) -> None:
        self._registry = registry
        self._format = form
        self._families: dict[Collector, FamilyLines] = {}
        self._parts: list[FamilyLines | _Other] = []
        self._dated: bool | None = None

    def prepare(self) -> Iterator[None]:
        """Take the families and children that there are. The first time takes as long as the client's way."""
        registry: Any = self._registry
        with registry._lock:
            collectors = list(registry._collector_to_names)
            target = registry._target_info_metric() if registry._target_info else None
        self._parts = []
        if target is not None:
            self._parts.append(_Other(partial(self._format.lines, target, target.samples)))
        known, self._families = self._families, {}
        if self._dated is not (dated := getattr(metrics, "_use_created", None)):
            self._dated, known = dated, {}  # then every child has a line more, or less
        for collector in collectors:
            self._parts.append((yield from self._part(collector, known.get(collector))))

    def _part(
        self, collector: Collector, lines: FamilyLines | None
    ) -> Generator[None, None, FamilyLines | _Other]:
        if is_known(collector):
            try:
                lines = lines or FamilyLines(collector, self._format)
                yield from lines.prepare()
            except UnknownLinesError:
                pass
            else:
                self._families[collector] = lines
                return lines
        return _Other(partial(self._format.collected, collector))

    def collect_others(self) -> None:
        """Ask all other collectors: their code is not known, and may take its time or raise."""
        for part in self._parts:
            if isinstance(part, _Other):
                part.ask()

    @property
    def has_others(self) -> bool:
        """Whether there are any."""
        return any(isinstance(part, _Other) for part in self._parts)

    def read(self) -> Iterator[bytes]:
        """Every line, in the order of the client."""
        for part in self._parts:
            yield from part.read()
        yield self._format.ending


class _Other:
    """A collector of which only the client can say what its lines are."""

    __slots__ = ("_ask", "_text")

    def __init__(self, ask: Callable[[], bytes]) -> None:
        self._ask = ask
        self._text = b""

    def ask(self) -> None:
        self._text = self._ask()

    def read(self) -> Iterator[bytes]:
        yield self._text


def is_plain_registry(registry: Collector) -> bool:
    """Whether this collects as the client's registry does: not one that is restricted, or somebody's own."""
    return (
        isinstance(registry, CollectorRegistry)
        and type(registry).collect is CollectorRegistry.collect
        and "collect" not in vars(registry)
    )


def is_understood(encode: Encode) -> bool:
    """Whether a scrape in this format is, byte for byte, what the client writes: tried on one of nobody.

    It has one of everything that is known here, so that another release of the client, whatever it does, is
    either understood or left to itself.
    """
    try:
        return _tried(Format(encode))
    except Exception:
        return False


def _tried(form: Format) -> bool:
    registry = CollectorRegistry(target_info={"a": "b"})
    counter = Counter("a", "A\n\\", ["l", "k"], registry=registry)
    gauge = Gauge("g", "", unit="s", registry=registry)
    histogram = Histogram("h", "H", ["l"], buckets=(1, 2), registry=registry)
    below = Histogram("n", "N", buckets=(-1, 2), registry=registry)
    summary = Summary("s", "S", ["l"], registry=registry)
    Info("i", "I", registry=registry)
    for text in ("", '"\\\n', "\u00e4"):
        counter.labels(text, "k").inc(1e7, {"b": text, "a": ""})
        histogram.labels(text).observe(1.5, {"b": text})
        summary.labels(text).observe(2.5)
    counter.labels("", "k")._value.set_exemplar(SpanExemplar((1, 2), 1.0))
    below.observe(-3)
    scraper = Scraper(registry, form)
    for value in (0.0, -0.0, 1234567.0, float("nan")):
        gauge.set(value)
        for _ in scraper.prepare():
            pass
        scraper.collect_others()
        if b"".join(scraper.read()) != form.encode(registry):
            return False
    return True
