"""A plain unit of work: one attempt, traced and counted."""

import asyncio
from textwrap import dedent
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

import retryscope
from retryscope import step, workflow
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK, attribute, named, value_of


def test_a_block_is_one_execution_with_one_attempt(recorded: Recorded) -> None:
    """The whole tree and every metric."""

    async def main() -> None:
        async with step(PRICE, name="sku 4711"):
            await asyncio.sleep(1)

    with recorded.changes() as changes:
        run(main())
    assert recorded.tree() == dedent("""\
        task price [0..1]
          . resilience.operation = price
          . resilience.outcome = success
          . resilience.task.name = sku 4711
          . resilience.workflow = checkout
        """)
    labels = 'operation="price", outcome="success", workflow="checkout"'
    assert changes == {
        f"resilience_operation_duration_seconds_count{{{labels}}}": 1,
        f"resilience_operation_duration_seconds_sum{{{labels}}}": 1,
        f"resilience_operation_attempts_count{{{labels}}}": 1,
        f"resilience_operation_attempts_sum{{{labels}}}": 1,
        f"resilience_attempts_total{{{labels}}}": 1,
        f"resilience_attempt_duration_seconds_count{{{labels}}}": 1,
        f"resilience_attempt_duration_seconds_sum{{{labels}}}": 1,
    }


def test_a_block_may_name_what_it_has_entered(recorded: Recorded) -> None:
    async def main() -> bool:
        entered = step(PRICE)
        async with entered as this:
            return this is entered

    assert run(main())


@pytest.mark.parametrize("wrong", [4711, b"sku", ["sku"]], ids=["number", "bytes", "list"])
def test_a_name_that_is_no_text_is_refused(recorded: Recorded, wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^step name must be a str"):
        step(PRICE, name=wrong)


def test_it_is_in_flight_until_it_ends(recorded: Recorded) -> None:
    """The gauge that shows what is stuck."""

    async def main() -> float:
        async with step(PRICE), step(STOCK):
            return value_of(recorded, "resilience_operations_in_flight", operation="price")

    assert run(main()) == 1
    assert value_of(recorded, "resilience_operations_in_flight") == 0


def test_an_error_passes_through_and_is_recorded_once(recorded: Recorded) -> None:
    """At the innermost block; those around it say error without another stack trace."""

    async def main() -> None:
        async with workflow("checkout"), step(STOCK), step(PRICE):
            raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        run(main())
    events = {span.name: [event.name for event in span.events] for span in recorded.spans()}
    assert events == {"workflow checkout": [], "task stock": [], "task price": ["exception"]}
    for name in events:
        status = named(recorded, name).status
        assert (status.status_code, status.description) == (StatusCode.ERROR, "gone")
        assert attribute(recorded, name, "error.type") == "ConnectionError"


def test_an_error_caught_inside_and_raised_again_later_is_recorded_where_it_escapes(
    recorded: Recorded,
) -> None:
    """A record belongs to a failure, not to an exception object."""
    error = ConnectionError("gone")

    async def main() -> None:
        with pytest.raises(ConnectionError):
            async with step(PRICE):
                raise error
        await asyncio.sleep(1)
        async with step(STOCK):
            raise error

    with pytest.raises(ConnectionError):
        run(main())
    assert [len(span.events) for span in recorded.spans()] == [1, 1]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_ends_the_span(recorded: Recorded, kind: type[BaseException]) -> None:
    """It passes through, and nothing stays in flight."""

    async def main() -> None:
        async with step(PRICE):
            raise kind

    with pytest.raises(kind):
        run(main())
    assert attribute(recorded, "task price", "error.type") == kind.__name__
    assert value_of(recorded, "resilience_operations_in_flight") == 0


def test_its_old_name_still_works_and_says_so() -> None:
    """Nothing else is there that is not."""
    with pytest.warns(DeprecationWarning, match="task is called step"):
        assert retryscope.task is step  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="'retryscope' has no attribute 'attempt'"):
        _ = retryscope.attempt  # type: ignore[attr-defined]
