"""What a chart consists of."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from retryscope_service.monitor.delta import Delta

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
    value: Callable[[Delta], float | None]


class Curves(Protocol):
    """What a chart draws."""

    def promql(self, job: str) -> str:
        """How Prometheus is asked for it."""

    def series(self, key: str) -> Iterable[Series]:
        """The lines, as this process computes them; their keys begin with this one."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A line where an alert fires."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What is shown together, on one axis.

    Attributes:
        id: Its name.
        title: Its heading.
        unit: Of the axis.
        description: What its values mean.
        job: Whose values they are.
        curves: What is drawn.
        traceql: How Tempo is asked for what is behind it, if spans are.
        threshold: Where an alert fires, if one does.
    """

    id: str
    title: str
    unit: Unit
    description: str
    job: str
    curves: Curves
    traceql: str | None
    threshold: Threshold | None = None

    @property
    def promql(self) -> str:
        """How Prometheus is asked for it."""
        return self.curves.promql(self.job)

    @property
    def series(self) -> tuple[Series, ...]:
        """Its lines."""
        return tuple(self.curves.series(self.id))
