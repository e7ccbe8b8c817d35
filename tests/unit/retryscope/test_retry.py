"""The retry primitive: attempts, waits, giving up, and what becomes of cancels."""

import asyncio
import logging
import random
import signal
from collections.abc import Mapping
from textwrap import dedent
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from retryscope import (
    NotAwaitableError,
    RetryPolicy,
    deadline,
    request_cancel,
    retry,
    settle,
    step,
    timeout,
    workflow,
)
from tests.support.clock import EPOCH_NS, pass_time, run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import (
    PRICE,
    STOCK,
    Script,
    attribute,
    failer,
    named,
    sleeper,
    spans_named,
    value_of,
)

STEADY = RetryPolicy(max_attempts=4, base_delay=1, jitter="none")


class BusyError(Exception):
    """A server's 503."""

    def __init__(self, retry_after: str) -> None:
        super().__init__("busy")
        self.headers: Mapping[str, str] = {"Retry-After": retry_after}


def test_a_retry_that_succeeds_later_is_a_success_and_its_failed_attempts_are_errors(
    recorded: Recorded,
) -> None:
    """The whole tree and every metric: two failures, a doubling wait, then the value."""
    with recorded.changes() as changes:
        assert (
            run(retry(PRICE, STEADY).call(Script(ConnectionError("a"), ConnectionError("b"), 499, takes=0.5)))
            == 499
        )
    assert recorded.tree() == dedent("""\
        retry price [0..4.5]
          . resilience.operation = price
          . resilience.outcome = success
          . resilience.retry.attempts = 3
          . resilience.retry.backoff = 3
          . resilience.retry.max_attempts = 4
          . resilience.workflow = checkout
          ! resilience.retry.scheduled [0.5] resilience.attempt.number=2, resilience.retry.delay=1, resilience.retry.delay_source=policy
          ! resilience.retry.scheduled [2] resilience.attempt.number=3, resilience.retry.delay=2, resilience.retry.delay_source=policy
          attempt price [0..0.5] ERROR 'a'
            . error.type = ConnectionError
            . resilience.attempt.number = 1
            . resilience.operation = price
            . resilience.outcome = error
            . resilience.workflow = checkout
            ! exception [0.5] exception.message=a, exception.type=ConnectionError
          backoff price [0.5..1.5]
            . resilience.operation = price
            . resilience.outcome = success
            . resilience.retry.delay = 1
            . resilience.retry.delay_source = policy
            . resilience.workflow = checkout
          attempt price [1.5..2] ERROR 'b'
            . error.type = ConnectionError
            . resilience.attempt.backoff = 1
            . resilience.attempt.number = 2
            . resilience.operation = price
            . resilience.outcome = error
            . resilience.workflow = checkout
            ! exception [2] exception.message=b, exception.type=ConnectionError
          backoff price [2..4]
            . resilience.operation = price
            . resilience.outcome = success
            . resilience.retry.delay = 2
            . resilience.retry.delay_source = policy
            . resilience.workflow = checkout
          attempt price [4..4.5]
            . resilience.attempt.backoff = 2
            . resilience.attempt.number = 3
            . resilience.operation = price
            . resilience.outcome = success
            . resilience.workflow = checkout
        """)  # noqa: E501
    price = 'operation="price", outcome="success", workflow="checkout"'
    failed = 'operation="price", outcome="error", workflow="checkout"'
    assert changes == {
        f"resilience_operation_duration_seconds_count{{{price}}}": 1,
        f"resilience_operation_duration_seconds_sum{{{price}}}": 4.5,
        f"resilience_operation_attempts_count{{{price}}}": 1,
        f"resilience_operation_attempts_sum{{{price}}}": 3,
        f"resilience_attempts_total{{{price}}}": 1,
        f"resilience_attempt_duration_seconds_count{{{price}}}": 1,
        f"resilience_attempt_duration_seconds_sum{{{price}}}": 0.5,
        f"resilience_attempt_duration_seconds_count{{{failed}}}": 2,
        f"resilience_attempt_duration_seconds_sum{{{failed}}}": 1,
        'resilience_attempts_total{error_type="ConnectionError", operation="price", outcome="error",'
        ' workflow="checkout"}': 2,
        'resilience_backoff_duration_seconds_count{operation="price", workflow="checkout"}': 2,
        'resilience_backoff_duration_seconds_sum{operation="price", workflow="checkout"}': 3,
    }


def test_an_exhausted_retry_raises_the_last_error_itself(recorded: Recorded) -> None:
    """``except`` clauses keep working; the exception is recorded on the attempts, not again above them."""
    errors = [ConnectionError("a"), ConnectionError("b"), ConnectionError("c"), ConnectionError("d")]

    async def main() -> None:
        async with step(STOCK):
            await retry(PRICE, STEADY).call(Script(*errors))

    with recorded.changes() as changes, pytest.raises(ConnectionError, match="d") as raised:
        run(main())
    assert raised.value is errors[-1]
    top = named(recorded, "retry price")
    assert (top.status.status_code, top.status.description) == (StatusCode.ERROR, "d")
    assert attribute(recorded, "retry price", "resilience.outcome") == "exhausted"
    assert attribute(recorded, "retry price", "resilience.retry.giveup_reason") == "max_attempts"
    assert attribute(recorded, "retry price", "error.type") == "ConnectionError"
    assert attribute(recorded, "task stock", "resilience.outcome") == "exhausted"
    recorders = [span.name for span in recorded.spans() for event in span.events if event.name == "exception"]
    assert recorders == ["attempt price"] * 4
    assert (
        changes[
            'resilience_retry_giveups_total{operation="price", reason="max_attempts", workflow="checkout"}'
        ]
        == 1
    )
    assert (
        changes[
            'resilience_operation_attempts_sum{operation="price", outcome="exhausted", workflow="checkout"}'
        ]
        == 4
    )


def test_one_exception_instance_raised_by_every_attempt_is_recorded_by_every_attempt(
    recorded: Recorded,
) -> None:
    """Each is a failure of its own, at its own time."""
    with pytest.raises(ConnectionError, match="same"):
        run(retry(PRICE, STEADY).call(failer(ConnectionError("same"), after=0.1)))
    assert [len(span.events) for span in spans_named(recorded, "attempt price")] == [1, 1, 1, 1]


def test_an_error_that_the_policy_does_not_retry_is_an_error_at_once(recorded: Recorded) -> None:
    """Outcome error, reason non_retryable, no wait."""
    script = Script(KeyError("sku"))
    with recorded.changes() as changes, pytest.raises(KeyError):
        run(retry(PRICE, RetryPolicy(retry_on=(ConnectionError,))).call(script))
    assert script.calls == 1
    assert attribute(recorded, "retry price", "resilience.outcome") == "error"
    assert attribute(recorded, "retry price", "resilience.retry.giveup_reason") == "non_retryable"
    assert (
        changes[
            'resilience_retry_giveups_total{operation="price", reason="non_retryable", workflow="checkout"}'
        ]
        == 1
    )
    assert value_of(recorded, "resilience_operation_duration_seconds_count", outcome="error") == 1


def test_an_error_in_the_function_that_decides_is_raised_and_ends_the_spans(recorded: Recorded) -> None:
    """A bug in ``retry_on`` is the caller's to see."""

    def decide(error: Exception) -> bool:
        raise RuntimeError("a bug in retry_on")

    with pytest.raises(RuntimeError, match="a bug in retry_on"):
        run(retry(PRICE, RetryPolicy(retry_on=decide)).call(Script(ConnectionError())))
    assert attribute(recorded, "retry price", "error.type") == "RuntimeError"
    assert value_of(recorded, "resilience_operations_in_flight") == 0


def test_a_decorated_function_keeps_its_name_and_its_arguments(recorded: Recorded) -> None:
    """One retry object serves any number of concurrent calls, each with spans of its own."""

    @retry(PRICE, STEADY)
    async def fetch(sku: str, *, cents: int) -> str:
        """Fetch."""
        await asyncio.sleep(1)
        return f"{sku}={cents}"

    async def main() -> list[str]:
        return list(await asyncio.gather(fetch("a", cents=1), fetch("b", cents=2)))

    assert run(main()) == ["a=1", "b=2"]
    assert (fetch.__name__, fetch.__doc__) == ("fetch", "Fetch.")
    assert recorded.outline() == "retry price\n  attempt price\n" * 2


# What is called


@pytest.mark.parametrize("through", ["call", "decorator"])
def test_a_coroutine_object_is_refused_with_a_clear_type_error(recorded: Recorded, through: str) -> None:
    """asyncio.md 21: a coroutine can be awaited once; it is closed, so no second warning hides the error."""

    async def main() -> None:
        coroutine: Any = asyncio.sleep(1)
        with pytest.raises(
            TypeError, match=r"retry takes an async function, not the coroutine object sleep\(\.\.\.\)"
        ):
            await (retry(PRICE).call(coroutine) if through == "call" else retry(PRICE)(coroutine)())
        assert coroutine.cr_frame is None

    run(main())
    assert recorded.spans() == []


def test_what_cannot_be_called_is_refused(recorded: Recorded) -> None:
    """Before anything is counted."""
    with pytest.raises(TypeError, match="retry takes an async function, got 'fetch'"):
        run(retry(PRICE).call("fetch"))  # type: ignore[arg-type]
    assert recorded.spans() == []


def test_a_sync_function_is_called_once_and_refused(recorded: Recorded) -> None:
    """Its side effects must not happen again and again."""
    calls = []

    def fetch() -> int:
        calls.append(1)
        return 1

    with pytest.raises(NotAwaitableError, match=r"an async function is needed, but .*fetch.* returned 1"):
        run(retry(PRICE, STEADY).call(fetch))  # type: ignore[arg-type]
    assert len(calls) == 1
    assert attribute(recorded, "retry price", "resilience.retry.giveup_reason") == "non_retryable"


def test_any_awaitable_will_do(recorded: Recorded) -> None:
    """A function may return a future."""

    async def main() -> str:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[str] = loop.create_future()
        future.set_result("done")
        return await retry(PRICE).call(lambda: future)

    assert run(main()) == "done"


def test_outside_a_task_retry_says_so() -> None:
    """Driving the coroutine by hand inside a callback has no task to cancel."""

    async def main() -> BaseException | None:
        loop = asyncio.get_running_loop()
        raised: asyncio.Future[BaseException | None] = loop.create_future()

        def callback() -> None:
            try:
                retry(PRICE).call(sleeper(1)).send(None)
            except BaseException as error:  # whatever it is: it is waited for
                raised.set_result(error)

        loop.call_soon(callback)
        return await raised

    assert repr(run(main())) == "RuntimeError('retry should be used inside a task')"


# Delays


def test_delays_grow_by_the_factor_up_to_the_cap_and_jitter_comes_after_it(recorded: Recorded) -> None:
    """asyncio.md 16: the draws of an injected random source, between 0 and min(cap, base * factor**n)."""
    policy = RetryPolicy(max_attempts=6, base_delay=1, backoff_factor=3, max_delay=10)
    with pytest.raises(ConnectionError):
        run(retry(PRICE, policy, rng=random.Random(7)).call(failer(ConnectionError())))
    drawn = random.Random(7)
    expected = [drawn.uniform(0, bound) for bound in (1, 3, 9, 10, 10)]
    spans = spans_named(recorded, "backoff price")
    assert [(span.attributes or {})["resilience.retry.delay"] for span in spans] == expected


@pytest.mark.parametrize(
    ("asked", "policy", "delay", "source"),
    [
        ("5", RetryPolicy(base_delay=1, jitter="none"), 5, "retry_after"),
        ("Tue, 14 Nov 2023 22:13:28 GMT", RetryPolicy(base_delay=1, jitter="none"), 8, "retry_after"),
        ("1", RetryPolicy(base_delay=4, jitter="none"), 4, "policy"),
        ("4", RetryPolicy(base_delay=4, jitter="none"), 4, "policy"),
        ("3600", RetryPolicy(base_delay=1, jitter="none", max_retry_after=20), 20, "retry_after"),
        ("5", RetryPolicy(base_delay=1, jitter="none", max_retry_after=0), 1, "policy"),
        ("soon", RetryPolicy(base_delay=1, jitter="none"), 1, "policy"),
    ],
    ids=["seconds", "date", "own is longer", "as long", "capped", "ignored", "nonsense"],
)
def test_retry_after_lengthens_the_delay(
    recorded: Recorded, asked: str, policy: RetryPolicy, delay: float, source: str
) -> None:
    """asyncio.md 19: seconds or HTTP-date; the longer of own and server's; capped."""
    assert EPOCH_NS == 1_700_000_000 * 10**9  # which is 22:13:20, 8 seconds before the date
    assert run(retry(PRICE, policy).call(Script(BusyError(asked), "done"))) == "done"
    backoff = named(recorded, "backoff price")
    assert backoff.attributes is not None
    assert backoff.attributes["resilience.retry.delay"] == delay
    assert backoff.attributes["resilience.retry.delay_source"] == source
    (scheduled,) = named(recorded, "retry price").events
    assert (scheduled.attributes or {})["resilience.retry.delay_source"] == source


def test_a_retry_after_past_the_deadline_gives_up_at_once(recorded: Recorded) -> None:
    """asyncio.md 19: obeyed, but within the deadline: waiting for nothing helps nobody."""

    async def main() -> float:
        policy = RetryPolicy(base_delay=1, jitter="none", deadline=4)
        with pytest.raises(BusyError):
            await retry(PRICE, policy).call(Script(BusyError("5"), "never"))
        return asyncio.get_running_loop().time()

    assert run(main()) == 0
    assert attribute(recorded, "retry price", "resilience.retry.giveup_reason") == "deadline"


def test_a_wait_of_zero_still_yields_and_is_recorded(recorded: Recorded) -> None:
    """``base_delay=0``: the loop gets its turn between attempts."""
    assert run(retry(PRICE, RetryPolicy(base_delay=0)).call(Script(ConnectionError(), "done"))) == "done"
    assert len(spans_named(recorded, "backoff price")) == 1


# Deadlines


@pytest.mark.parametrize("who", ["policy", "around"])
def test_a_retry_never_sleeps_past_its_deadline(recorded: Recorded, who: str) -> None:
    """asyncio.md 18: at 3 s, with the deadline at 7 s, the next wait would be 4 s: it gives up at 3."""

    async def main() -> float:
        policy = RetryPolicy(
            max_attempts=9, base_delay=1, jitter="none", deadline=7 if who == "policy" else 99
        )
        async with deadline(7 if who == "around" else 99):
            with pytest.raises(ConnectionError):
                await retry(PRICE, policy).call(failer(ConnectionError()))
        return asyncio.get_running_loop().time()

    assert run(main()) == 3
    assert attribute(recorded, "retry price", "resilience.outcome") == "exhausted"
    assert attribute(recorded, "retry price", "resilience.retry.giveup_reason") == "deadline"
    assert attribute(recorded, "retry price", "resilience.deadline") == 7


def test_an_attempt_gets_the_shorter_of_its_own_timeout_and_what_is_left(recorded: Recorded) -> None:
    """asyncio.md 15: deadlines are absolute and passed down; 2 s, 2 s, then the 1.5 s that remain of 6."""
    policy = RetryPolicy(
        max_attempts=9, base_delay=0.25, backoff_factor=1, jitter="none", attempt_timeout=2, deadline=6
    )
    with pytest.raises(TimeoutError, match=r"attempt 3 of price timed out after 1\.5 s"):
        run(retry(PRICE, policy).call(sleeper(60)))
    times = [
        ((span.start_time or 0) - EPOCH_NS, (span.end_time or 0) - EPOCH_NS)
        for span in spans_named(recorded, "attempt price")
    ]
    assert [(start / 1e9, end / 1e9) for start, end in times] == [(0, 2), (2.25, 4.25), (4.5, 6)]


def test_the_deadline_that_ends_an_attempt_is_the_operations_own_timeout(recorded: Recorded) -> None:
    """Outcome timeout, error.type timeout; the reason for giving up is the deadline."""
    with recorded.changes() as changes, pytest.raises(TimeoutError):
        run(retry(PRICE, RetryPolicy(max_attempts=1, deadline=2)).call(sleeper(60)))
    assert recorded.tree() == dedent("""\
        retry price [0..2] ERROR 'attempt 1 of price timed out after 2 s'
          . error.type = timeout
          . resilience.deadline = 2
          . resilience.operation = price
          . resilience.outcome = timeout
          . resilience.retry.attempts = 1
          . resilience.retry.backoff = 0
          . resilience.retry.giveup_reason = deadline
          . resilience.retry.max_attempts = 1
          . resilience.workflow = checkout
          ! resilience.timeout [2] resilience.attempt.number=1, resilience.timeout.limit=2
          attempt price [0..2] ERROR 'attempt 1 of price timed out after 2 s'
            . error.type = timeout
            . resilience.attempt.number = 1
            . resilience.operation = price
            . resilience.outcome = timeout
            . resilience.workflow = checkout
        """)
    labels = 'operation="price", outcome="timeout", workflow="checkout"'
    assert changes == {
        f"resilience_operation_duration_seconds_count{{{labels}}}": 1,
        f"resilience_operation_duration_seconds_sum{{{labels}}}": 2,
        f"resilience_operation_attempts_count{{{labels}}}": 1,
        f"resilience_operation_attempts_sum{{{labels}}}": 1,
        f'resilience_attempts_total{{error_type="timeout", {labels}}}': 1,
        f"resilience_attempt_duration_seconds_count{{{labels}}}": 1,
        f"resilience_attempt_duration_seconds_sum{{{labels}}}": 2,
        'resilience_retry_giveups_total{operation="price", reason="deadline", workflow="checkout"}': 1,
    }


def test_an_attempt_that_times_out_is_retried(recorded: Recorded) -> None:
    """The attempt's timeout is an error of the attempt; exhausted if all of them time out."""
    policy = RetryPolicy(max_attempts=2, base_delay=1, jitter="none", attempt_timeout=2)
    with pytest.raises(TimeoutError, match=r"attempt 2 of price timed out after 2 s"):
        run(retry(PRICE, policy).call(sleeper(60)))
    assert attribute(recorded, "retry price", "resilience.outcome") == "exhausted"
    assert attribute(recorded, "retry price", "error.type") == "TimeoutError"
    assert value_of(recorded, "resilience_attempts_total", outcome="timeout", error_type="timeout") == 2
    attempts = [span.attributes or {} for span in spans_named(recorded, "attempt price")]
    assert [repr(each["resilience.timeout.limit"]) for each in attempts] == ["2.0", "2.0"]


def test_a_sockets_timeout_error_is_not_the_attempts_own(recorded: Recorded) -> None:
    """asyncio.md 12: an inner ``TimeoutError`` is an error, recorded with its stack trace."""
    policy = RetryPolicy(max_attempts=1, attempt_timeout=2)
    with pytest.raises(TimeoutError, match="connect"):
        run(retry(PRICE, policy).call(failer(TimeoutError("connect"), after=1)))
    assert attribute(recorded, "attempt price", "resilience.outcome") == "error"
    assert attribute(recorded, "attempt price", "error.type") == "TimeoutError"
    assert [event.name for event in named(recorded, "attempt price").events] == ["exception"]


# Cancellation


@pytest.mark.parametrize("at", [0.5, 1.5], ids=["in an attempt", "in a wait"])
def test_a_cancel_is_never_swallowed_or_retried(recorded: Recorded, at: float) -> None:
    """asyncio.md 4: the task ends cancelled, no stray cancel is left, every span says cancelled."""

    async def main() -> tuple[bool, int]:
        running = asyncio.create_task(retry(PRICE, STEADY).call(failer(ConnectionError(), after=1)))
        await asyncio.sleep(at)
        request_cancel(running, "shutdown")
        await asyncio.wait([running])
        return running.cancelled(), asyncio.current_task().cancelling()  # type: ignore[union-attr]

    with recorded.changes() as changes:
        assert run(main()) == (True, 0)
    last = "attempt price" if at < 1 else "backoff price"
    for name in ("retry price", last):
        assert attribute(recorded, name, "resilience.outcome") == "cancelled"
        assert attribute(recorded, name, "resilience.cancel.cause") == "shutdown"
        assert named(recorded, name).status.status_code is StatusCode.UNSET
    assert (
        changes['resilience_cancellations_total{cause="shutdown", operation="price", workflow="checkout"}']
        == 1
    )
    if at > 1:  # the wait counts as long as it really lasted
        assert (
            changes['resilience_backoff_duration_seconds_sum{operation="price", workflow="checkout"}'] == 0.5
        )


@pytest.mark.parametrize("swallower", ["attempt", "wait"])
def test_a_cancel_that_an_inner_library_swallowed_stops_the_retry(recorded: Recorded, swallower: str) -> None:
    """asyncio.md 8: before sleeping or trying again the retry looks at ``task.cancelling()``."""
    calls = 0

    async def swallows() -> None:
        nonlocal calls
        calls += 1
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            raise ConnectionError("connection closed") from None

    async def main() -> tuple[bool, float]:
        running = asyncio.create_task(retry(PRICE, STEADY).call(swallows))
        await asyncio.sleep(5)
        running.cancel()
        await asyncio.wait([running])
        return running.cancelled(), asyncio.get_running_loop().time()

    async def cancelled_behind_our_back() -> tuple[bool, float]:
        # The cancel reaches the wait through a sleep that ends in the same turn of the loop.
        async def fails() -> None:
            nonlocal calls
            calls += 1
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_later(1, task.cancel)
            raise ConnectionError

        running = asyncio.create_task(retry(PRICE, STEADY).call(fails))
        await asyncio.wait([running])
        return running.cancelled(), asyncio.get_running_loop().time()

    if swallower == "attempt":
        assert run(main()) == (True, 5)
    else:
        assert run(cancelled_behind_our_back()) == (True, 1)
    assert calls == 1
    assert attribute(recorded, "retry price", "resilience.outcome") == "cancelled"


def test_a_cancel_swallowed_by_a_patched_sleep_stops_the_retry(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncio.md 8: also where the wait itself comes back although it was cancelled."""
    real_sleep = asyncio.sleep

    async def sleep(delay: float) -> None:
        try:
            await real_sleep(delay)
        except asyncio.CancelledError:
            return

    async def main() -> bool:
        script = Script(ConnectionError(), "never")
        running = asyncio.create_task(retry(PRICE, STEADY).call(script))
        await real_sleep(0.5)
        running.cancel()
        await asyncio.wait([running])
        assert script.calls == 1
        return running.cancelled()

    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert run(main())
    assert attribute(recorded, "retry price", "resilience.outcome") == "cancelled"


def test_a_cancel_that_was_asked_for_in_a_wait_and_has_not_arrived_stops_the_retry(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncio.md 8: it is raised before there is another attempt."""

    async def sleep(delay: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    script = Script(ConnectionError(), "never")
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        run(retry(PRICE, STEADY).call(script))
    assert script.calls == 1


def test_a_retry_in_a_task_that_is_being_cancelled_still_retries(recorded: Recorded) -> None:
    """A cleanup may use retries: only cancels that arrive after its start stop it."""

    async def main() -> object:
        try:
            return await sleeper(10)()
        except asyncio.CancelledError:
            return await retry(PRICE, STEADY).call(Script(ConnectionError(), "released"))

    async def outer() -> object:
        running = asyncio.create_task(main())
        await asyncio.sleep(1)
        running.cancel()
        return await running

    assert run(outer()) == "released"


def test_sigint_is_never_retried(recorded: Recorded) -> None:
    """asyncio.md 9: ``asyncio.run`` cancels the main task once, then raises KeyboardInterrupt."""
    calls = 0

    async def interrupted() -> None:
        nonlocal calls
        calls += 1
        signal.raise_signal(signal.SIGINT)  # to this thread, and not to any of the process
        await asyncio.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        run(retry(PRICE, STEADY).call(interrupted))
    assert calls == 1
    assert recorded.outline() == "retry price\n  attempt price\n"
    assert attribute(recorded, "retry price", "resilience.outcome") == "cancelled"
    assert value_of(recorded, "resilience_operations_in_flight") == 0


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_raised_inside_an_attempt_is_never_retried_and_ends_the_spans(
    recorded: Recorded, kind: type[BaseException]
) -> None:
    """asyncio.md 9: it passes through; the spans name it."""
    script = Script(kind(), "never")
    with pytest.raises(kind):
        run(retry(PRICE, STEADY).call(script))
    assert script.calls == 1
    for name in ("attempt price", "retry price"):
        assert attribute(recorded, name, "resilience.outcome") == "error"
        assert attribute(recorded, name, "error.type") == kind.__name__


def test_a_retry_that_is_torn_down_ends_its_spans(recorded: Recorded) -> None:
    """A coroutine closed from outside (GeneratorExit) leaves nothing open and nobody else's span changed."""

    async def main() -> None:
        coroutine = retry(PRICE, STEADY).call(sleeper(10))
        running = asyncio.create_task(coroutine)
        await asyncio.sleep(1)
        async with workflow("checkout"):
            coroutine.close()
            async with step(STOCK):
                pass
        running.cancel()
        await asyncio.wait([running])
        assert isinstance(running.exception(), RuntimeError)  # it awaited what is closed

    run(main())
    assert recorded.outline() == "retry price\n  attempt price\nworkflow checkout\n  task stock\n"
    assert attribute(recorded, "retry price", "resilience.outcome") == "cancelled"
    assert value_of(recorded, "resilience_operations_in_flight") == 0


# What belongs to what


def test_a_timeout_of_the_same_operation_inside_an_attempt_is_not_an_operation_more(
    recorded: Recorded,
) -> None:
    """The retry counts as the operation; the timeout is part of its attempts."""

    async def limited() -> None:
        async with timeout(PRICE, 1):
            await asyncio.sleep(10)

    with pytest.raises(TimeoutError):
        run(retry(PRICE, RetryPolicy(max_attempts=2, base_delay=1, jitter="none")).call(limited))
    assert value_of(recorded, "resilience_operation_duration_seconds_count") == 1
    assert value_of(recorded, "resilience_attempts_total") == 2
    assert value_of(recorded, "resilience_operation_attempts_sum") == 2


def test_a_retry_inside_a_timeout_of_the_same_operation_counts_its_attempts_there(recorded: Recorded) -> None:
    """The enclosing execution is the operation; its outcome is what is counted."""

    async def main() -> None:
        async with timeout(PRICE, 10):
            await retry(PRICE, STEADY).call(Script(ConnectionError(), ConnectionError(), "done"))

    run(main())
    assert value_of(recorded, "resilience_operation_duration_seconds_count") == 1
    assert value_of(recorded, "resilience_operation_attempts_sum", outcome="success") == 3


def test_the_same_operation_in_a_child_task_is_an_operation_of_its_own(recorded: Recorded) -> None:
    """It runs concurrently, so it is not part of its parent's attempt."""

    async def main() -> None:
        async with step(PRICE):
            await asyncio.create_task(retry(PRICE, STEADY).call(sleeper(1)))

    run(main())
    assert value_of(recorded, "resilience_operation_duration_seconds_count", outcome="success") == 2


def test_a_report_gets_attempts_and_time_waited(recorded: Recorded) -> None:
    """What ``settle`` and ``gather`` hand out."""

    async def fetch() -> object:
        return await retry(PRICE, STEADY).call(Script(ConnectionError(), ConnectionError(), "done"))

    report = run(settle(fetch))
    assert (report.outcome, report.value, report.attempts, report.backoff_seconds) == (
        "success",
        "done",
        3,
        3,
    )


# Logs


def test_each_step_is_logged_at_its_level(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """Attempt failed DEBUG, retry scheduled INFO, gave up WARNING; fields are span attributes."""
    caplog.set_level(logging.DEBUG, "retryscope")
    with pytest.raises(ConnectionError):
        run(
            retry(PRICE, RetryPolicy(max_attempts=2, base_delay=1, jitter="none")).call(
                failer(ConnectionError("busy"))
            )
        )
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "attempt 1 of price failed: busy"),
        ("INFO", "attempt 1 of price failed, trying again in 1 s: busy"),
        ("DEBUG", "attempt 2 of price failed: busy"),
        ("WARNING", "price gave up after 2 attempts (max_attempts): busy"),
    ]


def test_a_non_retryable_error_is_not_logged_as_giving_up(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the caller's to handle: a warning for each would be noise."""
    with pytest.raises(KeyError):
        run(retry(PRICE, RetryPolicy(retry_on=(ConnectionError,))).call(Script(KeyError())))
    assert caplog.records == []


def test_what_was_being_handled_is_no_reason_to_wait(recorded: Recorded) -> None:
    """A fallback is called while another server's answer is handled, the context of its own errors."""

    class BusyError(Exception):
        headers = {"Retry-After": "30"}  # noqa: RUF012

    async def main() -> float:
        try:
            raise BusyError  # noqa: TRY301
        except BusyError:
            with pytest.raises(ConnectionError):
                await retry(PRICE, RetryPolicy(max_attempts=2, base_delay=1, jitter="none")).call(
                    failer(ConnectionError())
                )
        return asyncio.get_running_loop().time()

    assert run(main()) == 1


def test_an_attempt_timeout_below_the_clocks_resolution_ends(recorded: Recorded) -> None:
    async def main() -> int:
        asyncio.get_running_loop().pass_time(1e9)  # type: ignore[attr-defined]
        calls = Script(takes=1)
        with pytest.raises(TimeoutError, match="attempt 3 of price timed out"):
            await retry(PRICE, RetryPolicy(attempt_timeout=1e-12, base_delay=0)).call(calls)
        return calls.calls

    assert run(main()) == 3


def test_at_the_deadline_itself_nothing_is_tried_any_more(recorded: Recorded) -> None:
    """What began then could not even be awaited."""
    script = Script("never")

    async def main() -> None:
        async with deadline(1):
            pass_time(1)
            with pytest.raises(TimeoutError, match=r"^no time is left for price: its deadline has passed$"):
                await retry(PRICE).call(script)

    run(main())
    assert script.calls == 0
    assert attribute(recorded, "retry price", "resilience.outcome") == "timeout"


def test_the_limit_of_an_attempt_that_returned_binds_nobody(recorded: Recorded) -> None:
    async def main() -> float:
        await retry(PRICE, RetryPolicy(attempt_timeout=2)).call(sleeper(1))
        await asyncio.sleep(5)
        return asyncio.get_running_loop().time()

    assert run(main()) == 6
