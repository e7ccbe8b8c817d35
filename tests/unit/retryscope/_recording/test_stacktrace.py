"""Stack traces: Python's own text, formatted once per code location."""

import traceback
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from retryscope import RetryPolicy, retry
from retryscope._recording import stacktrace
from retryscope._recording.stacktrace import format_stacktrace, qualified_name
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE


class OwnError(Exception):
    class InnerError(Exception):
        pass


class MultilineError(Exception):
    def __str__(self) -> str:
        return "first\nsecond"


def raised(fn: Callable[[], object]) -> BaseException:
    try:
        fn()
    except BaseException as error:
        return error
    raise AssertionError


def raiser(error: BaseException) -> Callable[[], object]:
    def fail() -> None:
        raise error

    return fail


def missing() -> None:
    raise KeyError("sku")


def chained() -> None:
    try:
        missing()
    except KeyError as error:
        raise ValueError("no price") from error


def in_context() -> None:
    try:
        missing()
    except KeyError:
        raise ValueError("no price")  # noqa: B904 - the context is the subject


def suppressed() -> None:
    try:
        missing()
    except KeyError:
        raise ValueError("no price") from None


def noted() -> None:
    error = ValueError("no price")
    error.add_note("for sku 4711")
    raise error


def deep(levels: int = 50) -> None:
    if levels:
        deep(levels - 1)
    raise ValueError("deep")


def misspelt_name() -> object:
    quantity = 1
    return quantiti + quantity  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    "fn",
    [
        raiser(ValueError("no")),
        raiser(ValueError()),
        raiser(OwnError("no")),
        raiser(OwnError.InnerError("no")),
        raiser(MultilineError()),
        raiser(KeyError("sku")),
        raiser(KeyboardInterrupt()),
        raiser(ExceptionGroup("both", [ConnectionError("a"), KeyError("b")])),
        lambda: compile("1 +", "<text>", "eval"),
        lambda: dict[str, int]()["sku"],
        lambda: [].apend,  # type: ignore[attr-defined]
        misspelt_name,
        lambda: __import__("colections"),
        lambda: int("x") + 1 / 0,
        chained,
        in_context,
        suppressed,
        noted,
        deep,
    ],
    ids=map(str, count()),
)
def test_the_text_is_that_of_traceback_format_exception(fn: Callable[[], object]) -> None:
    """Also from the cache, and with carets, suggestions, causes, notes, groups and folded recursion."""
    error = raised(fn)
    expected = "".join(traceback.format_exception(error))
    assert format_stacktrace(error) == expected
    assert format_stacktrace(error) == expected


def test_an_exception_that_was_never_raised_has_only_its_last_line() -> None:
    """No frames, as in Python."""
    assert format_stacktrace(ValueError("no")) == "ValueError: no\n"


def test_an_unprintable_message_does_not_break_it() -> None:
    """The frames are what helps."""

    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    text = format_stacktrace(raised(raiser(UnprintableError())))
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith(
        "UnprintableError: <" + UnprintableError.__qualname__ + " whose message can't be shown>\n"
    )


@pytest.fixture
def formatted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every call of the expensive part."""
    calls: list[object] = []
    real = traceback.format_tb

    def format_tb(tb: Any) -> list[str]:
        calls.append(tb)
        return real(tb)

    monkeypatch.setattr(stacktrace, "_frames", {})
    monkeypatch.setattr(traceback, "format_tb", format_tb)
    return calls


def test_frames_are_formatted_once_per_location(recorded: Recorded, formatted: list[object]) -> None:
    """A hundred failing attempts at one place: once. Another place: once more."""

    async def fails() -> None:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        run(retry(PRICE, RetryPolicy(max_attempts=100, base_delay=0)).call(fails))
    assert len(formatted) == 1
    texts = {
        (event.attributes or {})["exception.stacktrace"]
        for span in recorded.spans()
        for event in span.events
        if event.name == "exception"
    }
    assert len(texts) == 1
    assert "in fails" in str(texts)


def test_two_places_in_one_line_are_two_locations(formatted: list[object]) -> None:
    """Python marks the failing part of the line with carets."""

    def both(left: Any, right: Any) -> object:
        return left() + right()

    def fail() -> None:
        raise ValueError

    texts = {
        format_stacktrace(raised(lambda pair=pair: both(*pair)))  # type: ignore[misc]
        for pair in ((fail, lambda: 1), (lambda: 1, fail))
    }
    assert len(texts) == 2
    assert len(formatted) == 2


def test_the_cache_is_bounded(formatted: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Generated code has any number of locations."""
    monkeypatch.setattr(stacktrace, "_MAX_CACHED", 3)
    for number in range(10):
        code = compile("\n" * number + "raise ValueError", "<generated>", "exec")
        format_stacktrace(raised(lambda code=code: exec(code)))  # type: ignore[misc]  # noqa: S102
        assert len(stacktrace._frames) <= 3


def test_a_type_is_named_with_its_module() -> None:
    """As ``exception.type`` wants it; builtins without one."""
    assert qualified_name(ValueError()) == "ValueError"
    assert qualified_name(OwnError.InnerError()) == f"{__name__}.OwnError.InnerError"
