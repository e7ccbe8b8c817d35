"""How an order that can't be settled is undone, by its run or, where that is dead, by a recovery."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Final

from retryscope import Operation, RetryPolicy, retry
from retryscope_service.operations.shop.books import Refund
from retryscope_service.operations.shop.client import ShopClient
from retryscope_service.operations.shop.client import is_transient as is_transient_call
from retryscope_service.operations.shop.orders import Orders
from retryscope_service.operations.sql import is_transient as is_transient_query

ORDER: Final = Operation("order", workflow="checkout")
RELEASE: Final = Operation("release", workflow="checkout")
REFUND: Final = Operation("refund", workflow="checkout")

RECOVERY_SECONDS: Final = 30.0
"""How often abandoned orders are looked for, and how long one of them may take."""
AT_ONCE: Final = 20
"""Abandoned orders that a process takes at a time."""

_log = logging.getLogger("retryscope_service")


@dataclass(frozen=True, slots=True)
class Shop:
    """What a checkout needs."""

    orders: Orders
    client: ShopClient


def is_transient(error: Exception) -> bool:
    """Whether a step, a call or a query, may succeed later."""
    return is_transient_call(error) or is_transient_query(error)


async def compensate(shop: Shop, order: str, policy: RetryPolicy) -> None:
    """Give goods and money back, then say so in the order's row; nothing where it is settled.

    Each step is idempotent, so whoever is interrupted or fails leaves the rest to the next one.

    Args:
        shop: Where.
        order: Its id.
        policy: How each step is tried again.
    """
    written = retry(ORDER, policy)
    if not await written.call(shop.orders.begin_compensation, order):
        return
    async with asyncio.TaskGroup() as both:
        both.create_task(retry(RELEASE, policy).call(shop.client.release, order))
        refunded: asyncio.Task[Refund] = both.create_task(
            retry(REFUND, policy).call(shop.client.refund, order)
        )
    await written.call(shop.orders.compensated, order, refunded.result())


async def recover(shop: Shop, policy: RetryPolicy, limit: float = RECOVERY_SECONDS) -> int:
    """Compensate the orders whose runs are gone: their lease is over. How many there were."""
    orders = await shop.orders.take_abandoned(limit, AT_ONCE)
    for order in orders:
        try:
            async with asyncio.timeout(limit):
                await compensate(shop, order, policy)
        except Exception as error:
            _log.warning("order %s can't be compensated yet: %r", order, error)
    return len(orders)


async def keep_recovering(shop: Shop, *, alone: bool, every: float = RECOVERY_SECONDS) -> None:
    """Recover at once, and then now and then, until it is cancelled.

    Args:
        shop: Where.
        alone: No other process has left orders there: there is nothing to recover before this one has some.
        every: Seconds between two looks.
    """
    if alone:
        await shop.orders.opened.wait()
    policy = RetryPolicy(max_attempts=5, base_delay=0.1, max_delay=2.0, retry_on=is_transient)
    while True:
        try:
            found = await recover(shop, policy)
        except Exception as error:  # the database is away, say
            _log.warning("abandoned orders can't be looked for: %r", error)
            found = 0
        if found < AT_ONCE:
            await asyncio.sleep(every)
