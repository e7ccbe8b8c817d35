"""Operations: the named units of work that spans and metrics are about, declared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from retryscope import semconv
from retryscope.printable import described, encodable, shown

_declared: dict[tuple[str | None, str], Operation] = {}
_on_declare: list[Callable[[Operation], None]] = []
_on_fold: list[Callable[[], None]] = []


class Operation:
    """A named unit of work inside a workflow, declared once, at import time.

    The name becomes part of span names and a metric label, so it must come from a small fixed set:
    never build it from arguments, ids or URLs. What varies from call to call goes into a task's ``name``.
    Declaring it creates its metric series at zero, so that a ``rate()`` sees the first increment. Declared
    again under the same names it is the same object.

    What runs inside a :class:`retryscope.workflow` counts under that one's name.

    Args:
        name: For example ``"price"`` or ``"API Call"``.
        workflow: Name of the workflow that it counts under outside of any; by default under none.
        error_types: Qualified names of the exceptions expected, whose series are to exist from the start.

    Raises:
        TypeError: A name is no text, or ``error_types`` are none.
        ValueError: A name is empty or longer than 100 characters, or has lone halves of characters in it.

    >>> price = Operation("price", workflow="checkout")
    >>> price
    Operation('price', workflow='checkout')
    >>> Operation.lookup("price", workflow="checkout") is price
    True
    >>> Operation.lookup("price of user 4711", workflow="checkout").name
    '_OTHER'
    """

    __slots__ = ("attributes", "error_types", "name", "workflow")

    name: str
    workflow: str | None
    error_types: tuple[str, ...]
    attributes: Mapping[str, str]

    def __new__(
        cls, name: str, *, workflow: str | None = None, error_types: tuple[str, ...] = ()
    ) -> Operation:
        """Declare it, or return what was declared under these names before."""
        name = require_name("Operation name", name)
        if workflow is not None:
            workflow = require_name("Operation workflow", workflow)
        known = _declared.get((workflow, name))
        if known is not None:
            return known
        _require_error_types(error_types)
        attributes = {semconv.OPERATION: name}
        if workflow is not None:
            attributes[semconv.WORKFLOW] = workflow
        self = super().__new__(cls)
        self.name = name
        self.workflow = workflow
        self.error_types = tuple(map(shown, error_types))
        self.attributes = MappingProxyType(attributes)
        # Threads may declare it at the same time: one of them has, for all.
        declared_first = _declared.setdefault((workflow, name), self)
        if declared_first is not self:
            return declared_first
        for listener in _on_declare:
            listener(self)
        return self

    def __reduce__(self) -> tuple[Callable[..., Operation], tuple[object, ...]]:
        """A copy is the same object, and one that another process has is declared there: it is a name."""
        return _declared_again, (self.name, self.workflow, self.error_types)

    def __repr__(self) -> str:
        return f"Operation({self.name!r}, workflow={self.workflow!r})"

    def within(self, workflow: str) -> Operation:
        """The operation of this name in another workflow, declared as this one is."""
        return Operation(self.name, workflow=workflow, error_types=self.error_types)

    @staticmethod
    def lookup(name: str, *, workflow: str | None = None) -> Operation:
        """The declared operation of that name, or the workflow's ``_OTHER``.

        For names that come from outside: an undeclared one is folded and counted in
        ``resilience_telemetry_folded_labels_total{label="operation"}``.
        """
        known = _declared.get((workflow, name))
        if known is not None:
            return known
        if name == semconv.OTHER:
            return Operation(semconv.OTHER, workflow=workflow)
        for listener in _on_fold:
            listener()
        return Operation.lookup(semconv.OTHER, workflow=workflow)


def _require_error_types(given: object) -> None:
    if not isinstance(given, (tuple, list)) or not all(isinstance(each, str) for each in given):
        raise TypeError(
            "Operation takes error_types that are a tuple of qualified names, as ('TimeoutError',),"
            f" got {described(given)}"
        )


def _declared_again(name: str, workflow: str | None, error_types: tuple[str, ...]) -> Operation:
    return Operation(name, workflow=workflow, error_types=error_types)


def require_name(what: str, name: object) -> str:
    """A name that becomes part of span names and a metric label, checked, as plain text.

    A member of an enumeration is the text that it equals: its ``str()`` may be another one.

    Raises:
        TypeError: It is no text.
        ValueError: It is empty or longer than 100 characters, or has lone halves of characters in it.
    """
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a str, got {described(name)}")
    name = str.__str__(name)
    if not name or len(name) > 100:
        raise ValueError(f"{what} must have 1 to 100 characters, got {described(name)}")
    if encodable(name) != name:
        raise ValueError(f"{what} must be text that UTF-8 can write, got {described(name)}")
    return name


def require_operation(what: str, operation: object) -> Operation:
    """Check what a primitive was given.

    Raises:
        TypeError: It is no :class:`Operation`.
    """
    if isinstance(operation, Operation):
        return operation
    hint = f": declare it once, Operation({described(operation)})" if isinstance(operation, str) else ""
    raise TypeError(f"{what} takes an Operation first, got {described(operation)}{hint}")


def require_task_name(what: str, name: object) -> str | None:
    """Check the name of one task, which may be variable.

    Raises:
        TypeError: It is no text.
    """
    if name is None or isinstance(name, str):
        return name
    raise TypeError(f"{what} name must be a str, got {described(name)}")


def is_declared(name: str, workflow: str) -> bool:
    """Whether there is an operation of that name in the workflow."""
    return (workflow, name) in _declared


def declared() -> tuple[Operation, ...]:
    """Every operation declared so far in this process, in order of declaration."""
    return tuple(_declared.values())


def observe(*, declared: Callable[[Operation], None], folded: Callable[[], None]) -> None:
    """Call ``declared`` with every operation declared from now on, ``folded`` for every undeclared name."""
    _on_declare.append(declared)
    _on_fold.append(folded)
