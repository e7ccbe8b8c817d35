"""The shop's routes: prices, holds of stock, payments and refunds, with the faults of the upstream.

A refusal comes before anything is done. Every other fault comes when it is done, so that the caller can't
know: an answer that never comes, a connection that is reset, a body that is cut off.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web
from pydantic import Field

from retryscope_service.http.problems import Problem, invalid_parameter
from retryscope_service.http.validation import read_params
from retryscope_service.operations.parameters import Parameters
from retryscope_service.operations.shop.books import Books, RefusedError
from retryscope_service.upstream.job import LONGEST_JOB, Answer, answer, begin
from retryscope_service.upstream.upstream import Upstream

MAX_BODY_BYTES = 1024


class Hold(Parameters):
    """What an order puts aside."""

    sku: str = Field(min_length=1, max_length=100)
    quantity: int = Field(ge=1, le=1_000_000)


class Payment(Parameters):
    """What an order costs, in cents."""

    amount: int = Field(ge=1, le=10**12)


Done = Callable[[web.Request], Awaitable[dict[str, Any]]]


class ShopRoutes:
    """The routes.

    Args:
        upstream: What it does to requests.
        books: What they read and write.
    """

    def __init__(self, upstream: Upstream, books: Books) -> None:
        self._upstream = upstream
        self._books = books

    def routes(self) -> list[web.RouteDef]:
        """The routes to add to an application."""
        return [
            web.get("/prices/{sku}", self._faulty(self.price)),
            web.put("/holds/{order}", self._faulty(self.hold)),
            web.delete("/holds/{order}", self._faulty(self.release)),
            web.put("/payments/{order}", self._faulty(self.charge)),
            web.put("/refunds/{order}", self._faulty(self.refund)),
        ]

    async def price(self, request: web.Request) -> dict[str, Any]:
        """What a SKU costs."""
        return {"price": await self._books.price(request.match_info["sku"])}

    async def hold(self, request: web.Request) -> dict[str, Any]:
        """Put units aside for an order."""
        asked = await read_params(request, Hold, MAX_BODY_BYTES, required=True)
        await self._books.hold(request.match_info["order"], asked.sku, asked.quantity)
        return {"state": "held"}

    async def release(self, request: web.Request) -> dict[str, Any]:
        """Put them back."""
        await self._books.release(request.match_info["order"])
        return {"state": "released"}

    async def charge(self, request: web.Request) -> dict[str, Any]:
        """Take the money for an order."""
        asked = await read_params(request, Payment, MAX_BODY_BYTES, required=True)
        await self._books.charge(request.match_info["order"], asked.amount)
        return {"state": "charged"}

    async def refund(self, request: web.Request) -> dict[str, Any]:
        """Give it back."""
        return asdict(await self._books.refund(request.match_info["order"]))

    def _faulty(self, done: Done) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            faults, drawn = await begin(request, self._upstream, _seconds(request))
            try:
                said = Answer(json.dumps(await done(request)).encode())
            except RefusedError as error:
                raise Problem(409, "refused", "Refused by the shop", f"{error}.") from None
            return await answer(request, self._upstream, faults, drawn, said)

        return handler


def _seconds(request: web.Request) -> float:
    text = request.query.get("seconds", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_JOB:
        raise invalid_parameter("seconds", text, f"a number from 0 to {LONGEST_JOB:g}")
    return seconds
