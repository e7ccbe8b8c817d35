"""Who asked for a cancellation: itself says so, else its surroundings tell."""

import asyncio

import pytest

from retryscope import CancelCause, CancelRequest
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
