"""What is known of an exception that passes through, and that it comes out as it went in."""

import asyncio
import copy
import gc
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from retryscope._core import marks
from retryscope._core.marks import (
    MANY,
    mark_exhausted,
    mark_recorded,
    marks_of,
    outcome_of,
    recorded_since,
    unmark,
)
from retryscope._core.scope import Scope
from retryscope.foreign import ATTRIBUTES
from tests.support.odd_exceptions import ODD, ComparedError

ANY = pytest.mark.parametrize("kind", ODD, ids=lambda kind: kind.__name__)


@pytest.fixture
def around() -> Iterator[Scope]:
    """The level that exceptions pass through."""
    scope = Scope()
    yield scope
    scope.end()


def test_outcomes_are_told_from_the_exception() -> None:
    """Cancelled first: ``CancelledError`` is no ``Exception``."""
    assert outcome_of(None, 0, None) == "success"
    assert outcome_of(asyncio.CancelledError(), 0, None) == "cancelled"
    assert outcome_of(GeneratorExit(), 0, None) == "cancelled"
    assert outcome_of(OSError(), 0, None) == "error"
    assert outcome_of(KeyboardInterrupt(), 0, None) == "error"


@ANY
def test_a_mark_of_an_earlier_time_does_not_count(kind: type[Exception], around: Scope) -> None:
    """One exception instance may be raised again; each time is a failure of its own."""
    error = kind()
    assert not recorded_since(error, 0, None)
    mark_recorded(error, 5, around)
    assert recorded_since(error, 5, None)
    assert not recorded_since(error, 5.1, None)
    mark_exhausted(error, 7, around)
    assert outcome_of(error, 7, None) == "exhausted"
    assert outcome_of(error, 7.1, None) == "error"


def test_marks_are_of_one_instance_however_its_class_compares(around: Scope) -> None:
    first, second = ComparedError(), ComparedError()
    assert first == second
    mark_recorded(first, 5, around)
    assert not recorded_since(second, 0, None)


@ANY
def test_nothing_is_left_on_it_or_beside_it(kind: type[Exception], around: Scope) -> None:
    error = kind()
    before = dict(_attributes(error))
    mark_recorded(error, 5, around)
    around.end()
    unmark(error)
    assert _attributes(error) == before
    assert not recorded_since(error, 0, None)
    mark_recorded(error, 5, around)
    key = id(error)
    del error
    gc.collect()
    assert key not in marks._beside


def pickled(error: Exception) -> Any:
    return pickle.loads(pickle.dumps(error))  # noqa: S301  (its own)


@pytest.mark.parametrize("duplicate", [copy.copy, pickled])
def test_a_copy_has_none_of_them(duplicate: Any, around: Scope) -> None:
    """Nor does the process that it is sent to need this library."""
    error = OSError("busy")
    mark_recorded(error, 5, around)
    assert not recorded_since(duplicate(error), 0, None)


def test_what_is_noted_in_another_task_is_not_asked_for_here(around: Scope) -> None:
    """A connection pool tells all who wait by the same instance."""
    error, here = OSError("down"), Scope()
    with_others = Scope(detached=True)
    mark_recorded(error, 5, with_others)
    mark_exhausted(error, 5, with_others)
    assert not recorded_since(error, 0, here)
    assert outcome_of(error, 0, here) == "error"
    mark_recorded(error, 5, here)
    mark_exhausted(error, 5, here)
    with_others.end()
    unmark(error)  # it has left there only
    assert recorded_since(error, 0, around)
    assert outcome_of(error, 0, around) == "exhausted"
    here.end()


def test_an_instance_that_is_raised_for_ever_is_noted_where_it_still_counts(around: Scope) -> None:
    error = OSError("down")
    for moment in range(10 * MANY):
        level = Scope()
        mark_recorded(error, moment, level)
        level.end()
    assert len(marks_of(error).recorded) <= MANY
    assert recorded_since(error, 10 * MANY - 1, around)


def test_a_cancel_is_seen_once() -> None:
    cancel = asyncio.CancelledError()
    assert marks_of(cancel).seen_ns == 0
    marks_of(cancel).seen_ns = 7
    assert marks_of(cancel).seen_ns == 7


def _attributes(error: BaseException) -> dict[str, Any]:
    attributes: dict[str, Any] = ATTRIBUTES(error)
    return attributes
