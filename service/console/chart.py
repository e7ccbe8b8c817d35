"""What a chart consists of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from service.console.totals import Change

Colour = Literal["success", "error", "timeout", "exhausted", "cancelled", "backoff", "neutral"]
"""A meaning: which colour an outcome has the page knows, for its charts as for all else."""
Unit = Literal["1/s", "s", "ratio", "count"]


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart.

    Attributes:
        key: Its name in the stream's `metrics` event.
        label: What the legend says; the PromQL's series has it as the value of its only label, if any.
        colour: What it means.
        value: Its value, from what changed in the window.
    """

    key: str
    label: str
    colour: Colour
    value: Callable[[Change], float | None]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A line where an alert fires."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What is shown together, on one axis."""

    id: str
    title: str
    unit: Unit
    description: str
    promql: str
    traceql: str | None
    series: tuple[Series, ...]
    threshold: Threshold | None = None
