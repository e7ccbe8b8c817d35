"""What is known of an exception that passes through, and that it comes out as it went in."""

import asyncio
import copy
import gc
import pickle
from typing import Any

import pytest

from retryscope._core import marks
from retryscope._core.marks import (
    mark_exhausted,
    mark_recorded,
    marks_of,
    outcome_of,
    recorded_since,
    unmark,
)
from tests.support.odd_exceptions import ODD, ComparedError

ANY = pytest.mark.parametrize("kind", ODD, ids=lambda kind: kind.__name__)


def test_outcomes_are_told_from_the_exception() -> None:
    """Cancelled first: ``CancelledError`` is no ``Exception``."""
    assert outcome_of(None, 0) == "success"
    assert outcome_of(asyncio.CancelledError(), 0) == "cancelled"
    assert outcome_of(GeneratorExit(), 0) == "cancelled"
    assert outcome_of(OSError(), 0) == "error"
    assert outcome_of(KeyboardInterrupt(), 0) == "error"


@ANY
def test_a_mark_of_an_earlier_time_does_not_count(kind: type[Exception]) -> None:
    """One exception instance may be raised again; each time is a failure of its own."""
    error = kind()
    assert not recorded_since(error, 0)
    mark_recorded(error, 5)
    assert recorded_since(error, 5)
    assert not recorded_since(error, 5.1)
    mark_exhausted(error, 7)
    assert outcome_of(error, 7) == "exhausted"
    assert outcome_of(error, 7.1) == "error"


def test_marks_are_of_one_instance_however_its_class_compares() -> None:
    first, second = ComparedError(), ComparedError()
    assert first == second
    mark_recorded(first, 5)
    assert not recorded_since(second, 0)


@ANY
def test_nothing_is_left_on_it_or_beside_it(kind: type[Exception]) -> None:
    error = kind()
    before = dict(_attributes(error))
    mark_recorded(error, 5)
    unmark(error)
    assert _attributes(error) == before
    assert not recorded_since(error, 0)
    mark_recorded(error, 5)
    key = id(error)
    del error
    gc.collect()
    assert key not in marks._beside


def pickled(error: Exception) -> Any:
    return pickle.loads(pickle.dumps(error))  # noqa: S301  (its own)


@pytest.mark.parametrize("duplicate", [copy.copy, pickled])
def test_a_copy_has_none_of_them(duplicate: Any) -> None:
    """Nor does the process that it is sent to need this library."""
    error = OSError("busy")
    mark_recorded(error, 5)
    assert not recorded_since(duplicate(error), 0)


def test_a_cancel_is_seen_once() -> None:
    cancel = asyncio.CancelledError()
    assert marks_of(cancel).seen_ns == 0
    marks_of(cancel).seen_ns = 7
    assert marks_of(cancel).seen_ns == 7


def _attributes(error: BaseException) -> dict[str, Any]:
    attributes: dict[str, Any] = object.__getattribute__(error, "__dict__")
    return attributes
