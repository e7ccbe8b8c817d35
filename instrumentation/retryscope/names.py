"""What a table of names is: attributes, events and metrics, each declared once with what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

AttributeType = Literal["string", "int", "double", "boolean"]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A span attribute, span event attribute or log field.

    Attributes:
        name: Dotted name, as it appears in a trace backend.
        type: ``string``, ``int``, ``double`` or ``boolean``.
        help: What it says; units where it has one.
    """

    name: str
    type: AttributeType
    help: str


@dataclass(frozen=True, slots=True)
class Metric:
    """A Prometheus metric family.

    Attributes:
        name: Family name without the ``_total`` that counters get when exposed.
        type: ``counter``, ``gauge`` or ``histogram``.
        labels: Label names, in the order in which children are made.
        help: One sentence for ``# HELP``.
        unit: Base unit, or an empty string for a plain count.
        buckets: Upper bounds of a histogram, without ``+Inf``.
    """

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    unit: str = ""
    buckets: tuple[float, ...] = ()

    @property
    def series_per_label_set(self) -> int:
        """Time series of one label set: buckets, ``+Inf``, sum and count for a histogram, else 1."""
        return len(self.buckets) + 3 if self.type == "histogram" else 1


class NameTable:
    """Names as constants of one module, and all of them to be looked up.

    >>> names = NameTable()
    >>> CART_SIZE = names.attribute("shop.cart.size", "int", "Articles in the cart.")
    >>> CART_SIZE
    'shop.cart.size'
    >>> names.attributes[CART_SIZE].type
    'int'
    """

    def __init__(self) -> None:
        self._attributes: dict[str, Attribute] = {}
        self._events: dict[str, str] = {}
        self._metrics: dict[str, Metric] = {}

    def attribute(self, name: str, type_: AttributeType, help_: str) -> str:
        """Declare an attribute; its name."""
        self._attributes[name] = Attribute(name, type_, help_)
        return name

    def event(self, name: str, help_: str) -> str:
        """Declare a span event; its name."""
        self._events[name] = help_
        return name

    def metric(self, metric: Metric) -> Metric:
        """Declare a metric family; itself."""
        self._metrics[metric.name] = metric
        return metric

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        """Every attribute by name."""
        return MappingProxyType(self._attributes)

    @property
    def events(self) -> Mapping[str, str]:
        """Every span event by name, with what it says."""
        return MappingProxyType(self._events)

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric family by name."""
        return MappingProxyType(self._metrics)
