"""The shop's books: each write once, whatever comes twice, late, or in another order."""

import asyncio

import pytest

from retryscope_service.operations.shop.books import Refund, RefusedError
from tests.unit.retryscope_service.operations.shop.conftest import TestShop

REAL_LOOP = True


async def test_a_price_is_that_of_its_sku(shop: TestShop) -> None:
    assert await shop.books.price("book") == 1250
    with pytest.raises(RefusedError, match="no SKU 'boat'"):
        await shop.books.price("boat")


async def test_a_hold_that_comes_twice_holds_once(shop: TestShop) -> None:
    await asyncio.gather(*(shop.books.hold("x", "book", 3) for _ in range(3)))
    assert await shop.stock() == (7, 3, 0)


async def test_a_release_that_comes_twice_releases_once(shop: TestShop) -> None:
    await shop.books.hold("x", "book", 3)
    await asyncio.gather(*(shop.books.release("x") for _ in range(3)))
    assert await shop.stock() == (10, 0, 0)


async def test_no_more_is_held_than_there_is(shop: TestShop) -> None:
    found = await asyncio.gather(
        *(shop.books.hold(f"x{number}", "book", 3) for number in range(5)), return_exceptions=True
    )
    assert sum(isinstance(each, RefusedError) for each in found) == 2
    assert await shop.stock() == (1, 9, 0)


async def test_a_hold_that_comes_after_its_release_is_refused(shop: TestShop) -> None:
    await shop.books.release("x")
    with pytest.raises(RefusedError, match="released"):
        await shop.books.hold("x", "book", 1)
    assert await shop.stock() == (10, 0, 0)


@pytest.mark.parametrize(("sku", "quantity"), [("book", 2), ("lamp", 1), ("boat", 1)])
async def test_an_order_holds_one_thing(shop: TestShop, sku: str, quantity: int) -> None:
    if sku != "boat":
        await shop.books.hold("x", "book", 1)
    with pytest.raises(RefusedError):
        await shop.books.hold("x", sku, quantity)


async def test_a_charge_that_comes_twice_charges_once(shop: TestShop) -> None:
    await asyncio.gather(*(shop.books.charge("x", 100) for _ in range(3)))
    assert await shop.sql("SELECT charged, refunded, state FROM payments") == [(100, 0, "charged")]


async def test_another_amount_is_refused(shop: TestShop) -> None:
    await shop.books.charge("x", 100)
    with pytest.raises(RefusedError):
        await shop.books.charge("x", 101)


async def test_a_refund_gives_all_back_once(shop: TestShop) -> None:
    await shop.books.charge("x", 100)
    assert await asyncio.gather(*(shop.books.refund("x") for _ in range(3))) == [Refund(100, 100)] * 3


async def test_a_charge_that_comes_after_its_refund_is_refused(shop: TestShop) -> None:
    assert await shop.books.refund("x") == Refund(0, 0)
    with pytest.raises(RefusedError):
        await shop.books.charge("x", 100)
    assert await shop.sql("SELECT charged, refunded, state FROM payments") == [(0, 0, "refunded")]
