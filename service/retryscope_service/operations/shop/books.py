"""The shop's books: stock that is held, released and sold, money that is charged and refunded.

Each write is idempotent by the order's id. A call that was cancelled may still arrive, so a release or a
refund that finds nothing leaves a row behind by which the hold or the charge that comes after it is refused.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from retryscope_service.operations.shop.schema import ShopDatabase


class RefusedError(Exception):
    """The books do not allow it, now or later."""


@dataclass(frozen=True, slots=True)
class Refund:
    """What was charged for an order, and what of it is back; both 0 where nothing was charged."""

    charged: int
    refunded: int


class Books:
    """The books.

    Args:
        database: Where they are.
    """

    def __init__(self, database: ShopDatabase) -> None:
        self._database = database

    async def price(self, sku: str) -> int:
        """In cents.

        Raises:
            RefusedError: There is no such SKU.
        """
        async with self._database.reading() as connection:
            row = await _first(connection, "SELECT price FROM stock WHERE sku = :sku", sku=sku)
        if row is None:
            raise RefusedError(f"there is no SKU {sku!r}")
        return int(row.price)

    async def hold(self, order: str, sku: str, quantity: int) -> None:
        """Put units aside for an order.

        Raises:
            RefusedError: Too few are left, or the order's hold was released before.
        """
        hold = {"order": order, "sku": sku, "quantity": quantity}
        async with self._database.transaction() as connection:
            if not await _changes(
                connection,
                "INSERT INTO holds (order_id, sku, quantity, state)"
                " SELECT CAST(:order AS TEXT), sku, CAST(:quantity AS BIGINT), 'held'"
                " FROM stock WHERE sku = :sku ON CONFLICT DO NOTHING",
                **hold,
            ):
                row = await _first(connection, "SELECT * FROM holds WHERE order_id = :order", order=order)
                if row is None:
                    raise RefusedError(f"there is no SKU {sku!r}")
                if (row.sku, row.quantity) != (sku, quantity) or row.state == "released":
                    raise RefusedError(f"the hold of order {order} is {row.state}, not {quantity} {sku}")
            elif not await _changes(
                connection,
                "UPDATE stock SET on_hand = on_hand - :quantity, held = held + :quantity"
                " WHERE sku = :sku AND on_hand >= :quantity",
                sku=sku,
                quantity=quantity,
            ):
                raise RefusedError(f"fewer than {quantity} {sku} are left")

    async def release(self, order: str) -> None:
        """Put units back; an order's hold that comes later is refused.

        Raises:
            RefusedError: They are sold.
        """
        async with self._database.transaction() as connection:
            if await _changes(
                connection,
                "INSERT INTO holds (order_id, quantity, state) VALUES (:order, 0, 'released')"
                " ON CONFLICT DO NOTHING",
                order=order,
            ):
                return
            row = await _first(
                connection,
                "UPDATE holds SET state = 'released' WHERE order_id = :order AND state = 'held'"
                " RETURNING sku, quantity",
                order=order,
            )
            if row is not None:
                await _changes(
                    connection,
                    "UPDATE stock SET on_hand = on_hand + :quantity, held = held - :quantity"
                    " WHERE sku = :sku",
                    sku=row.sku,
                    quantity=row.quantity,
                )
                return
            kept = await _first(connection, "SELECT state FROM holds WHERE order_id = :order", order=order)
            if kept is not None and kept.state == "sold":
                raise RefusedError(f"the goods of order {order} are sold")

    async def charge(self, order: str, amount: int) -> None:
        """Take the money for an order, once.

        Raises:
            RefusedError: It was refunded before, or another amount was charged.
        """
        async with self._database.transaction() as connection:
            if await _changes(
                connection,
                "INSERT INTO payments (order_id, charged, state) VALUES (:order, :amount, 'charged')"
                " ON CONFLICT DO NOTHING",
                order=order,
                amount=amount,
            ):
                return
            row = await _first(connection, "SELECT * FROM payments WHERE order_id = :order", order=order)
        if row is None or row.state == "refunded" or row.charged != amount:
            raise RefusedError(f"the payment of order {order} is refunded, or was of another amount")

    async def refund(self, order: str) -> Refund:
        """Give all of it back; an order's charge that comes later is refused."""
        async with self._database.transaction() as connection:
            if not await _changes(
                connection,
                "INSERT INTO payments (order_id, charged, state) VALUES (:order, 0, 'refunded')"
                " ON CONFLICT DO NOTHING",
                order=order,
            ):
                await _changes(
                    connection,
                    "UPDATE payments SET state = 'refunded', refunded = charged"
                    " WHERE order_id = :order AND state = 'charged'",
                    order=order,
                )
            row = await _first(connection, "SELECT * FROM payments WHERE order_id = :order", order=order)
        assert row is not None
        return Refund(row.charged, row.refunded)


async def sell(connection: AsyncConnection, order: str) -> None:
    """Within the transaction that settles an order: what it holds is sold.

    Raises:
        RefusedError: It holds nothing any more.
    """
    row = await _first(
        connection,
        "UPDATE holds SET state = 'sold' WHERE order_id = :order AND state = 'held' RETURNING sku, quantity",
        order=order,
    )
    if row is None:
        raise RefusedError(f"order {order} holds nothing")
    await _changes(
        connection,
        "UPDATE stock SET held = held - :quantity, sold = sold + :quantity WHERE sku = :sku",
        sku=row.sku,
        quantity=row.quantity,
    )


async def paid(connection: AsyncConnection, order: str) -> int:
    """What was charged for an order and not refunded."""
    row = await _first(
        connection, "SELECT charged - refunded AS paid FROM payments WHERE order_id = :order", order=order
    )
    return 0 if row is None else int(row.paid)


async def _changes(connection: AsyncConnection, statement: str, **values: Any) -> bool:
    return (await connection.execute(text(statement), values)).rowcount > 0


async def _first(connection: AsyncConnection, statement: str, **values: Any) -> Row[Any] | None:
    return (await connection.execute(text(statement), values)).first()
