"""The database itself refuses what would lose or double money or stock, whoever asks for it."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError

from retryscope_service.operations.database import Database
from retryscope_service.operations.shop.schema import CATALOGUE, ShopDatabase
from tests.unit.retryscope_service.operations.shop.conftest import TestShop

REAL_LOOP = True

ORDER = (
    "INSERT INTO orders (id, sku, quantity, state, total, held, charged, refunded, lease_until, ended_by)"
    " VALUES ({})"
)
HOLD = "INSERT INTO holds (order_id, sku, quantity, state) VALUES ({})"
PAYMENT = "INSERT INTO payments (order_id, charged, refunded, state) VALUES ({})"

BROKEN = {
    "more stock than there is": "UPDATE stock SET on_hand = on_hand + 1",
    "stock that vanishes": "UPDATE stock SET on_hand = on_hand - 1",
    "less than none on hand": "UPDATE stock SET on_hand = -1, held = total + 1",
    "less than none held": "UPDATE stock SET held = -1, on_hand = total + 1",
    "less than none sold": "UPDATE stock SET sold = -1, on_hand = total + 1",
    "a price of nothing": "UPDATE stock SET price = 0",
    "a hold of nothing": HOLD.format("'x', 'book', 0, 'held'"),
    "a hold of what is not there": HOLD.format("'x', 'boat', 1, 'held'"),
    "a hold of no state": HOLD.format("'x', 'book', 1, 'lost'"),
    "a payment of nothing": PAYMENT.format("'x', 0, 0, 'charged'"),
    "a payment that is half back": PAYMENT.format("'x', 10, 5, 'charged'"),
    "a refund of a part": PAYMENT.format("'x', 10, 5, 'refunded'"),
    "a refund of more": PAYMENT.format("'x', 10, 11, 'refunded'"),
    "an order of no state": ORDER.format("'x', 'book', 1, 'lost', NULL, 0, 0, 0, 0, NULL"),
    "an order of nothing": ORDER.format("'x', 'book', 0, 'pending', NULL, 0, 0, 0, 0, NULL"),
    "settled without a total": ORDER.format("'x', 'book', 1, 'settled', NULL, 0, 0, 0, 0, 'p'"),
    "settled for less": ORDER.format("'x', 'book', 1, 'settled', 10, 0, 9, 0, 0, 'p'"),
    "settled and refunded": ORDER.format("'x', 'book', 1, 'settled', 10, 0, 10, 10, 0, 'p'"),
    "settled and held": ORDER.format("'x', 'book', 1, 'settled', 10, 1, 10, 0, 0, 'p'"),
    "compensated and charged": ORDER.format("'x', 'book', 1, 'compensated', 10, 0, 10, 9, 0, 'p'"),
    "compensated and held": ORDER.format("'x', 'book', 1, 'compensated', 10, 1, 10, 10, 0, 'p'"),
    "refunded more than charged": ORDER.format("'x', 'book', 1, 'compensating', 10, 0, 10, 11, 0, NULL"),
    "ended by nobody": ORDER.format("'x', 'book', 1, 'settled', 10, 0, 10, 0, 0, NULL"),
    "open and ended by somebody": ORDER.format("'x', 'book', 1, 'pending', NULL, 0, 0, 0, 0, 'p'"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_no_statement_can_write(shop: TestShop, what: str) -> None:
    with pytest.raises(IntegrityError):
        await shop.sql(BROKEN[what])


@pytest.mark.parametrize("table", ["holds", "payments", "orders"])
async def test_an_order_has_one_row_in_each_table(shop: TestShop, table: str) -> None:
    rows = {
        "holds": HOLD.format("'x', 'book', 1, 'held'"),
        "payments": PAYMENT.format("'x', 10, 0, 'charged'"),
        "orders": ORDER.format("'x', 'book', 1, 'pending', NULL, 0, 0, 0, 0, NULL"),
    }
    await shop.sql(rows[table])
    with pytest.raises(IntegrityError):
        await shop.sql(rows[table])


SETTLED = ORDER.format("'x', 'book', 1, 'settled', 10, 0, 10, 0, 0, 'p'")
COMPENSATED = ORDER.format("'x', 'book', 1, 'compensated', 10, 0, 10, 10, 0, 'p'")
SEEN = {
    "settled, and its goods are not sold to it": (SETTLED,),
    "settled, and it is not paid": (SETTLED,),
    "compensated, and its goods are not back": (COMPENSATED, HOLD.format("'x', 'book', 1, 'held'")),
    "compensated, and its money is not back": (COMPENSATED, PAYMENT.format("'x', 10, 0, 'charged'")),
    "open, and its goods are sold": (
        ORDER.format("'x', 'book', 1, 'pending', NULL, 0, 0, 0, 0, NULL"),
        HOLD.format("'x', 'book', 1, 'sold'"),
    ),
    "goods are held or sold without an order": (HOLD.format("'x', 'book', 1, 'held'"),),
    "money is taken without an order": (PAYMENT.format("'x', 10, 0, 'charged'"),),
    "held is not what its holds are": ("UPDATE stock SET held = 1, on_hand = on_hand - 1",),
    "sold is not what its orders are": ("UPDATE stock SET sold = 1, on_hand = on_hand - 1",),
}


@pytest.mark.parametrize("what", SEEN)
async def test_what_only_several_tables_show_is_a_row_of_the_view(shop: TestShop, what: str) -> None:
    assert await shop.discrepancies() == []
    for statement in SEEN[what]:
        await shop.sql(statement)
    assert what in {row[1] for row in await shop.discrepancies()}


async def test_processes_that_start_together_make_it_once(database: Database, shop: TestShop) -> None:
    """And a later one keeps what is there."""
    others = [ShopDatabase(database, stock=10) for _ in range(4)]

    async def count(each: ShopDatabase) -> None:
        async with each.transaction():
            pass

    await asyncio.gather(*map(count, others))
    assert await shop.sql("SELECT count(*), sum(total) FROM stock") == [(len(CATALOGUE), 30)]
