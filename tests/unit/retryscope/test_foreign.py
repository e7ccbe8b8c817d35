"""Other people's exceptions: whatever their class makes of it, nothing of theirs comes out."""

import pytest

from retryscope.foreign import ATTRIBUTES, add_note, cause_of, peek
from tests.support.odd_exceptions import ODD, AnsweringError, FrozenError, RaisingError

ANY = pytest.mark.parametrize("kind", ODD, ids=lambda kind: kind.__name__)


@ANY
def test_asking_never_raises(kind: type[Exception]) -> None:
    for name in ("headers", "response", "retry_after", "nothing"):
        peek(kind(), name)
    assert peek(RaisingError(), "response") is None
    assert isinstance(peek(AnsweringError(), "anything"), AnsweringError)


@ANY
def test_a_note_is_there_or_was_refused(kind: type[Exception]) -> None:
    error = kind()
    assert add_note(error, "seen") == (ATTRIBUTES(error).get("__notes__") == ["seen"])


def test_a_frozen_one_refuses_it() -> None:
    assert not add_note(FrozenError(), "seen")


def test_the_reason_is_what_python_shows() -> None:
    """The cause; without one the context, unless it is suppressed."""

    class LyingError(Exception):
        __cause__ = property(lambda self: pytest.fail("asked"))

    first, second = OSError("first"), LyingError()
    assert cause_of(second) is None
    BaseException.__setattr__(first, "__context__", second)
    assert cause_of(first) is second
    first.__suppress_context__ = True
    assert cause_of(first) is None
    first.__cause__ = KeyError()
    assert isinstance(cause_of(first), KeyError)
