"""What the telemetry says of one phase of a drill: how its metrics changed, and the traces of its runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from retryscope.names import Metric

Value = str | int | float | bool
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]
"""The value of each series, by its name and its labels."""


def read_samples(text: str) -> Samples:
    """What ``/metrics`` says, in Prometheus's text format."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has ended, as far as drills look at it."""

    name: str
    trace_id: str
    failed: bool
    seconds: float
    attributes: Mapping[str, Value]


def read_spans(document: Mapping[str, Any]) -> Iterator[Span]:
    """The spans of a trace in OTLP JSON; those that still run are left out."""
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                began, ended = int(span["startTimeUnixNano"]), int(span.get("endTimeUnixNano", 0))
                if ended:
                    yield Span(
                        span["name"],
                        span["traceId"],
                        span.get("status", {}).get("code") == 2,
                        (ended - began) / 1e9,
                        {each["key"]: _value(each["value"]) for each in span.get("attributes", ())},
                    )


def _value(value: Mapping[str, Any]) -> Value:
    ((kind, content),) = value.items()
    found: Value = int(content) if kind == "intValue" else content
    return found


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was recorded of one phase.

    Attributes:
        before: What the metrics said when it began.
        after: What they said when all its runs, and all that they had asked for, had ended.
        traces: The spans of some of its runs, trace by trace.
        workflow: What was run; of the library's metrics only what is about it counts.
    """

    before: Samples = field(default_factory=dict)
    after: Samples = field(default_factory=dict)
    traces: Sequence[Sequence[Span]] = ()
    workflow: str = "retry"

    def count(self, metric: Metric, **labels: str) -> float:
        """By how much a counter grew, or how much a histogram observed, in all series with these labels."""
        return self._grown(
            f"{metric.name}_{'total' if metric.type == 'counter' else 'count'}", metric, labels
        )

    def seconds(self, metric: Metric, **labels: str) -> float:
        """The sum of what a histogram observed."""
        return self._grown(f"{metric.name}_sum", metric, labels)

    def mean(self, metric: Metric, **labels: str) -> float:
        """The mean of what a histogram observed; not a number where it observed nothing."""
        return ratio(self.seconds(metric, **labels), self.count(metric, **labels))

    def share(self, metric: Metric, **labels: str) -> float:
        """The part of all that a metric counted which has these labels."""
        return ratio(self.count(metric, **labels), self.count(metric))

    def _grown(self, name: str, metric: Metric, labels: Mapping[str, str]) -> float:
        wanted = {**({"workflow": self.workflow} if "workflow" in metric.labels else {}), **labels}.items()
        return sum(
            value - self.before.get((series, found), 0.0)
            for (series, found), value in self.after.items()
            if series == name and wanted <= dict(found).items()
        )

    def traces_with(self, *wanted: "SpanLike") -> float:
        """Traces that have, for each of these descriptions, a span that fits."""
        return float(
            sum(all(any(each.fits(span) for span in trace) for each in wanted) for trace in self.traces)
        )


@dataclass(frozen=True, slots=True)
class SpanLike:
    """A description of spans.

    Attributes:
        name: How the span's name begins.
        attributes: Attributes that it has, with these values.
        failed: Whether its status is ERROR; None: either.
        seconds: How long it took at least.
    """

    name: str
    attributes: Mapping[str, Value] = field(default_factory=dict)
    failed: bool | None = None
    seconds: float = 0.0

    def fits(self, span: Span) -> bool:
        """Whether it describes that span."""
        return (
            span.name.startswith(self.name)
            and self.failed in (None, span.failed)
            and span.seconds >= self.seconds
            and all(span.attributes.get(name) == value for name, value in self.attributes.items())
        )


def ratio(part: float, whole: float) -> float:
    """One over the other; not a number where nothing was counted, which keeps no bound."""
    return part / whole if whole else nan
