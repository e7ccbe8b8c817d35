"""`checkout`: an order is settled or compensated, whatever fails and whenever it is cancelled."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine, Generator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, TypeVar

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from retryscope import RetryPolicy
from retryscope_service.operations.database import Database
from retryscope_service.operations.operations import Operations
from retryscope_service.operations.shop.client import ShopError
from retryscope_service.operations.shop.compensation import is_transient, keep_recovering, recover
from retryscope_service.operations.shop.orders import OrderEndedError
from retryscope_service.workflows.checkout import CheckoutParams, NoShopError, run
from retryscope_service.workflows.definition import RunContext
from tests.support.polling import until
from tests.support.recorded import recording
from tests.support.shop import OpenShop, open_shop

T = TypeVar("T")
REAL_LOOP = True
QUICK: dict[str, Any] = {"duration": 0.0, "base_delay": 0.001}
POLICY = RetryPolicy(max_attempts=5, base_delay=0.001, retry_on=is_transient)


@pytest.fixture(autouse=True)
def _recorded() -> Any:
    provider = TracerProvider(shutdown_on_exit=False, resource=Resource.get_empty())
    with recording(provider=provider) as recorded:
        yield recorded


@pytest.fixture
async def shop() -> AsyncIterator[OpenShop]:
    async with Database() as database, open_shop(database) as shop:
        yield shop


async def test_an_order_is_settled(shop: OpenShop) -> None:
    await shop.checkout("x", quantity=3, **QUICK)
    assert await shop.sql("SELECT state, total, charged FROM orders") == [("settled", 3750, 3750)]
    assert await shop.sql("SELECT held, sold FROM stock WHERE sku = 'book'") == [(0, 3)]
    assert await shop.discrepancies() == []
    assert shop.counted() == {"settled": 1}


async def test_what_is_sold_out_compensates_the_order(shop: OpenShop) -> None:
    await shop.sql("UPDATE stock SET on_hand = 0, sold = total")
    with pytest.raises(ExceptionGroup) as failed:
        await shop.checkout("x", **QUICK)
    assert [each.status for each in failed.value.exceptions if isinstance(each, ShopError)] == [409]
    assert await shop.states() == shop.counted() == {"compensated": 1}


async def test_a_run_that_is_delivered_again_after_it_settled_does_nothing_more(shop: OpenShop) -> None:
    await shop.checkout("x", **QUICK)
    await shop.checkout("x", **QUICK)
    assert await shop.sql("SELECT sum(charged) FROM payments") == [(1250,)]
    assert shop.counted() == {"settled": 1}


@pytest.mark.parametrize("done", ["nothing", "held", "paid"])
async def test_a_run_that_is_delivered_again_goes_on_and_charges_once(shop: OpenShop, done: str) -> None:
    """Its first worker was killed after it had done that."""
    await shop.shop.orders.open("x", "book", 1, 60.0)
    if done != "nothing":
        await shop.shop.client.hold("x", "book", 1)
    if done == "paid":
        await shop.shop.client.charge("x", 1250)
    await shop.checkout("x", **QUICK)
    assert await shop.sql("SELECT charged, refunded FROM payments") == [(1250, 0)]
    assert await shop.states() == shop.counted() == {"settled": 1}
    assert await shop.discrepancies() == []


async def test_two_deliveries_at_once_are_one_order(shop: OpenShop) -> None:
    await asyncio.gather(*(shop.checkout("x", **QUICK) for _ in range(3)))
    assert await shop.states() == shop.counted() == {"settled": 1}
    assert await shop.sql("SELECT sum(charged) FROM payments") == [(1250,)]


async def test_a_run_whose_order_was_recovered_meanwhile_says_so(shop: OpenShop) -> None:
    await shop.shop.orders.open("x", "book", 1, -1.0)
    assert await recover(shop.shop, POLICY) == 1
    with pytest.raises(OrderEndedError, match="compensated"):
        await shop.checkout("x", **QUICK)
    assert await shop.states() == shop.counted() == {"compensated": 1}


@pytest.mark.parametrize("done", ["nothing", "held", "paid", "compensating"])
async def test_a_recovery_compensates_what_a_killed_worker_has_left(shop: OpenShop, done: str) -> None:
    await shop.shop.orders.open("x", "book", 1, -1.0)
    if done != "nothing":
        await shop.shop.client.hold("x", "book", 1)
    if done in ("paid", "compensating"):
        await shop.shop.client.charge("x", 1250)
    if done == "compensating":
        await shop.shop.orders.begin_compensation("x")
    assert await recover(shop.shop, POLICY) == 1
    assert await shop.states() == shop.counted() == {"compensated": 1}
    assert await shop.discrepancies() == []


async def test_where_no_other_process_can_have_left_an_order_recovery_begins_with_the_first(
    shop: OpenShop,
) -> None:
    recovering = asyncio.create_task(keep_recovering(shop.shop, alone=True, every=0.001))
    await asyncio.sleep(0)
    await shop.shop.orders.open("x", "book", 1, -1.0)
    await until(shop.states, "it is compensated", lambda states: states == {"compensated": 1})
    recovering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await recovering


async def test_without_a_shop_it_says_what_to_set() -> None:
    """The upstream is elsewhere, and its books are in another database."""
    params = CheckoutParams(seed=1)
    with pytest.raises(NoShopError, match="RETRYSCOPE_DATABASE_URL"):
        await run(params, RunContext(params, Operations(), "x"))


async def test_an_upstream_that_is_dead_leaves_the_order_to_a_recovery(shop: OpenShop) -> None:
    shop.upstream.use(shop.upstream.faults.model_copy(update={"unavailable": 1.0, "retry_after": 0}))
    with pytest.raises(ExceptionGroup):
        await shop.checkout("x", max_attempts=2, **QUICK)
    assert await shop.states() == {"compensating": 1}
    shop.upstream.use(shop.upstream.faults.model_copy(update={"unavailable": 0.0}))
    await shop.sql("UPDATE orders SET lease_until = 0")
    assert await recover(shop.shop, POLICY) == 1
    assert await shop.states() == shop.counted() == {"compensated": 1}
    assert await shop.discrepancies() == []


class Moments:
    """The waits of a run, those of every task that it starts among them; it is cancelled at one of them."""

    def __init__(self, cancel_at: int | None) -> None:
        self._cancel_at = cancel_at
        self.count = 0
        self.run: asyncio.Task[None] | None = None

    def passing(self, coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        """What awaits the coroutine, and passes on what that waits for."""
        step = coroutine.__await__()
        answer: Any = None
        error: BaseException | None = None
        while True:
            try:
                waited_for = step.send(answer) if error is None else step.throw(error)
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                error = None
            if self.count == self._cancel_at and self.run is not None:
                asyncio.get_running_loop().call_soon(self.run.cancel)
            self.count += 1
            try:
                answer = yield waited_for
            except BaseException as thrown:
                answer, error = None, thrown


MOMENTS: ContextVar[Moments | None] = ContextVar("moments", default=None)


class Passing(Awaitable[T]):
    def __init__(self, moments: Moments, coroutine: Coroutine[Any, Any, T]) -> None:
        self._step = moments.passing(coroutine)

    def __await__(self) -> Generator[Any, Any, T]:
        return self._step


def counting(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
    """A task factory: of a run whose moments are counted, they are."""

    async def passed(moments: Moments) -> Any:
        return await Passing(moments, coroutine)

    moments = MOMENTS.get()
    return asyncio.Task(coroutine if moments is None else passed(moments), loop=loop, **options)


async def moments_of(shop: OpenShop, order: str, cancel_at: int | None) -> int:
    """How many waits a checkout had; it may be cancelled at one of them."""
    moments = Moments(cancel_at)
    token = MOMENTS.set(moments)
    try:
        moments.run = asyncio.create_task(shop.checkout(order, **QUICK))
    finally:
        MOMENTS.reset(token)
    with suppress(asyncio.CancelledError):
        await moments.run
    await shop.is_idle()
    return moments.count


async def test_cancelled_at_any_of_its_waits_it_leaves_nothing_behind(shop: OpenShop) -> None:
    """Settled or compensated when the run has ended, and counted as that."""
    asyncio.get_running_loop().set_task_factory(counting)
    await moments_of(shop, "cold", None)
    total, states = await moments_of(shop, "warm", None), dict[str, int]()
    for moment in range(total):
        await moments_of(shop, f"x{moment}", moment)
        assert await shop.discrepancies() == [], f"cancelled at wait {moment} of {total}"
        states = await shop.states()
        assert states.keys() <= {"settled", "compensated"}, f"cancelled at wait {moment} of {total}"
        assert states == shop.counted()
    assert states.keys() == {"settled", "compensated"}
    assert await shop.sql("SELECT sum(held) FROM stock") == [(0,)]
