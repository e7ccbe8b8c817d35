"""Faults planted into a configuration, to see that a check finds them."""

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

REMOVED = object()
"""Planted in place of a value: the key is taken out."""


@dataclass(frozen=True)
class Fault:
    """One change of a document, and what a check must say of it.

    Attributes:
        path: Keys and indices that lead to the value; the last key may be new.
        value: What is there instead, or ``REMOVED``.
        finding: Words that a finding must hold.
    """

    path: tuple[str | int, ...]
    value: Any
    finding: str

    def planted_in(self, document: Any) -> Any:
        """The document with this fault; the given one stays as it is."""
        changed = deepcopy(document)
        place = changed
        for step in self.path[:-1]:
            place = place[step]
        if self.value is REMOVED:
            del place[self.path[-1]]
        else:
            place[self.path[-1]] = deepcopy(self.value)
        assert changed != document, "this plants nothing"
        return changed


def each(faults: Sequence[Fault]) -> pytest.MarkDecorator:
    """A test for each fault, as its argument ``fault``."""
    names = [f"{number}-{'-'.join(map(str, fault.path[-3:]))}" for number, fault in enumerate(faults, 1)]
    return pytest.mark.parametrize("fault", faults, ids=names)


def assert_found(fault: Fault, document: Any, check: Callable[[Any], Iterable[str]]) -> None:
    """The check is silent about the document, and speaks once this fault is planted in it."""
    assert list(check(document)) == []
    findings = list(check(fault.planted_in(document)))
    assert any(fault.finding in finding for finding in findings), findings
