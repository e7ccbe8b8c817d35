"""A workflow: the root of what one request or job does."""

import asyncio
import re
from textwrap import dedent
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from retryscope import request_cancel, step, workflow
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, attribute, named, value_of


def test_a_workflow_is_the_root_and_has_metrics_of_its_own(recorded: Recorded) -> None:
    """It is no operation: those inside count themselves."""

    async def main() -> workflow:
        async with workflow("checkout", deadline=10) as this:
            assert (this.outcome, this.seconds) == (None, 0)
            await asyncio.sleep(2)
            assert this.seconds == 2
            assert value_of(recorded, "resilience_workflows_in_flight", workflow="checkout") == 1
        return this

    with recorded.changes() as changes:
        this = run(main())
    assert recorded.tree() == dedent("""\
        workflow checkout [0..2]
          . resilience.deadline = 10
          . resilience.outcome = success
          . resilience.workflow = checkout
        """)
    assert changes == {
        'resilience_workflow_duration_seconds_count{outcome="success", workflow="checkout"}': 1,
        'resilience_workflow_duration_seconds_sum{outcome="success", workflow="checkout"}': 2,
    }
    assert this.outcome == "success"
    assert this.span == named(recorded, "workflow checkout").context
    assert value_of(recorded, "resilience_workflows_in_flight") == 0


def test_a_workflow_past_its_deadline_is_a_timeout_of_its_own(recorded: Recorded) -> None:
    """What runs inside is cancelled with the cause deadline and links to the workflow."""

    async def main() -> None:
        async with workflow("checkout", deadline=2), step(PRICE):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError, match=r"^workflow checkout ran past its deadline of 2 s$"):
        run(main())
    assert recorded.tree() == dedent("""\
        workflow checkout [0..2] ERROR 'workflow checkout ran past its deadline of 2 s'
          . error.type = timeout
          . resilience.deadline = 2
          . resilience.outcome = timeout
          . resilience.workflow = checkout
          ! resilience.timeout [2] resilience.timeout.limit=2
          task price [0..2]
            . resilience.cancel.cause = deadline
            . resilience.operation = price
            . resilience.outcome = cancelled
            . resilience.workflow = checkout
            ! resilience.cancel.requested [2] resilience.cancel.cause=deadline
            -> cancelled_by workflow checkout
        """)


def test_a_cancelled_workflow_says_who_asked(recorded: Recorded) -> None:
    """Status UNSET, cause on the span; it counts as cancelled, not as failed."""

    async def main() -> bool:
        async def work() -> None:
            async with workflow("checkout"):
                await asyncio.sleep(60)

        running = asyncio.create_task(work())
        await asyncio.sleep(1)
        request_cancel(running, "client_disconnect")
        await asyncio.wait([running])
        return running.cancelled()

    assert run(main())
    assert named(recorded, "workflow checkout").status.status_code is StatusCode.UNSET
    assert attribute(recorded, "workflow checkout", "resilience.cancel.cause") == "client_disconnect"
    assert value_of(recorded, "resilience_workflow_duration_seconds_count", outcome="cancelled") == 1


def test_a_workflow_without_deadline_has_none(recorded: Recorded) -> None:
    """And passes none down."""

    async def main() -> None:
        async with workflow("checkout"):
            await asyncio.sleep(10_000)

    run(main())
    assert attribute(recorded, "workflow checkout", "resilience.deadline") is None


def test_a_workflow_has_the_attributes_that_it_is_given(recorded: Recorded) -> None:
    """From its start on; its name stays its own."""

    async def main() -> None:
        async with workflow("checkout", attributes={"shop.cart": 7}):
            (started,) = recorded.log.started
            assert (started.attributes or {})["shop.cart"] == 7

    run(main())
    assert attribute(recorded, "workflow checkout", "shop.cart") == 7
    assert attribute(recorded, "workflow checkout", "resilience.workflow") == "checkout"


def test_a_redelivery_links_to_the_earlier_try(recorded: Recorded) -> None:
    """The kind of the link says so; without one there is none."""

    async def main() -> None:
        async with workflow("checkout") as first:
            pass
        async with workflow("checkout", redelivery_of=first.span):
            pass

    run(main())
    first, second = recorded.spans()
    assert first.links == ()
    (link,) = second.links
    assert link.context == first.context
    assert dict(link.attributes or {}) == {"resilience.link.kind": "redelivery_of"}


def test_before_it_is_entered_it_has_no_span() -> None:
    with pytest.raises(RuntimeError, match="workflow checkout has not been entered"):
        _ = workflow("checkout").span


def test_text_of_others_is_made_valid_first(recorded: Recorded) -> None:
    """Half a character would cost the whole batch of spans."""

    async def main() -> None:
        async with workflow("checkout", attributes={"file\udce9": "caf\udce9", "size": 3}):
            pass

    run(main())
    attributes = named(recorded, "workflow checkout").attributes or {}
    assert (attributes["file\\udce9"], attributes["size"]) == ("caf\\udce9", 3)


@pytest.mark.parametrize("attributes", [[("a", 1)], {5: "x"}, "abc", 7])
def test_attributes_are_a_mapping_of_names(attributes: Any) -> None:
    with pytest.raises(
        TypeError, match=rf"^workflow attributes .* names to values, got {re.escape(repr(attributes))}"
    ):
        workflow("checkout", attributes=attributes)


def test_its_time_is_counted_from_its_start(recorded: Recorded) -> None:
    async def main() -> float:
        await asyncio.sleep(5)
        async with workflow("checkout") as this:
            await asyncio.sleep(1)
            return this.seconds

    with recorded.changes() as changes:
        assert run(main()) == 1
    labels = 'outcome="success", workflow="checkout"'
    assert changes[f"resilience_workflow_duration_seconds_sum{{{labels}}}"] == 1


def test_a_deadline_without_a_task_to_cancel_says_what_needs_one() -> None:
    with pytest.raises(RuntimeError, match=r"^workflow should be used inside a task$"):
        workflow("checkout", deadline=1).__aenter__().send(None)
