"""``setup(attempts="events")``: one span per retry, with events that say all that spans say."""

import asyncio
import gc
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from prometheus_client import CollectorRegistry

import retryscope
from retryscope import RetryPolicy, request_cancel, retry, semconv, step, workflow
from retryscope._core import attempt
from retryscope._core.timer import Timer
from tests.support.clock import run
from tests.support.recorded import Recorded, recording
from tests.unit.retryscope.helpers import (
    PRICE,
    STOCK,
    Script,
    attribute,
    failer,
    named,
    sleeper,
    spans_named,
)

POLICY = RetryPolicy(max_attempts=4, base_delay=1, jitter="none", attempt_timeout=10)


def test_a_retry_that_succeeds_at_once_is_one_span_and_one_event() -> None:
    with recording(attempts="events") as recorded:
        run(retry(PRICE, POLICY).call(Script(499, takes=0.5)))
    assert recorded.tree() == dedent("""\
        retry price [0..0.5]
          . resilience.operation = price
          . resilience.outcome = success
          . resilience.retry.attempts = 1
          . resilience.retry.backoff = 0
          . resilience.retry.max_attempts = 4
          . resilience.workflow = checkout
          ! resilience.attempt [0.5] resilience.attempt.elapsed=0.5, resilience.attempt.number=1, resilience.operation=price, resilience.outcome=success, resilience.timeout.limit=10, resilience.workflow=checkout
        """)  # noqa: E501


def test_a_failed_attempt_and_the_wait_after_it_are_events_of_the_operation() -> None:
    """No status ERROR: what a retry repaired is no error of the operation."""
    with recording(attempts="events") as recorded:
        run(retry(PRICE, POLICY).call(Script(OSError("busy"), 499, takes=0.5)))
    (span,) = recorded.spans()
    assert span.status.status_code.name == "UNSET"
    assert [event.name for event in span.events] == [
        "exception",
        "resilience.attempt",
        "resilience.retry.scheduled",
        "resilience.attempt",
    ]
    assert dict(span.events[3].attributes or {}).items() >= {
        ("resilience.attempt.number", 2),
        ("resilience.attempt.backoff", 1.0),
    }


def test_what_runs_in_an_attempt_is_below_the_operation() -> None:
    async def call() -> None:
        async with step(STOCK):
            pass

    with recording(attempts="events") as recorded:
        run(retry(PRICE, POLICY).call(call))
    assert recorded.outline() == "retry price\n  task stock\n"


def test_another_setting_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="attempts must be 'spans' or 'events', got 'none'"):
        retryscope.setup(registry=CollectorRegistry(), attempts="none")  # type: ignore[arg-type]


Attempt = tuple[float, float, str, str | None, float | None]
"""Start and duration in seconds, outcome, error type, wait before."""


def attempts_in(spans: list[ReadableSpan]) -> list[Attempt]:
    """What a simulation of another policy needs, read from either form of recording."""
    found = []
    for span in spans:
        if span.name == "attempt price":
            start, end = (span.start_time or 0), (span.end_time or 0)
            found.append(_attempt(start / 1e9, (end - start) / 1e9, span.attributes))
        for event in span.events:
            if event.name == semconv.EVENT_ATTEMPT:
                seconds = float((event.attributes or {})[semconv.ATTEMPT_ELAPSED])  # type: ignore[arg-type]
                found.append(_attempt(event.timestamp / 1e9 - seconds, seconds, event.attributes))
    return found


def _attempt(start: float, seconds: float, attributes: Any) -> Attempt:
    known = [attributes.get(name) for name in (semconv.OUTCOME, semconv.ERROR_TYPE, semconv.ATTEMPT_BACKOFF)]
    return round(start, 4), round(seconds, 4), known[0], known[1], known[2] and round(known[2], 4)


seconds = st.integers(0, 15)
steps = st.tuples(seconds, st.sampled_from([None, OSError, KeyError, asyncio.CancelledError]))


@settings(max_examples=30)
@given(st.lists(steps, min_size=1, max_size=5), st.none() | st.integers(0, 40))
def test_events_say_of_every_attempt_what_spans_say(
    script: list[tuple[int, type[BaseException] | None]], cancelled_after: int | None
) -> None:
    """Start, duration, outcome, error type and wait; the metrics are the same, too."""

    def recorded_as(form: str) -> tuple[list[Attempt], dict[str, float]]:
        left = iter(script)

        async def call() -> None:
            duration, error = next(left, (0, None))
            await asyncio.sleep(duration)
            if error is not None:
                raise error("no")

        async def main() -> None:
            running = asyncio.create_task(retry(PRICE, POLICY).call(call))
            if cancelled_after is not None:
                await asyncio.sleep(cancelled_after + 0.5)
                request_cancel(running)
            await asyncio.wait([running])
            running.cancelled() or running.exception()

        with recording(attempts=form) as recorded, recorded.changes() as changes:
            run(main())
        return attempts_in(recorded.spans()), changes

    spans, events = recorded_as("spans"), recorded_as("events")
    assert spans[0] != []
    assert spans == events


def test_a_cancelled_wait_is_counted_and_leaves_no_span() -> None:
    async def main() -> None:
        running = asyncio.create_task(retry(PRICE, POLICY).call(failer(OSError())))
        await asyncio.sleep(0.25)
        request_cancel(running, "shutdown")
        await asyncio.wait([running])

    with recording(attempts="events") as recorded, recorded.changes() as changes:
        run(main())
    (span,) = recorded.spans()
    assert (span.attributes or {})["resilience.retry.backoff"] == 0.25
    assert changes['resilience_backoff_duration_seconds_sum{operation="price", workflow="checkout"}'] == 0.25


def test_an_attempt_that_is_torn_down_leaves_an_event() -> None:
    """A coroutine that is closed from outside ends with GeneratorExit."""

    async def main() -> None:
        coroutine = retry(PRICE).call(sleeper(60))
        coroutine.send(None)
        coroutine.close()

    with recording(attempts="events") as recorded:
        run(main())
    (span,) = recorded.spans()
    assert (span.events[0].attributes or {})["resilience.outcome"] == "cancelled"


def test_a_cancel_that_says_nothing_below_an_attempt_that_ran_out_is_its_limits(recorded: Recorded) -> None:
    """A ``TaskGroup`` that is cancelled cancels its children without a word."""

    async def reserve() -> None:
        async with step(STOCK):
            await asyncio.sleep(3600)

    async def call() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(reserve())

    with pytest.raises(TimeoutError):
        run(retry(PRICE, RetryPolicy(max_attempts=1, attempt_timeout=2)).call(call))
    assert attribute(recorded, "task stock", "resilience.cancel.cause") == "deadline"
    (link,) = named(recorded, "task stock").links
    assert link.context == named(recorded, "attempt price").context


def test_a_failed_attempt_says_how_long_it_took_as_an_event() -> None:
    with recording(attempts="events") as recorded, pytest.raises(OSError, match="busy"):
        run(retry(PRICE, RetryPolicy(max_attempts=1)).call(failer(OSError("busy"), after=2.5)))
    (span,) = recorded.spans()
    (event,) = [each for each in span.events if each.name == semconv.EVENT_ATTEMPT]
    assert (event.attributes or {})[semconv.ATTEMPT_ELAPSED] == 2.5


def test_each_attempt_records_an_error_that_others_have_recorded_meanwhile(recorded: Recorded) -> None:
    """It is one exception in two tasks, as what a connection pool tells all who wait."""
    lost = ConnectionError("lost")
    policy = RetryPolicy(max_attempts=1)

    async def main() -> None:
        waiting = [retry(PRICE, policy).call(failer(lost, after=seconds)) for seconds in (1, 2)]
        async with workflow("checkout"):
            await asyncio.gather(*waiting, return_exceptions=True)

    run(main())
    for span in spans_named(recorded, "attempt price"):
        assert [event.name for event in span.events] == ["exception"]


def test_the_log_has_the_attempts_that_failed_and_not_those_that_were_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", "retryscope")

    async def main() -> None:
        running = asyncio.create_task(retry(PRICE, POLICY).call(Script(OSError("busy"), takes=1.5)))
        await asyncio.sleep(3)
        request_cancel(running)
        await asyncio.wait([running])

    with recording():
        run(main())
    logged = [record.getMessage() for record in caplog.records if record.levelname == "DEBUG"]
    assert logged == ["attempt 1 of price failed: busy", "price cancelled: request"]


def test_nothing_of_an_attempt_is_kept_through_the_wait_after_it(recorded: Recorded) -> None:
    """There may be a hundred thousand asleep: neither it nor its timer."""

    def alive() -> set[int]:
        gc.collect()
        return {id(each) for each in gc.get_objects() if type(each) in (attempt.Attempt, Timer)}

    async def main() -> set[int]:
        before = alive()
        running = asyncio.create_task(retry(PRICE, POLICY).call(failer(OSError("busy"))))
        await asyncio.sleep(0.5)
        kept = alive() - before
        running.cancel()
        await asyncio.wait([running])
        return kept

    assert run(main()) == set()
