"""The retry policy: validated when it is built."""

import asyncio
import inspect
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope import RetryPolicy
from retryscope.policy import MAX_ATTEMPTS, MAX_SECONDS

SECONDS = ("base_delay", "max_delay", "max_retry_after", "attempt_timeout", "deadline")


def test_the_defaults_are_three_attempts_with_full_jitter_up_to_a_minute() -> None:
    """What ``retry(operation)`` alone does."""
    assert RetryPolicy() == RetryPolicy(
        max_attempts=3,
        base_delay=1.0,
        backoff_factor=2.0,
        max_delay=60.0,
        jitter="full",
        attempt_timeout=None,
        deadline=None,
        retry_on=(Exception,),
        max_retry_after=60.0,
    )


@pytest.mark.parametrize("name", [*SECONDS, "backoff_factor"])
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -1, -0.001, 1e300, pytest.param(10**400, id="huge")]
)
def test_nan_infinite_negative_and_huge_values_are_refused_when_the_policy_is_built(
    name: str, value: float
) -> None:
    """asyncio.md 17: no overflow later; the error names the field, the bound and the value."""
    bounds = "between 1 and 1000" if name == "backoff_factor" else "between 0 and 31536000 seconds"
    with pytest.raises(
        ValueError, match=f"RetryPolicy.{name} must be {bounds}, got {re.escape(repr(value)[:100])}"
    ):
        RetryPolicy(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["attempt_timeout", "deadline"])
def test_a_limit_of_zero_makes_no_sense(name: str) -> None:
    """Nothing could ever run within it; a delay of zero is fine."""
    with pytest.raises(ValueError, match=f"RetryPolicy.{name} must be > 0 seconds, got 0"):
        RetryPolicy(**{name: 0})  # type: ignore[arg-type]
    RetryPolicy(base_delay=0, max_delay=0, max_retry_after=0)


@pytest.mark.parametrize("name", [*SECONDS, "backoff_factor"])
@pytest.mark.parametrize("value", ["1", True, [1]])
def test_only_numbers_are_numbers(name: str, value: Any) -> None:
    """A string from a configuration file, or a flag, fails here and not in the middle of a retry."""
    with pytest.raises(
        TypeError, match=f"RetryPolicy.{name} must be a number, got {re.escape(repr(value)[:100])}"
    ):
        RetryPolicy(**{name: value})


@pytest.mark.parametrize("value", [0, -1, MAX_ATTEMPTS + 1])
def test_attempts_are_between_1_and_ten_thousand(value: int) -> None:
    """The first try counts."""
    with pytest.raises(ValueError, match=f"max_attempts must be between 1 and {MAX_ATTEMPTS}, got {value}"):
        RetryPolicy(max_attempts=value)
    RetryPolicy(max_attempts=1)
    RetryPolicy(max_attempts=MAX_ATTEMPTS)


@pytest.mark.parametrize("value", [2.0, "3", True, None])
def test_attempts_are_whole(value: Any) -> None:
    """No silent rounding."""
    with pytest.raises(TypeError, match=f"max_attempts must be an integer, got {value!r}"):
        RetryPolicy(max_attempts=value)


def test_jitter_is_one_of_the_two_names() -> None:
    """A misspelt jitter must not silently mean none."""
    with pytest.raises(ValueError, match="jitter must be 'full' or 'none', got 'ful'"):
        RetryPolicy(jitter="ful")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kind", [BaseException, asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit]
)
def test_types_outside_exception_are_refused(kind: type[BaseException]) -> None:
    """asyncio.md 9: a retry never catches a cancel, an interrupt or an exit, whatever the policy says."""
    why = r" \(a cancellation or an interrupt must never be retried\)"
    if kind is GeneratorExit:
        why = ""
    with pytest.raises(
        TypeError, match=f"takes subclasses of Exception, got <class .*{kind.__name__}'>{why}$"
    ):
        RetryPolicy(retry_on=(OSError, kind))  # type: ignore[arg-type]


@pytest.mark.parametrize("chosen", [OSError, [OSError], "every error", None, 3])
def test_retry_on_is_a_tuple_of_classes_or_a_function(chosen: Any) -> None:
    """A bare class is callable and would retry everything: it is refused too."""
    wanted = f"a tuple of exception classes or a function, got {re.escape(repr(chosen))}"
    with pytest.raises(TypeError, match=f"retry_on must be {wanted}"):
        RetryPolicy(retry_on=chosen)


@pytest.mark.parametrize("member", ["OSError", OSError("x"), int])
def test_members_of_retry_on_are_exception_classes(member: Any) -> None:
    """An instance or a name is a slip."""
    with pytest.raises(TypeError, match="retry_on takes subclasses of Exception"):
        RetryPolicy(retry_on=(member,))


def test_retries_asks_the_classes_or_the_function() -> None:
    """Subclasses count."""
    classes = RetryPolicy(retry_on=(OSError, KeyError))
    assert [classes.retries(error) for error in (ConnectionError(), KeyError(), ValueError())] == [
        True,
        True,
        False,
    ]
    function = RetryPolicy(retry_on=lambda error: "busy" in str(error))
    assert [function.retries(error) for error in (OSError("busy"), OSError("gone"))] == [True, False]
    assert not RetryPolicy(retry_on=()).retries(OSError())


async def is_busy(error: Exception) -> bool:
    return "busy" in str(error)


def test_the_bounds_themselves_are_within() -> None:
    policy = RetryPolicy(base_delay=MAX_SECONDS, deadline=MAX_SECONDS, backoff_factor=1000)
    assert (policy.base_delay, policy.backoff_factor) == (MAX_SECONDS, 1000)


@pytest.mark.filterwarnings("error")
def test_what_returns_an_awaitable_is_refused_when_it_is_asked() -> None:
    """A coroutine is closed; any other is its maker's."""

    class Later:
        def __await__(self) -> Iterator[None]:
            return iter(())

    coroutine = is_busy(OSError())
    for awaitable in (coroutine, Later()):

        def answer(error: Exception, awaitable: Any = awaitable) -> Any:
            return awaitable

        with pytest.raises(
            TypeError, match=r"retry_on must be a plain function: <function .*answer.*> is async"
        ):
            RetryPolicy(retry_on=answer).retries(OSError())
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.floats(min_value=0, max_value=MAX_SECONDS, exclude_min=name not in SECONDS[:3])
            for name in SECONDS
        },
    )
)
def test_every_value_within_the_bounds_is_taken(values: dict[str, float]) -> None:
    """The bounds are what the message says, no narrower."""
    policy = RetryPolicy(**values)  # type: ignore[arg-type]
    assert all(getattr(policy, name) == value for name, value in values.items())


def test_a_policy_is_immutable() -> None:
    """It is shared by concurrent calls."""
    with pytest.raises(AttributeError):
        RetryPolicy().max_attempts = 5  # type: ignore[misc]
