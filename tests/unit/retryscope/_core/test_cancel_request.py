"""Who asked for a cancellation: itself says so, else its surroundings tell."""

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from retryscope import CancelCause, CancelRequest, task_factory
from retryscope._core.cancel_request import cancel_request
from retryscope._core.scope import Scope
from tests.support.clock import run


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
