"""The recording half of a retry, on its own: what ``retry`` records, from code without an event loop."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any

import pytest
import tenacity
from hypothesis import given, settings
from hypothesis import strategies as st

from retryscope import Operation, RetryBudget, RetryPolicy, deadline, retry, semconv, settle, step, workflow
from retryscope._core.retry_spans import RetrySpans
from retryscope._core.retrying import Retrying
from retryscope._core.scope import Scope, attempt_here, current_scope, inherited_deadline
from retryscope.backoff import next_delay
from retryscope.outcome import GiveUpReason
from tests.support.clock import EPOCH_NS, run
from tests.support.recorded import Recorded, recording
from tests.unit.retryscope.helpers import PRICE, STOCK, attribute, named, only_declared, spans_named, value_of


class FakeClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return EPOCH_NS + round(self.now * 1e9)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True, scope="module")
def _only_what_is_needed() -> Iterator[None]:
    with only_declared(PRICE, STOCK):
        yield


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def recorded(clock: FakeClock) -> Iterator[Recorded]:
    """No event loop runs here, so that none has the time."""
    with recording(time_ns=clock.time_ns) as recorded:
        yield recorded


def retried(
    fn: Callable[[], Any],
    policy: RetryPolicy,
    budget: RetryBudget | None,
    clock: FakeClock,
    spans: RetrySpans | None = None,
) -> Any:
    """A retry of somebody else's making: it blocks, has a policy of its own, and records all it does."""
    retrying = Retrying(spans or RetrySpans(PRICE, policy.max_attempts), clock=clock)
    delay = min(policy.base_delay, policy.max_delay)
    try:
        while True:
            attempt = retrying.begin_attempt()
            try:
                value = fn()
            except BaseException as error:
                attempt.end(error)
                if not isinstance(error, Exception):
                    raise
                if reason := _gives_up(error, retrying.number, policy, budget):
                    retrying.give_up(reason, error)
                    raise
                retrying.announce(error, delay)
            else:
                attempt.end(None)
                if budget is not None:
                    budget.earn()
                retrying.end(None)
                return value
            retrying.begin_wait(delay)
            clock.sleep(delay)
            retrying.end_wait()
            delay = next_delay(delay, policy.backoff_factor, policy.max_delay)
    except BaseException as error:
        retrying.end(error)
        raise


def _gives_up(
    error: Exception, number: int, policy: RetryPolicy, budget: RetryBudget | None
) -> GiveUpReason | None:
    if not policy.retries(error):
        return "non_retryable"
    if number >= policy.max_attempts:
        return "max_attempts"
    return "budget" if budget is not None and not budget.try_spend() else None


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = {name: value for name, value in vars(record).items() if name in semconv.ATTRIBUTES}
        self.lines.append((record.levelname, record.getMessage(), fields))


@contextmanager
def logged() -> Iterator[list[tuple[str, str, dict[str, Any]]]]:
    """Level, message and fields of every log line of the library inside the block."""
    logger, handler = logging.getLogger("retryscope"), _Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


Step = tuple[float, Callable[[], BaseException] | None]

policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 4),
    base_delay=st.sampled_from([0, 0.5, 1]),
    max_delay=st.sampled_from([0.25, 60]),
    jitter=st.just("none"),
    retry_on=st.just((OSError,)),
)
steps: st.SearchStrategy[Step] = st.tuples(
    st.sampled_from([0, 0.5, 2]),
    st.sampled_from(
        [
            None,
            lambda: OSError("busy"),
            lambda: ConnectionError("gone"),
            lambda: KeyError("sku"),
            KeyboardInterrupt,
        ]
    ),
)


@settings(max_examples=40)
@given(
    st.lists(steps, max_size=4),
    policies,
    st.none() | st.integers(1, 2),
    st.sampled_from(["spans", "events"]),
)
def test_without_a_loop_it_records_what_the_retry_primitive_records(
    script: list[Step], policy: RetryPolicy, capacity: int | None, form: str
) -> None:
    """Spans with times, events and links, all metrics, log lines with their fields."""

    def play(left: Iterator[Step]) -> tuple[float, BaseException | None]:
        seconds, error = next(left, (0.25, None))
        return seconds, None if error is None else error()

    def outcome_of(call: Callable[[], Any]) -> str:
        try:
            return str(call())
        except (Exception, KeyboardInterrupt) as error:
            return repr(error)

    def from_a_loop() -> tuple[Any, ...]:
        left = iter(script)

        async def fn() -> str:
            seconds, error = play(left)
            await asyncio.sleep(seconds)
            if error is not None:
                raise error
            return "done"

        budget = None if capacity is None else RetryBudget(capacity, 0.5)
        with recording(attempts=form) as recorded, recorded.changes() as changes, logged() as lines:
            result = outcome_of(lambda: run(retry(PRICE, policy, budget=budget).call(fn)))
        return result, recorded.tree(), changes, lines

    def without_one() -> tuple[Any, ...]:
        left = iter(script)
        clock = FakeClock()

        def fn() -> str:
            seconds, error = play(left)
            clock.sleep(seconds)
            if error is not None:
                raise error
            return "done"

        budget = None if capacity is None else RetryBudget(capacity, 0.5)
        memory = recording(attempts=form, time_ns=clock.time_ns)
        with memory as recorded, recorded.changes() as changes, logged() as lines:
            result = outcome_of(lambda: retried(fn, policy, budget, clock))
        return result, recorded.tree(), changes, lines

    assert without_one() == from_a_loop()


def with_tenacity(fn: Callable[[], Any], clock: FakeClock) -> Any:
    """What an adapter does: tenacity decides and sleeps, its hooks record."""
    retrying = Retrying(RetrySpans(PRICE, 3), clock=clock)

    def attempt() -> Any:
        current = retrying.begin_attempt()
        try:
            value = fn()
        except BaseException as error:
            current.end(error)
            raise
        current.end(None)
        return value

    def sleep(seconds: float) -> None:
        retrying.begin_wait(seconds)
        clock.sleep(seconds)
        retrying.end_wait()

    def failed(state: tenacity.RetryCallState) -> BaseException:
        error = None if state.outcome is None else state.outcome.exception()
        assert error is not None
        return error

    def announce(state: tenacity.RetryCallState) -> None:
        assert state.next_action is not None
        retrying.announce(failed(state), state.next_action.sleep)

    def give_up(state: tenacity.RetryCallState) -> None:
        error = failed(state)
        retrying.give_up("max_attempts", error)
        raise error

    theirs = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(3),
        wait=tenacity.wait_exponential(multiplier=1),
        sleep=sleep,
        before_sleep=announce,
        retry_error_callback=give_up,
    )
    try:
        value = theirs(attempt)
    except BaseException as error:
        retrying.end(error)
        raise
    retrying.end(None)
    return value


@pytest.mark.parametrize("failures", [0, 1, 2, 3])
def test_what_another_library_retries_is_recorded_as_what_ours_does(failures: int, clock: FakeClock) -> None:
    """Through tenacity's own hooks, in as many lines as an adapter has."""
    left = iter([OSError("busy")] * failures)
    policy = RetryPolicy(max_attempts=3, base_delay=1, jitter="none")

    async def ours() -> str:
        return theirs()

    def theirs() -> str:
        for error in left:
            raise error
        return "done"

    with suppress(OSError), recording() as recorded:
        run(retry(PRICE, policy).call(ours))
    expected = recorded.tree(), recorded.samples()
    left = iter([OSError("busy")] * failures)
    with suppress(OSError), recording(time_ns=clock.time_ns) as recorded:
        with_tenacity(theirs, clock)
    assert (recorded.tree(), recorded.samples()) == expected
    assert recorded.outline().count("attempt price") == min(failures + 1, 3)


def test_its_blocks_are_around_what_is_called(recorded: Recorded, clock: FakeClock) -> None:
    """What runs in an attempt has its span as parent and knows its number; afterwards all is as before."""
    numbers = []

    def fn() -> None:
        numbers.append(attempt_here())
        retried(lambda: None, RetryPolicy(), None, clock, RetrySpans(STOCK))
        if len(numbers) == 1:
            raise OSError

    retried(fn, RetryPolicy(), None, clock)
    retried(lambda: None, RetryPolicy(), None, clock)
    assert numbers == [1, 2]
    stock = "  attempt price\n    retry stock\n      attempt stock\n"
    assert recorded.outline() == (
        f"retry price\n{stock}  backoff price\n{stock}retry price\n  attempt price\n"
    )
    assert current_scope() is None


def test_a_retry_inside_one_of_the_same_operation_is_not_an_operation_more(
    recorded: Recorded, clock: FakeClock
) -> None:
    """In the same thread it is a part of its attempts; in another one it is an operation of its own."""

    def inner() -> None:
        retried(lambda: None, RetryPolicy(), None, clock)

    def in_a_thread() -> None:
        other = threading.Thread(target=copy_context().run, args=(inner,))
        other.start()
        other.join()

    retried(inner, RetryPolicy(), None, clock)
    assert value_of(recorded, "resilience_operation_duration_seconds_count") == 1
    retried(in_a_thread, RetryPolicy(), None, clock)
    assert value_of(recorded, "resilience_operation_duration_seconds_count") == 3
    assert value_of(recorded, "resilience_operations_in_flight") == 0


def test_an_interrupt_ends_the_wait_and_the_retry(recorded: Recorded, clock: FakeClock) -> None:
    """Whoever owns it need only say that the retry ended; the time really waited counts."""
    retrying = Retrying(RetrySpans(PRICE), clock=clock)
    busy = OSError("busy")
    retrying.begin_attempt().end(busy)
    retrying.announce(busy, 10)
    retrying.begin_wait(10)
    clock.sleep(3)
    retrying.end(KeyboardInterrupt())
    assert attribute(recorded, "backoff price", "resilience.outcome") == "error"
    assert attribute(recorded, "backoff price", "error.type") == "KeyboardInterrupt"
    assert attribute(recorded, "retry price", "resilience.outcome") == "error"
    assert attribute(recorded, "retry price", "resilience.retry.backoff") == 3
    assert value_of(recorded, "resilience_backoff_duration_seconds_sum") == 3
    interrupts = [
        span.name
        for span in recorded.spans()
        for event in span.events
        if (event.attributes or {}).get("exception.type") == "KeyboardInterrupt"
    ]
    assert interrupts == ["backoff price"]


def test_an_attempt_after_no_wait_says_that_there_was_none(recorded: Recorded, clock: FakeClock) -> None:
    """And not how long the last one was."""
    retrying = Retrying(RetrySpans(PRICE), clock=clock)
    assert retrying.number == 0
    for wait in (2, 0, 0):
        retrying.begin_attempt().end(OSError())
        if wait:
            retrying.begin_wait(wait)
            clock.sleep(wait)
            retrying.end_wait()
    retrying.end(None)
    assert retrying.number == 3
    waits = [
        (span.attributes or {}).get("resilience.attempt.backoff")
        for span in spans_named(recorded, "attempt price")
    ]
    assert waits == [None, 2, 0]


def test_a_policy_without_a_limit_names_none(recorded: Recorded, clock: FakeClock) -> None:
    """No most attempts, no deadline; what else is known at the end is on the span."""
    retrying = Retrying(RetrySpans(PRICE), clock=clock)
    retrying.begin_attempt().end(None)
    retrying.end(None, {semconv.TASK_NAME: "sku"})
    assert dict(named(recorded, "retry price").attributes or {}) == {
        "resilience.operation": "price",
        "resilience.workflow": "checkout",
        "resilience.outcome": "success",
        "resilience.retry.attempts": 1,
        "resilience.retry.backoff": 0,
        "resilience.task.name": "sku",
    }


def test_its_limit_is_a_deadline_for_what_is_inside(recorded: Recorded, clock: FakeClock) -> None:
    """An attempt's own may only be nearer."""
    clock.sleep(5)
    retrying = Retrying(RetrySpans(PRICE, attempt_timeout=1), limit=10, clock=clock)
    assert inherited_deadline() == 15
    attempt = retrying.begin_attempt(clock(), 6)
    assert inherited_deadline() == 6
    attempt.end(None)
    attempt = retrying.begin_attempt(deadline=60)
    assert inherited_deadline() == 15
    attempt.end(None)
    retrying.end(None)
    assert inherited_deadline() == math.inf
    assert attribute(recorded, "retry price", "resilience.deadline") == 10
    limits = [(span.attributes or {}).get("resilience.timeout.limit") for span in recorded.spans()]
    assert limits == [None, 1.0, 1.0]


def test_in_a_thread_it_belongs_to_what_awaits_it() -> None:
    """Span, name of the workflow, deadline and report are those of the task; its clock is the loop's."""
    answers = iter([OSError("busy"), None])

    def call() -> None:
        retrying = Retrying(RetrySpans(STOCK))
        assert retrying.clock is time.monotonic
        assert 0 < inherited_deadline() - time.monotonic() <= 60
        for answer in answers:
            retrying.begin_attempt().end(answer)
        retrying.end(None)

    async def main() -> int:
        async with workflow("checkout"), deadline(60), step(PRICE):
            report = await settle(asyncio.to_thread, call)
            return report.attempts

    with recording(time_ns=time.time_ns) as recorded:
        assert asyncio.run(main()) == 2
    assert recorded.outline() == (
        "workflow checkout\n  task price\n    retry stock\n      attempt stock\n      attempt stock\n"
    )
    assert (
        value_of(
            recorded,
            "resilience_operation_attempts_sum",
            workflow="checkout",
            operation="stock",
            outcome="success",
        )
        == 2
    )


def test_calls_share_what_does_not_change() -> None:
    """Attributes of an attempt are built once per number, but not kept for ever more numbers."""
    fetch = Operation("fetch", workflow="docs")
    spans = RetrySpans(fetch)
    assert spans.attributes_of_attempt(fetch, 2) is spans.attributes_of_attempt(fetch, 2)
    assert spans.attributes_of_attempt(fetch, 999) is not spans.attributes_of_attempt(fetch, 999)
    assert spans.attributes_of_attempt(fetch, 999)[semconv.ATTEMPT_NUMBER] == 999


def test_what_spans_say_is_built_once_for_all_calls_and_kept_for_the_first_32_attempts() -> None:
    spans = RetrySpans(PRICE, 3, 1.5)
    assert spans.attributes(PRICE) is spans.attributes(PRICE)
    assert spans.attributes(STOCK) != spans.attributes(PRICE)
    assert spans.attributes_of_attempt(PRICE, 32) is spans.attributes_of_attempt(PRICE, 32)
    assert spans.attributes_of_attempt(PRICE, 33) is not spans.attributes_of_attempt(PRICE, 33)


def test_a_limit_below_a_second_is_said_as_it_is(recorded: Recorded, clock: FakeClock) -> None:
    Retrying(RetrySpans(PRICE), limit=0.5, clock=clock).end(None)
    assert attribute(recorded, "retry price", semconv.DEADLINE) == 0.5


def test_an_attempt_after_no_wait_waited_for_nothing_and_its_delay_is_the_policys(
    recorded: Recorded, clock: FakeClock
) -> None:
    retrying = Retrying(RetrySpans(PRICE), clock=clock)
    busy = OSError("busy")
    retrying.begin_attempt().end(busy)
    retrying.announce(busy, 0.0)
    retrying.begin_attempt().end(None)
    retrying.end(None)
    second = spans_named(recorded, "attempt price")[1]
    assert (second.attributes or {})[semconv.ATTEMPT_BACKOFF] == 0.0
    assert attribute(recorded, "retry price", semconv.RETRY_ATTEMPTS) == 2
    (event,) = named(recorded, "retry price").events
    assert (event.attributes or {})[semconv.RETRY_DELAY_SOURCE] == "policy"


def test_an_attempt_began_when_its_caller_says(recorded: Recorded, clock: FakeClock) -> None:
    retrying = Retrying(RetrySpans(PRICE), clock=clock)
    clock.now = 5
    attempt = retrying.begin_attempt(started=3)
    with recorded.changes() as changes:
        attempt.end(None)
    (taken,) = (
        each for name, each in changes.items() if name.startswith("resilience_attempt_duration_seconds_sum")
    )
    assert taken == 2
    retrying.end(None)


def test_what_runs_in_a_wait_is_no_part_of_it(recorded: Recorded, clock: FakeClock) -> None:
    """The wait is of nobody's code; what its caller does meanwhile is below the retry."""
    retrying = Retrying(RetrySpans(PRICE), clock=clock)
    with pytest.raises(AssertionError, match=r"^no wait has begun$"):
        retrying.end_wait()
    retrying.begin_attempt().end(OSError("busy"))
    retrying.begin_wait(1)
    Retrying(RetrySpans(STOCK), clock=clock).end(None)
    retrying.end_wait()
    retrying.end(None)
    assert recorded.outline() == "retry price\n  attempt price\n  backoff price\n  retry stock\n"
    wait = named(recorded, "backoff price")
    assert (wait.attributes or {})[semconv.RETRY_DELAY_SOURCE] == "policy"


def test_a_wait_that_ends_badly_says_so_itself(recorded: Recorded, clock: FakeClock) -> None:
    """A cancel's event and link are the retry's; an error is recorded also if another wait had the same."""
    broken = OSError("no clock")
    around = Scope(workflow="checkout")
    for error in (broken, broken, asyncio.CancelledError("enough")):
        other = Retrying(RetrySpans(STOCK), clock=clock)
        for each in (retrying := Retrying(RetrySpans(PRICE), clock=clock), other):
            each.begin_wait(1)
        clock.sleep(1)
        other.end(error)
        retrying.end(error)
    around.leave()
    first, second, cancelled = spans_named(recorded, "backoff price")
    for span in (first, second):
        assert [event.name for event in span.events] == ["exception"]
        assert (span.status.status_code.name, span.status.description) == ("ERROR", "no clock")
        assert (span.attributes or {})[semconv.OUTCOME] == "error"
    assert (cancelled.events, cancelled.links, cancelled.status.status_code.name) == ((), (), "UNSET")
    assert (cancelled.attributes or {})[semconv.CANCEL_REASON] == "enough"
