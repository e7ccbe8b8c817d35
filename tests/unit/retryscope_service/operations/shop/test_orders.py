"""The order's row: one of two ends, written once and counted once."""

import asyncio

import pytest

from retryscope_service.operations.shop.books import Refund, RefusedError
from retryscope_service.operations.shop.orders import OrderEndedError
from tests.unit.retryscope_service.operations.shop.conftest import TestShop

REAL_LOOP = True


async def ready(shop: TestShop, order: str = "x") -> None:
    """An order that can be settled."""
    assert await shop.orders.open(order, "book", 2, 60.0) == "pending"
    await shop.books.hold(order, "book", 2)
    await shop.books.charge(order, 2500)


async def state(shop: TestShop) -> object:
    ((found,),) = await shop.sql("SELECT state FROM orders")
    return found


async def test_a_settled_order_has_its_goods_and_is_paid(shop: TestShop) -> None:
    await ready(shop)
    await shop.orders.settle("x", 2500)
    assert await state(shop) == "settled"
    assert await shop.stock() == (8, 0, 2)
    assert await shop.discrepancies() == []


async def test_an_order_that_is_settled_twice_is_counted_once(shop: TestShop) -> None:
    await ready(shop)
    await asyncio.gather(*(shop.orders.settle("x", 2500) for _ in range(3)))
    assert (shop.counted("settled"), shop.counted("compensated")) == (1, 0)
    assert await shop.stock() == (8, 0, 2)


@pytest.mark.parametrize("lacks", ["hold", "payment"])
async def test_an_order_that_lacks_something_is_not_settled(shop: TestShop, lacks: str) -> None:
    await ready(shop)
    await (shop.books.release("x") if lacks == "hold" else shop.books.refund("x"))
    with pytest.raises(RefusedError):
        await shop.orders.settle("x", 2500)
    assert await state(shop) == "pending"
    assert shop.counted("settled") == 0


async def test_an_order_whose_compensation_has_begun_is_never_settled(shop: TestShop) -> None:
    await ready(shop)
    assert await shop.orders.begin_compensation("x")
    with pytest.raises(OrderEndedError, match="compensating"):
        await shop.orders.settle("x", 2500)


async def test_a_settled_order_is_never_compensated(shop: TestShop) -> None:
    await ready(shop)
    await shop.orders.settle("x", 2500)
    assert not await shop.orders.begin_compensation("x")


async def test_settling_and_compensating_at_once_end_in_one_of_them(shop: TestShop) -> None:
    await ready(shop)
    settled, begun = await asyncio.gather(
        shop.orders.settle("x", 2500), shop.orders.begin_compensation("x"), return_exceptions=True
    )
    assert (settled is None) is not (begun is True)


async def test_a_compensation_that_is_written_twice_is_counted_once(shop: TestShop) -> None:
    await ready(shop)
    await shop.orders.begin_compensation("x")
    await shop.books.release("x")
    refund = await shop.books.refund("x")
    await asyncio.gather(*(shop.orders.compensated("x", refund) for _ in range(3)))
    assert (shop.counted("settled"), shop.counted("compensated")) == (0, 1)
    assert await shop.stock() == (10, 0, 0)
    assert await shop.discrepancies() == []


async def test_there_is_nothing_to_compensate_where_there_is_no_order(shop: TestShop) -> None:
    assert not await shop.orders.begin_compensation("x")


async def test_an_order_that_is_opened_again_says_what_became_of_it(shop: TestShop) -> None:
    await ready(shop)
    assert await shop.orders.open("x", "book", 2, 60.0) == "pending"
    await shop.orders.begin_compensation("x")
    assert await shop.orders.open("x", "book", 2, 60.0) == "compensating"
    await shop.books.release("x")
    await shop.orders.compensated("x", await shop.books.refund("x"))
    assert await shop.orders.open("x", "book", 2, 60.0) == "compensated"


async def test_a_settle_that_is_cancelled_is_counted_if_it_is_written(shop: TestShop) -> None:
    """Whatever the moment: the cancel is raised, and says nothing of the row."""
    for turns in range(30):
        order = f"x{turns}"
        await shop.orders.open(order, "lamp", 1, 60.0)
        settling = asyncio.create_task(shop.orders.settle(order, 1))
        for _ in range(turns):
            await asyncio.sleep(0)
        settling.cancel()
        with pytest.raises((asyncio.CancelledError, RefusedError)):
            await settling
    await ready(shop)
    settling = asyncio.create_task(shop.orders.settle("x", 2500))
    await asyncio.sleep(0)
    settling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await settling
    ((written,),) = await shop.sql("SELECT count(*) FROM orders WHERE state = 'settled'")
    assert shop.counted("settled") == written == 1


async def test_only_orders_whose_lease_is_over_are_taken_and_each_once(shop: TestShop) -> None:
    await shop.orders.open("old", "book", 1, 10.0)
    await shop.orders.open("new", "book", 1, 1000.0)
    assert await shop.orders.take_abandoned(60.0, 10) == []
    shop.clock.now += 20.0
    taken = await asyncio.gather(*(shop.orders.take_abandoned(60.0, 10) for _ in range(3)))
    assert sorted(taken) == [[], [], ["old"]]


async def test_an_order_that_has_ended_is_not_taken(shop: TestShop) -> None:
    await shop.orders.open("x", "book", 1, 10.0)
    await shop.orders.begin_compensation("x")
    await shop.orders.compensated("x", Refund(0, 0))
    shop.clock.now += 20.0
    assert await shop.orders.take_abandoned(60.0, 10) == []
