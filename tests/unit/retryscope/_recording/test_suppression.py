"""Code without spans: nothing inside is recorded, everything is counted."""

import asyncio

import pytest
from opentelemetry import trace

from retryscope import retry, step, without_spans, workflow
from retryscope._recording.suppression import suppressed
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK, Script, sleeper, value_of


def test_nothing_inside_is_recorded_and_everything_counted(recorded: Recorded) -> None:
    """Around it spans go on."""

    async def main() -> None:
        async with workflow("checkout"):
            outer = trace.get_current_span()
            with without_spans():
                async with step(PRICE):
                    assert trace.get_current_span() is outer
                await retry(STOCK).call(Script(1))
            async with step(PRICE):
                pass

    run(main())
    assert recorded.outline() == "workflow checkout\n  task price\n"
    assert value_of(recorded, "resilience_operation_duration_seconds_count") == 3


def test_a_task_that_is_started_inside_stays_without(recorded: Recorded) -> None:
    """It has a copy of the context; others are as they were."""

    async def child() -> None:
        await asyncio.sleep(1)
        async with step(PRICE):
            pass

    async def main() -> None:
        with without_spans():
            inside = asyncio.create_task(child())
        outside = asyncio.create_task(child())
        await asyncio.gather(inside, outside)

    run(main())
    assert recorded.outline() == "task price\n"


def test_errors_pass_and_spans_are_on_again(recorded: Recorded) -> None:
    """Blocks can be nested."""
    with pytest.raises(KeyError), without_spans():  # noqa: PT012 - what is tested
        with without_spans():
            assert suppressed()
        assert suppressed()
        raise KeyError
    assert not suppressed()


def test_a_cancel_inside_goes_through(recorded: Recorded) -> None:
    """There is no span for it to be written on."""

    async def work() -> None:
        with without_spans():
            async with step(PRICE):
                await sleeper(60)()

    async def main() -> bool:
        running = asyncio.create_task(work())
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])
        return running.cancelled()

    assert run(main())
    assert recorded.spans() == []
    assert value_of(recorded, "resilience_cancellations_total") == 1
    assert value_of(recorded, "resilience_telemetry_failures_total") == 0


def test_one_that_is_shared_is_refused_at_its_second_use(recorded: Recorded) -> None:
    """Else spans would stay switched off, or a task get another one's context."""
    quiet = without_spans()
    with quiet:
        with pytest.raises(RuntimeError, match="without_spans has already been entered"), quiet:
            raise AssertionError
        assert suppressed()
    assert not suppressed()
