"""The usual slips: a TypeError, at once, that says what is wanted and shows the right line."""

import asyncio
import copy
import functools
import pickle
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from unittest.mock import AsyncMock

import pytest

from retryscope import (
    CancelRequest,
    Operation,
    RetryBudget,
    RetryPolicy,
    cancel_on_exit,
    cancellable,
    cleanup,
    gather,
    request_cancel,
    retry,
    settle,
    step,
    timeout,
)
from retryscope._core.awaitables import NotAwaitableError
from retryscope.adapters.aiohttp_server import server_middleware
from tests.support.clock import run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, value_of


async def fetch() -> int:
    return 1


async def pages() -> Any:
    yield 1


def lines() -> Any:
    yield 1


def plain() -> int:
    raise AssertionError("it was called")


class Unshowable:
    def __repr__(self) -> str:
        raise AttributeError("not connected")


class Client:
    async def get(self) -> int:
        return 1

    def parse(self) -> int:
        raise AssertionError("it was called")

    async def __call__(self) -> int:
        return 1


SLIPS: dict[str, tuple[Callable[[], Any], str]] = {
    "@retry": (lambda: retry(fetch), r"write @retry\(OPERATION\) on fetch, not @retry"),  # type: ignore[arg-type]
    "retry('price')": (
        lambda: retry("price"),  # type: ignore[arg-type]
        r"^retry takes an Operation first, got 'price': .* Operation\('price'\)",
    ),
    "retry(PRICE, 5)": (lambda: retry(PRICE, 5), "a RetryPolicy second, got 5"),  # type: ignore[arg-type]
    "budget": (lambda: retry(PRICE, budget=3), "a RetryBudget as its budget, got 3"),  # type: ignore[arg-type]
    "a seed for a source": (lambda: retry(PRICE, rng=42), "a random.Random as its rng, got 42"),  # type: ignore[arg-type]
    "timeout": (lambda: timeout("price", 5), "timeout takes an Operation first"),  # type: ignore[arg-type]
    "timeout's name": (lambda: timeout(PRICE, 5, name=7), "timeout name must be a str, got 7"),  # type: ignore[arg-type]
    "step": (lambda: step(None), "step takes an Operation first, got None"),  # type: ignore[arg-type]
    "a generator": (lambda: retry(PRICE)(pages), r"the generator pages \(.*test_misuse.py:\d+\)"),
    "a sync generator": (lambda: retry(PRICE)(lines), r"the generator lines"),
    "what cannot be shown": (lambda: timeout(PRICE, Unshowable()), "got <Unshowable that can't be shown>"),  # type: ignore[arg-type]
    "a plain function": (lambda: retry(PRICE)(plain), r"plain \(.*test_misuse.py:\d+\) is not one"),  # type: ignore[arg-type]
    "a plain method": (lambda: retry(PRICE)(Client().parse), r"Client.parse \(.*:\d+\) is not one"),  # type: ignore[arg-type]
    "a partial of one": (lambda: retry(PRICE)(functools.partial(plain)), r"plain \(.*:\d+\) is not one"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_a_type_error_where_it_is_made(slip: str) -> None:
    make, says = SLIPS[slip]
    with pytest.raises(TypeError, match=says):
        make()


INSIDE: dict[str, tuple[Callable[[], Any], str]] = {
    "a list": (lambda: gather(PRICE, [fetch, fetch]), "^gather takes a mapping of names .* got list .*fetch"),  # type: ignore[arg-type]
    "a number for a name": (lambda: gather(PRICE, {1: fetch}), "names that are str, got 1"),  # type: ignore[dict-item]
    "a generator": (lambda: gather(PRICE, {"a": pages}), "the generator pages"),
    "a tuple for reports": (lambda: gather(PRICE, {"a": fetch}, reports=()), r"a list of reports, got \(\)"),  # type: ignore[arg-type]
    "no operation": (lambda: gather("price", {"a": fetch}), "gather takes an Operation first"),  # type: ignore[arg-type]
    "cleanup": (lambda: cleanup("price", fetch), "cleanup takes an Operation first"),  # type: ignore[arg-type]
    "a generator to call": (lambda: retry(PRICE).call(pages), "the generator pages"),
}


@pytest.mark.parametrize("slip", INSIDE)
def test_nothing_has_started_then(slip: str, recorded: Recorded) -> None:
    make, says = INSIDE[slip]

    async def main() -> int:
        with pytest.raises(TypeError, match=says):
            await make()
        return len(asyncio.all_tasks())

    assert run(main()) == 1
    assert recorded.spans() == []


def test_a_task_is_not_started_for_a_slip(recorded: Recorded) -> None:
    async def main() -> int:
        with pytest.raises(TypeError, match="cancellable takes an Operation first"):
            _ = cancellable("price", fetch)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="cancellable name must be a str"):
            _ = cancellable(PRICE, fetch, name=7)  # type: ignore[arg-type]
        return len(asyncio.all_tasks())

    assert run(main()) == 1


def test_reports_that_are_filled_already_get_the_new_ones_behind_them(recorded: Recorded) -> None:
    """Also with ``fail_fast``: nothing is started before all is checked."""
    reports: list[Any] = ["of another"]
    run(gather(PRICE, {"a": fetch}, fail_fast=True, reports=reports))
    assert [getattr(each, "name", each) for each in reports] == ["of another", "a"]


def test_what_returns_an_awaitable_can_be_called_but_not_decorated(recorded: Recorded) -> None:
    def made() -> Any:
        return fetch()

    with pytest.raises(TypeError, match=r"retry\(\.\.\.\)\.call"):
        retry(PRICE)(made)
    assert run(retry(PRICE).call(made)) == 1
    with pytest.raises(NotAwaitableError, match=r"<lambda> \(.*\) returned 5"):
        run(retry(PRICE).call(lambda: 5))  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    "fn",
    [
        fetch,
        Client().get,
        Client(),
        functools.partial(fetch),
        functools.wraps(fetch)(lambda: fetch()),
        AsyncMock(return_value=1),
        retry(PRICE)(fetch),
    ],
    ids=["function", "method", "object", "partial", "wrapped", "mock", "retried"],
)
def test_whatever_is_async_is_taken(fn: Any, recorded: Recorded) -> None:
    assert run(retry(PRICE)(fn)()) == 1


async def never(error: Exception) -> bool:
    return False


@pytest.mark.parametrize("predicate", [never, functools.partial(never)])
def test_an_async_predicate_is_refused_where_the_policy_is_built(predicate: Any) -> None:
    with pytest.raises(
        TypeError, match=r"retry_on must be a plain function, not an async one: .*<function never"
    ):
        RetryPolicy(retry_on=predicate)


def test_one_that_turns_out_to_be_async_is_refused_when_it_answers(recorded: Recorded) -> None:
    """It would always be true."""

    async def fail() -> None:
        raise OSError

    policy = RetryPolicy(retry_on=lambda error: never(error))  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="retry_on must be a plain function"):
        run(retry(PRICE, policy).call(fail))
    assert recorded.outline().count("attempt") == 1


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301  (its own)


COPIES = pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])


@COPIES
def test_a_copied_operation_is_the_same_object(duplicate: Callable[[Any], Any]) -> None:
    """It is a name."""
    assert duplicate(PRICE) is PRICE
    assert duplicate({"of": PRICE})["of"] is PRICE
    assert duplicate(Operation("bare")) is Operation("bare")


@COPIES
def test_a_copied_policy_is_an_equal_one(duplicate: Callable[[Any], Any]) -> None:
    policy = RetryPolicy(max_attempts=7, retry_on=(OSError,), deadline=3)
    assert duplicate(policy) == policy


@COPIES
def test_a_copied_retry_works_as_this_one(duplicate: Callable[[Any], Any], recorded: Recorded) -> None:
    budget = RetryBudget(capacity=3)
    copied = duplicate(retry(PRICE, RetryPolicy(max_attempts=7), budget=budget))
    assert (copied.operation, copied.policy.max_attempts) == (PRICE, 7)
    assert copied.rng is retry(PRICE).rng
    assert (copied.budget is budget) == (duplicate is not pickled)
    assert copied.budget.tokens == 3
    assert run(copied.call(fetch)) == 1
    seeded = duplicate(retry(PRICE, rng=random.Random(7)))
    assert seeded.rng.random() == random.Random(7).random()


CANCELS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a message for a cause": (
        lambda running: running.cancel("too slow"),
        "one of request, .* got 'too slow'",
    ),
    "an error for a reason": (lambda running: running.cancel(reason=OSError()), "reason .* must be a str"),
    "no span": (lambda running: request_cancel(running.task, by="span"), "SpanContext of a span, got 'span'"),  # type: ignore[arg-type]
    "a handle": (lambda running: request_cancel(running), "takes an asyncio task, got <.*CancellableTask"),
    "one of one's own": (lambda running: running.task.cancel(CancelRequest("bored")), "got 'bored'"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("slip", CANCELS)
def test_a_cancel_that_nobody_could_count_is_refused_where_it_is_asked_for(
    slip: str, recorded: Recorded
) -> None:
    """Else whoever is cancelled would end by an error of the telemetry's, and stay in flight for ever."""
    cancel, says = CANCELS[slip]

    async def main() -> bool:
        running = cancellable(PRICE, asyncio.sleep, 60)
        await asyncio.sleep(0)
        with pytest.raises((TypeError, ValueError), match=says):
            cancel(running)
        running.cancel()
        await asyncio.wait([running.task])
        return running.task.cancelled()

    assert run(main())
    assert value_of(recorded, "resilience_operations_in_flight", operation="price") == 0


COROUTINES: dict[str, Callable[[], Any]] = {
    "settle": lambda: settle(fetch()),  # type: ignore[arg-type]
    "gather": lambda: gather(PRICE, {"a": fetch(), "b": fetch()}),  # type: ignore[dict-item]
    "gather, the second": lambda: gather(PRICE, {"a": fetch, "b": fetch()}),  # type: ignore[dict-item]
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("slip", COROUTINES)
def test_coroutine_objects_are_refused_and_closed(slip: str, recorded: Recorded) -> None:
    """Not awaited, they would warn, each, above the line that is wrong."""

    async def main() -> None:
        await COROUTINES[slip]()

    with pytest.raises(TypeError, match="not the coroutine object fetch"):
        run(main())


@pytest.mark.parametrize("fn", [5, None, "fetch", pages], ids=lambda each: type(each).__name__)
def test_settle_reports_no_slip_of_its_caller(fn: Any, recorded: Recorded) -> None:
    async def main() -> None:
        await settle(fn)

    with pytest.raises(TypeError, match="settle takes an async function"):
        run(main())


@pytest.mark.filterwarnings("error")
def test_cancellable_needs_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        _ = cancellable(PRICE, fetch)


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        ("a task", r"tasks made by cancellable\(\), got <.*Task"),
        ("a handle", "a collection of cancellable tasks, got <.*CancellableTask"),
        ("a generator", "a collection of cancellable tasks, got <generator"),
        ("nothing", "a collection of cancellable tasks, got None"),
    ],
)
def test_cancel_on_exit_refuses_other_tasks_before_the_block(
    what: str, shown: str, recorded: Recorded
) -> None:
    async def main() -> None:
        handle = cancellable(PRICE, asyncio.sleep, 60)
        tasks: dict[str, Any] = {
            "a task": [handle.task],
            "a handle": handle,
            "a generator": (each for each in [handle]),
            "nothing": None,
        }
        with pytest.raises(TypeError, match=rf"^cancel_on_exit takes {shown}"):
            cancel_on_exit(tasks[what])
        handle.cancel()

    run(main())


@pytest.mark.parametrize("error", [None, OSError("the block's")])
def test_one_that_the_block_adds_is_told_at_its_end_once_the_others_are_stopped(
    error: Exception | None, recorded: Recorded
) -> None:
    async def main() -> tuple[Any, bool]:
        tasks: list[Any] = [cancellable(PRICE, asyncio.sleep, 60)]
        other = asyncio.create_task(asyncio.sleep(60))
        try:
            async with cancel_on_exit(tasks):
                tasks.append(other)
                await asyncio.sleep(1)
                if error is not None:
                    raise error
        except (OSError, TypeError) as raised:
            return type(raised), tasks[0].done()
        finally:
            other.cancel()
        return None, False

    assert run(main()) == (TypeError if error is None else OSError, True)


@pytest.mark.parametrize("name", ["capacity", "earn_per_success"])
@pytest.mark.parametrize("value", ["1", True, None, Decimal(1)])
def test_a_budget_takes_numbers(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"^RetryBudget {name} must be a number, got"):
        RetryBudget(**{name: value})


@pytest.mark.parametrize("fn", [fetch, plain, pages])
def test_a_static_method_is_refused_where_it_is_decorated(fn: Any) -> None:
    """What is below it would get the instance as well."""
    with pytest.raises(TypeError, match=r"write @staticmethod above @retry|the generator pages"):
        retry(PRICE)(staticmethod(fn))


def test_a_class_is_no_async_function() -> None:
    with pytest.raises(TypeError, match="the class Client makes no awaitables"):
        retry(PRICE)(Client)  # type: ignore[arg-type]


class OwnRetry(retry):
    pass


class OwnBudget(RetryBudget):
    pass


@pytest.mark.parametrize("own", [OwnRetry(PRICE), OwnBudget()], ids=["retry", "budget"])
@COPIES
def test_a_copy_of_a_subclass_is_of_that_class(own: Any, duplicate: Callable[[Any], Any]) -> None:
    assert type(duplicate(own)) is type(own)


def test_one_untraced_route_is_not_taken_for_its_letters() -> None:
    with pytest.raises(TypeError, match=r"a set of routes, as \{'/metrics'\}"):
        server_middleware(untraced="/metrics")
