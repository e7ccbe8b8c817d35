"""The orders of `checkout`: one row each, whose state decides between settling and compensating.

Both ends are one conditional update, so whoever comes second, in whatever process, finds the row changed.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, Literal, TypeVar

from prometheus_client import CollectorRegistry
from sqlalchemy import text

from retryscope.families import counter
from retryscope_service import semconv
from retryscope_service.operations.shop.books import Refund, RefusedError, paid, sell
from retryscope_service.operations.shop.schema import ShopDatabase

T = TypeVar("T")
State = Literal["pending", "compensating", "settled", "compensated"]
END_STATES: Final = ("settled", "compensated")
WRITE_SECONDS: Final = 30.0
"""Longest transaction that ends an order: a database that hangs holds no cancel up for longer."""


class OrderEndedError(Exception):
    """The order is not pending any more: another delivery of the run, or a recovery, has gone on with it."""


class Orders:
    """The orders.

    Attributes:
        opened: Set once this process has written an order.

    Args:
        database: Where they are.
        process: Who ends an order, as it is written into its row.
        registry: Where orders are counted as they end, each by the process whose transaction ended it.
        time_s: Wall clock, in seconds since the epoch; the processes that share a database agree on it.
    """

    def __init__(
        self,
        database: ShopDatabase,
        process: str,
        registry: CollectorRegistry,
        time_s: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._process = process
        self._time_s = time_s
        self.opened = asyncio.Event()
        self._ended = counter(semconv.ORDERS, registry)
        for state in END_STATES:
            self._ended.labels(state)

    async def open(self, order: str, sku: str, quantity: int, lease: float) -> State:
        """Write the order's row, or find it: the state that it is in.

        Args:
            order: Id of the order, which is that of its run.
            sku: What is ordered.
            quantity: How many.
            lease: Seconds for which no recovery touches it.
        """
        self.opened.set()
        values = {"id": order, "sku": sku, "quantity": quantity, "until": self._time_s() + lease}
        async with self._database.transaction() as connection:
            await connection.execute(
                text(
                    "INSERT INTO orders (id, sku, quantity, state, lease_until)"
                    " VALUES (:id, :sku, :quantity, 'pending', :until)"
                    " ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until"
                ),
                values,
            )
            found = await connection.execute(text("SELECT state FROM orders WHERE id = :id"), {"id": order})
            state: State = found.scalar_one()
            return state

    async def settle(self, order: str, total: int) -> None:
        """It is paid and its goods are sold, in one transaction, which is counted where it was committed.

        Raises:
            OrderEndedError: It is not pending.
            RefusedError: The books hold no goods for it, or not its money.
        """
        await _to_the_end(self._settle(order, total))

    async def _settle(self, order: str, total: int) -> None:
        async with self._database.transaction() as connection:
            changed = await connection.execute(
                text(
                    "UPDATE orders SET state = 'settled', total = :total, charged = :total,"
                    " ended_by = :process WHERE id = :id AND state = 'pending'"
                ),
                {"id": order, "total": total, "process": self._process},
            )
            if not changed.rowcount:
                found = await connection.execute(
                    text("SELECT state FROM orders WHERE id = :id"), {"id": order}
                )
                if (state := found.scalar()) == "settled":  # by an attempt that could not say so any more
                    return
                raise OrderEndedError(f"order {order} is {state or 'unknown'}, not pending")
            await sell(connection, order)
            if await paid(connection, order) != total:
                raise RefusedError(f"order {order} is not paid")
        self._ended.labels("settled").inc()

    async def begin_compensation(self, order: str) -> bool:
        """From now on it can't be settled; False where there is nothing to compensate: no row, or an end."""
        async with self._database.transaction() as connection:
            changed = await connection.execute(
                text(
                    "UPDATE orders SET state = 'compensating'"
                    " WHERE id = :id AND state IN ('pending', 'compensating')"
                ),
                {"id": order},
            )
            return bool(changed.rowcount)

    async def compensated(self, order: str, refund: Refund) -> None:
        """Its goods and its money are back; nothing where somebody else has written that."""
        await _to_the_end(self._compensated(order, refund))

    async def _compensated(self, order: str, refund: Refund) -> None:
        async with self._database.transaction() as connection:
            changed = await connection.execute(
                text(
                    "UPDATE orders SET state = 'compensated', charged = :charged, refunded = :refunded,"
                    " ended_by = :process WHERE id = :id AND state = 'compensating'"
                ),
                {
                    "id": order,
                    "charged": refund.charged,
                    "refunded": refund.refunded,
                    "process": self._process,
                },
            )
        if changed.rowcount:
            self._ended.labels("compensated").inc()

    async def take_abandoned(self, lease: float, limit: int) -> list[str]:
        """Open orders whose lease is over; they are leased to the caller for ``lease`` seconds."""
        now = self._time_s()
        async with self._database.transaction() as connection:
            found = await connection.execute(
                text(
                    "SELECT id FROM orders WHERE state IN ('pending', 'compensating') AND lease_until < :now"
                    " ORDER BY lease_until LIMIT :limit"
                ),
                {"now": now, "limit": limit},
            )
            taken = []
            for order in found.scalars().all():
                changed = await connection.execute(
                    text("UPDATE orders SET lease_until = :until WHERE id = :id AND lease_until < :now"),
                    {"id": order, "now": now, "until": now + lease},
                )
                if changed.rowcount:
                    taken.append(order)
            return taken


async def _to_the_end(writing: Coroutine[Any, Any, T]) -> T:
    """Await it in a task that no cancel reaches: what it commits, it counts. A cancel is raised after it.

    Raises:
        TimeoutError: It takes longer than ``WRITE_SECONDS``.
    """
    task = asyncio.create_task(asyncio.wait_for(writing, WRITE_SECONDS))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait((task,))
        task.exception()  # nobody asks: the cancel is what is raised
        raise
