"""All of it at once: price and stock together, a payment with retries, an order row, compensation.

The order's row says whether it is settled or compensated, and one of the two in the end, whatever fails and
whenever the run is cancelled or its process killed.
"""

import asyncio
from functools import partial
from typing import Any, Final, Literal
from uuid import uuid4

from pydantic import Field

from retryscope import Operation, RetryPolicy, cleanup, gather, retry
from retryscope_service.operations.parameters import Integer, PositiveSeconds, Seconds
from retryscope_service.operations.shop.compensation import ORDER, Shop, compensate, is_transient
from retryscope_service.operations.shop.orders import OrderEndedError
from retryscope_service.workflows.definition import RunContext, WorkflowDefinition, WorkflowParams

QUOTE: Final = Operation("quote", workflow="checkout")
PRICE: Final = Operation("price", workflow="checkout")
HOLD: Final = Operation("hold", workflow="checkout")
PAYMENT: Final = Operation("payment", workflow="checkout")
SETTLE: Final = Operation("settle", workflow="checkout")
COMPENSATE: Final = Operation("compensate", workflow="checkout")

LEASE_MARGIN: Final = 10.0
"""Seconds, on the real clock, that a run may be late before a recovery takes its order."""


class NoShopError(Exception):
    """There is nothing to buy from here."""

    def __init__(self) -> None:
        super().__init__(
            "orders and the books of the upstream's shop have to be in one database: set"
            " RETRYSCOPE_DATABASE_URL to the same here and at the upstream of RETRYSCOPE_UPSTREAM_URL"
        )


class CheckoutParams(WorkflowParams):
    """One order: price and stock at once, then the payment, then the order is settled."""

    sku: Literal["book", "chair", "lamp"] = Field("book", description="What is ordered.")
    quantity: Integer = Field(1, ge=1, le=100, description="How many.")
    duration: Seconds = Field(0.1, description="Seconds that each call of the shop takes.")
    max_attempts: Integer = Field(4, ge=1, le=20, description="Attempts of each call and query.")
    base_delay: Seconds = Field(0.2, description="Seconds before the second attempt; then twice as many.")
    attempt_timeout: PositiveSeconds = Field(1.0, description="Seconds that each attempt may take.")
    deadline: PositiveSeconds = Field(8.0, description="Seconds until the order has to be settled.")
    compensation: PositiveSeconds = Field(10.0, description="Seconds that a compensation may take.")
    budget: bool = Field(
        True, description="Retry payments only while the budget lasts that all calls over HTTP share."
    )

    def run_deadline(self) -> float | None:
        """Seconds until the order has to be settled; a compensation comes after them."""
        return self.deadline


async def run(params: CheckoutParams, context: RunContext) -> None:
    """Settle the order, or undo it."""
    checkout = _Checkout(params, context)
    try:
        await checkout.settle()
    except (Exception, asyncio.CancelledError):
        await cleanup(COMPENSATE, checkout.compensate, timeout=context.scaled(params.compensation))
        raise


class _Checkout:
    """One order."""

    def __init__(self, params: CheckoutParams, context: RunContext) -> None:
        shop = context.operations.shop
        if shop is None:
            raise NoShopError
        self._params = params
        self._context = context
        self._shop: Shop = shop
        self._client = self._shop.client.taking(context.scaled(params.duration))
        # An inline run that is not traced has no name of its own.
        self._order = context.run_id if context.run_id.strip("0-") else uuid4().hex
        self._policy = RetryPolicy(
            max_attempts=params.max_attempts,
            base_delay=context.scaled(params.base_delay),
            max_delay=context.scaled(params.deadline),
            attempt_timeout=context.scaled(params.attempt_timeout),
            retry_on=is_transient,
        )

    async def settle(self) -> None:
        """Forward: the row first, so that whatever follows can be found again."""
        lease = self._context.scaled(self._params.deadline + self._params.compensation) + LEASE_MARGIN
        sku, quantity, orders = self._params.sku, self._params.quantity, self._shop.orders
        state = await self._call(ORDER, orders.open, self._order, sku, quantity, lease)
        if state == "settled":  # by an earlier delivery, which could not say so any more
            return
        if state != "pending":
            raise OrderEndedError(f"order {self._order} is {state}")
        total = quantity * await self._quote()
        budget = self._context.operations.budget("http") if self._params.budget else None
        pay = retry(PAYMENT, self._policy, budget=budget, rng=self._context.rng("payment"))
        await self._context.call(PAYMENT.name, pay.call, self._client.charge, self._order, total)
        await self._call(SETTLE, orders.settle, self._order, total)

    async def _quote(self) -> int:
        """The price, while the units are put aside; where one of the two fails the other is cancelled."""
        hold = partial(self._client.hold, self._order, self._params.sku, self._params.quantity)
        price, _ = await gather(
            QUOTE,
            {
                PRICE.name: partial(self._retry(PRICE).call, self._client.price, self._params.sku),
                HOLD.name: partial(self._retry(HOLD).call, hold),
            },
            fail_fast=True,
            reports=self._context.reports,
        )
        return int(price.result())

    async def compensate(self) -> None:
        """Backward; what it can't finish, a recovery does."""
        await compensate(Shop(self._shop.orders, self._client), self._order, self._policy)

    async def _call(self, operation: Operation, step: Any, *values: Any) -> Any:
        return await self._context.call(operation.name, self._retry(operation).call, step, *values)

    def _retry(self, operation: Operation) -> retry:
        return retry(operation, self._policy, rng=self._context.rng(operation.name))


CHECKOUT = WorkflowDefinition(
    "checkout",
    "An order on real dependencies: price and stock, payment, settled or compensated.",
    CheckoutParams,
    run,
)
