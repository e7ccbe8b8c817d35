"""Operations: the named units of work that spans and metrics are about, declared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from . import semconv

_declared: dict[tuple[str, str], Operation] = {}
_listeners: list[Callable[[Operation], None]] = []


class Operation:
    """A named unit of work inside a workflow, declared once, at import time.

    The name becomes part of span names and a metric label, so it must come from a small fixed set:
    never build it from arguments, ids or URLs. What varies from call to call goes into a task's ``name``.
    Declaring it creates its metric series at zero, so that a ``rate()`` sees the first increment.

    Args:
        name: For example ``"price"`` or ``"API Call"``.
        workflow: Name of the workflow that it belongs to.
        error_types: Qualified names of the exceptions expected, whose series are to exist from the start.

    Raises:
        ValueError: A name is empty or longer than 100 characters.

    >>> price = Operation("price", workflow="checkout")
    >>> price
    Operation('price', workflow='checkout')
    >>> Operation.lookup("price", workflow="checkout") is price
    True
    >>> Operation.lookup("price of user 4711", workflow="checkout").name
    '_OTHER'
    """

    __slots__ = ("attributes", "error_types", "name", "workflow")

    def __init__(self, name: str, *, workflow: str, error_types: tuple[str, ...] = ()) -> None:
        for what, value in (("name", name), ("workflow", workflow)):
            if not value or len(value) > 100:
                raise ValueError(f"Operation {what} must have 1 to 100 characters, got {value!r}")
        self.name: Final = name
        self.workflow: Final = workflow
        self.error_types: Final = error_types
        self.attributes: Final[Mapping[str, str]] = MappingProxyType(
            {semconv.WORKFLOW: workflow, semconv.OPERATION: name}
        )
        _declared[workflow, name] = self
        for listener in _listeners:
            listener(self)

    def __repr__(self) -> str:
        return f"Operation({self.name!r}, workflow={self.workflow!r})"

    @staticmethod
    def lookup(name: str, *, workflow: str) -> Operation:
        """The declared operation of that name, or the workflow's ``_OTHER``.

        For names that come from outside: an undeclared one is folded and counted in
        ``resilience_telemetry_folded_labels_total{label="operation"}``.
        """
        known = _declared.get((workflow, name))
        if known is not None:
            return known
        if name == semconv.OTHER:
            return Operation(semconv.OTHER, workflow=workflow)
        from .telemetry import active  # the telemetry holds operations, so it can't be imported above

        active().metrics.folded("operation")
        return Operation.lookup(semconv.OTHER, workflow=workflow)


def declared() -> tuple[Operation, ...]:
    """Every operation declared so far in this process, in order of declaration."""
    return tuple(_declared.values())


def on_declare(listener: Callable[[Operation], None]) -> None:
    """Call ``listener`` with every operation declared from now on."""
    _listeners.append(listener)
