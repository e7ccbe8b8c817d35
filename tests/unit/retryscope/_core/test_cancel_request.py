"""Who asked for a cancellation: itself says so, else its surroundings tell."""

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from retryscope import CancelCause, CancelRequest, task_factory
from retryscope._core.cancel_request import CancelText, Signature, cancel_behind, cancel_request
from retryscope._core.scope import Scope
from tests.support.clock import EPOCH_NS, run
from tests.support.recorded import recording


@pytest.mark.parametrize("cause", ["request", "client_disconnect", "sibling", "deadline", "shutdown"])
def test_a_request_that_names_its_cause_is_believed(cause: CancelCause) -> None:
    """It travels as the message of ``Task.cancel``."""
    request = CancelRequest(cause)
    assert cancel_request(asyncio.CancelledError(request), None) is request
    assert str(request) == f"cancelled: {cause}"


def test_a_cancel_that_names_none_gets_the_cause_of_its_surroundings() -> None:
    """A timer that has fired first, then what the surroundings declared, then plain ``request``."""

    async def main() -> None:
        plain = asyncio.CancelledError()
        assert cancel_request(plain, None).cause == "request"
        Scope(cause="client_disconnect")
        inner = Scope()
        assert cancel_request(plain, inner).cause == "client_disconnect"
        timer = asyncio.timeout_at(0)
        Scope(timer=timer)
        limited = Scope(cause="shutdown")
        assert cancel_request(plain, limited).cause == "shutdown"
        with pytest.raises(TimeoutError):
            async with timer:
                await asyncio.sleep(1)
        assert cancel_request(plain, limited).cause == "deadline"

    run(main())


def pickled(error: BaseException) -> Any:
    return pickle.loads(pickle.dumps(error))  # noqa: S301  (its own)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_cancel_signed_by_its_task_factory_can_be_copied(
    duplicate: Callable[[BaseException], BaseException],
) -> None:
    async def main() -> BaseException:
        asyncio.get_running_loop().set_task_factory(task_factory)
        running = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(1)
        running.cancel("too slow")
        await asyncio.wait([running])
        with pytest.raises(asyncio.CancelledError) as raised:
            running.result()
        return raised.value

    cancel = run(main())
    request = cancel_request(cancel, None)
    again = cancel_request(duplicate(cancel), None)
    assert (again.reason, again.task, again.location) == (request.reason, request.task, request.location)
    assert again.reason == "too slow"


def test_what_a_request_is_made_of_is_checked() -> None:
    with pytest.raises(
        ValueError,
        match=r"must be one of .*, got 'budget cut'; what is variable goes into its reason$",
    ):
        CancelRequest("budget cut")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the reason of a cancel must be a str, got 3"):
        CancelRequest("request", reason=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a cancel is by the SpanContext of a span, got 'span'"):
        CancelRequest("request", by="span")  # type: ignore[arg-type]


def test_a_text_shows_its_author_even_if_it_says_nothing() -> None:
    assert str(CancelText("", "main", "shop.stop:3")) == "by task main, at shop.stop:3"
    assert str(CancelText("late, ", "main", "shop.stop:3")) == "late, , by task main, at shop.stop:3"


def test_a_cancel_without_a_word_has_no_reason() -> None:
    for error in (asyncio.CancelledError(), asyncio.CancelledError(None), asyncio.CancelledError("")):
        assert cancel_request(error, None).reason is None
    assert cancel_request(asyncio.CancelledError(0), None).reason == "0"


def test_a_cancel_was_made_when_it_was_first_seen() -> None:
    """Before the cleanup that it led to: whoever asks later is told the same."""

    async def main() -> None:
        arrived = asyncio.CancelledError()
        await asyncio.sleep(1)
        seen = cancel_request(arrived, None).time_ns
        assert seen == EPOCH_NS + 1_000_000_000
        await asyncio.sleep(5)
        assert cancel_request(arrived, None).time_ns == seen
        assert cancel_request(asyncio.CancelledError(), None).time_ns == seen + 5_000_000_000

    with recording():
        run(main())


def chained(
    error: BaseException, cause: BaseException | None, context: BaseException | None
) -> BaseException:
    error.__cause__, error.__context__ = cause, context
    return error


def raised(error: BaseException) -> BaseException:
    try:
        raise error  # noqa: TRY301
    except BaseException as caught:
        return caught


def test_a_cancel_is_found_behind_causes_and_contexts() -> None:
    cancel = asyncio.CancelledError()
    for error in (
        cancel,
        chained(OSError(), cancel, None),
        chained(OSError(), None, cancel),
        chained(OSError(), chained(KeyError(), None, cancel), ValueError()),
        chained(OSError(), chained(KeyError(), cancel, None), TimeoutError()),
        chained(OSError(), raised(TimeoutError()), cancel),
    ):
        assert cancel_behind(error) is cancel
    for error in (
        OSError(),
        chained(TimeoutError(), cancel, cancel),
        chained(OSError(), TimeoutError(), cancel),  # never raised: it says what the cancel was
        chained(OSError(), None, chained(TimeoutError(), None, cancel)),
        chained(OSError(), BaseExceptionGroup("", [cancel]), None),
    ):
        assert cancel_behind(error) is None


def test_a_chain_that_leads_back_to_itself_has_an_end() -> None:
    first, second = OSError(), KeyError()
    chained(first, second, second)
    chained(second, first, first)
    assert cancel_behind(first) is None
    cancel = asyncio.CancelledError()
    chained(second, first, cancel)
    assert cancel_behind(first) is cancel


def test_a_timers_own_cancel_is_passed_over_for_what_is_behind_it() -> None:
    signature = Signature()
    assert not signature.overruled
    own = asyncio.CancelledError(CancelRequest("deadline", signature=signature))
    other = asyncio.CancelledError(CancelRequest("deadline", signature=Signature()))
    assert cancel_behind(chained(OSError(), own, None), but=signature) is None
    assert cancel_behind(chained(OSError(), chained(own, None, other), None), but=signature) is other
    assert cancel_behind(chained(OSError(), own, None)) is own
