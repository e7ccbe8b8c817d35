"""Telemetry recorded in memory, rendered as text so that a test can show a whole tree."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.trace import SpanContext, SpanKind, StatusCode
from prometheus_client import CollectorRegistry

import retryscope
from retryscope._recording.telemetry import install
from tests.support.clock import EPOCH_NS, virtual_time_ns


class SpanLog(SpanProcessor):
    """Remembers every span in the order of their starts, and how often each one ended."""

    def __init__(self) -> None:
        self.started: list[Span] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.started.append(span)

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)

    def clear(self) -> None:
        self.started.clear()
        self.ended.clear()


Sample = tuple[str, tuple[tuple[str, str], ...]]


@dataclass
class Recorded:
    """Where a test's telemetry went."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    log: SpanLog = field(default_factory=SpanLog)

    def spans(self) -> list[ReadableSpan]:
        """Ended spans, in the order in which they started; fails if one never ended or ended twice."""
        ended = [_ids(span)[0] for span in self.log.ended]
        started = [_ids(span)[0] for span in self.log.started]
        assert sorted(ended) == sorted(started), "a span did not end exactly once"
        order = {span_id: position for position, span_id in enumerate(started)}
        return sorted(self.log.ended, key=lambda span: order[_ids(span)[0]])

    def tree(self, *, kinds: bool = False) -> str:
        """Every span with its times, status, attributes, events and links, children indented.

        With ``kinds`` also the kind of each span that is not INTERNAL.
        """
        return render_tree(self.spans(), kinds=kinds)

    def outline(self) -> str:
        """Only the names of the spans, children indented."""
        return render_tree(self.spans(), details=False)

    def samples(self) -> dict[Sample, float]:
        """Every series of the registry but the buckets of histograms, which are rendered as ``le``."""
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self.registry.collect()
            for sample in family.samples
        }

    @contextmanager
    def changes(self) -> Iterator[dict[str, float]]:
        """The exact change of every series over a block, by its text: ``name{label="value"}``.

        Buckets are left out where their ``+Inf`` twin (the count) tells the same.
        """
        before = self.samples()
        changed: dict[str, float] = {}
        yield changed
        for (name, labels), value in self.samples().items():
            delta = value - before.get((name, labels), 0.0)
            if delta and not name.endswith("_bucket"):
                text = ", ".join(f'{label}="{content}"' for label, content in labels if content)
                changed[f"{name}{{{text}}}"] = round(delta, 6)


@contextmanager
def recording(
    *, sampler: Sampler | None = None, provider: TracerProvider | None = None, **options: Any
) -> Iterator[Recorded]:
    """Telemetry of this block goes into memory, on the virtual clock, with a registry of its own."""
    recorded = Recorded()
    if provider is None:
        provider = TracerProvider(shutdown_on_exit=False, resource=Resource.get_empty(), sampler=sampler)
    provider.add_span_processor(recorded.log)
    options.setdefault("time_ns", virtual_time_ns)
    retryscope.setup(registry=recorded.registry, tracer_provider=provider, **options)
    try:
        yield recorded
    finally:
        retryscope.shutdown()
        install(None)


def render_changes(changed: Mapping[str, float]) -> str:
    """What ``Recorded.changes`` has found, as a text: each family as a table of its labels and changes."""
    families: dict[str, dict[tuple[tuple[str, str], ...], list[str]]] = {}
    for series, delta in changed.items():
        name, _, inside = series.partition("{")
        labels = tuple(re.findall(r'(\w+)="([^"]*)"', inside))
        family, part = name, f"{delta:+g}"
        for suffix in ("count", "sum"):
            if name.endswith(f"_{suffix}"):
                family, part = name.removesuffix(f"_{suffix}"), f"{suffix} {part}"
        families.setdefault(family, {}).setdefault(labels, []).append(part)
    lines: list[str] = []
    for family, rows in sorted(families.items()):
        lines.append(family)
        header: tuple[str, ...] = ()
        for labels, parts in sorted(rows.items()):
            names = tuple(name for name, _ in labels)
            if names != header:
                lines.append("  " + " | ".join(names))
                header = names
            lines.append("  " + " | ".join(value for _, value in labels) + " -> " + ", ".join(parts))
    return "\n".join(lines) + "\n"


def render_tree(spans: list[ReadableSpan], *, details: bool = True, kinds: bool = False) -> str:
    """Render spans as an indented text; times are virtual seconds."""
    by_id = {_ids(span)[0]: span for span in spans}
    children: dict[str, list[ReadableSpan]] = {}
    for span in spans:
        parent = _ids(span)[1]
        children.setdefault(parent if parent in by_id else "", []).append(span)
    lines: list[str] = []

    def walk(parent: str, depth: int) -> None:
        for span in children.get(parent, []):
            indent = "  " * depth
            if details:
                lines.extend(indent + line for line in _describe(span, by_id, kinds))
            else:
                lines.append(indent + span.name)
            walk(_ids(span)[0], depth + 1)

    walk("", 0)
    return "\n".join(lines) + "\n"


def _describe(span: ReadableSpan, by_id: Mapping[str, ReadableSpan], kinds: bool) -> Iterator[str]:
    status = ""
    kind = f" {span.kind.name}" if kinds and span.kind is not SpanKind.INTERNAL else ""
    if span.status.status_code is not StatusCode.UNSET:
        status = f" {span.status.status_code.name} {span.status.description!r}"
    times = f"{_seconds(span.start_time)}..{_seconds(span.end_time)}"
    yield f"{span.name}{kind} [{times}]{status}"
    for name, value in sorted((span.attributes or {}).items()):
        yield f"  . {name} = {_value(value)}"
    for event in span.events:
        inside = ", ".join(
            f"{name}={_value(value)}"
            for name, value in sorted((event.attributes or {}).items())
            if name != "exception.stacktrace"
        )
        yield f"  ! {event.name} [{_seconds(event.timestamp)}] {inside}"
    for link in span.links:
        target = by_id.get(f"{link.context.span_id:016x}")
        kind = ", ".join(_value(value) for value in (link.attributes or {}).values())
        yield f"  -> {kind} {target.name if target else 'unknown span'}"


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _seconds(time_ns: int | None) -> str:
    assert time_ns is not None
    return f"{(time_ns - EPOCH_NS) / 1e9:g}"


def _ids(span: ReadableSpan) -> tuple[str, str]:
    context, parent = span.context, span.parent
    assert isinstance(context, SpanContext)
    return f"{context.span_id:016x}", f"{parent.span_id:016x}" if parent else ""
