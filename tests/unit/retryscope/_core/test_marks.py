"""What is known of an exception that passes through, and that it comes out as it went in."""

import asyncio
import copy
import gc
import pickle
import weakref
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
    scope.leave()


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
    if any("__weakref__" in vars(each) for each in kind.__mro__):  # else there is no other place
        assert _attributes(error) == before
    around.leave()
    unmark(error)
    assert _attributes(error) == before
    assert id(error) not in marks._beside
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
    with_others.leave()
    unmark(error)  # it has left there only
    assert recorded_since(error, 0, around)
    assert outcome_of(error, 0, around) == "exhausted"
    here.leave()


def test_each_kind_of_mark_is_kept_where_it_is_still_asked_for(around: Scope) -> None:
    recorded, exhausted = OSError("recorded"), OSError("exhausted")
    mark_recorded(recorded, 5, around)
    mark_exhausted(exhausted, 5, around)
    unmark(recorded)
    unmark(exhausted)
    assert recorded_since(recorded, 0, around)
    assert outcome_of(exhausted, 0, around) == "exhausted"


def test_of_levels_that_have_ended_the_last_time_counts(around: Scope) -> None:
    error = OSError("down")
    first, second = Scope(detached=True), Scope(detached=True)
    first.parent = second.parent = around
    for moment, level in enumerate((first, second, first)):
        mark_recorded(error, moment, level)
    first.leave()
    second.leave()
    unmark(error)
    assert recorded_since(error, 2, around)


def test_an_instance_that_is_raised_for_ever_is_noted_where_it_still_counts(around: Scope) -> None:
    error, elsewhere = OSError("down"), Scope(detached=True)
    mark_recorded(error, 1, elsewhere)
    for moment in range(10 * MANY):
        level = Scope(detached=True)
        level.parent = around
        mark_recorded(error, moment, level)
        level.leave()
        assert len(marks_of(error).recorded) <= MANY
    assert recorded_since(error, 10 * MANY - 1, around)
    assert recorded_since(error, 1, elsewhere)
    elsewhere.leave()


def test_who_dies_takes_only_his_own_marks_along(around: Scope) -> None:
    """Another exception may be where it was in memory."""
    error, gone = ComparedError(), ComparedError()
    mark_recorded(error, 5, around)
    marks._forget(id(error), weakref.ref(gone))
    marks._forget(id(gone), weakref.ref(gone))
    assert recorded_since(error, 5, around)


def test_a_cancel_is_seen_once() -> None:
    cancel = asyncio.CancelledError()
    assert marks_of(cancel).seen_ns == 0
    marks_of(cancel).seen_ns = 7
    assert marks_of(cancel).seen_ns == 7


def _attributes(error: BaseException) -> dict[str, Any]:
    attributes: dict[str, Any] = ATTRIBUTES(error)
    return attributes
