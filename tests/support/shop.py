"""A shop that a test buys from: an upstream with its routes, a client, and the orders of this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import ClientSession
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from retryscope_service.http.listener import listening
from retryscope_service.operations.database import Database
from retryscope_service.operations.http_client import client
from retryscope_service.operations.operations import Operations
from retryscope_service.operations.shop.books import Books
from retryscope_service.operations.shop.client import ShopClient
from retryscope_service.operations.shop.compensation import Shop
from retryscope_service.operations.shop.orders import Orders
from retryscope_service.operations.shop.schema import ShopDatabase
from retryscope_service.targets import AllowedTargets
from retryscope_service.upstream.app import create_upstream_app
from retryscope_service.upstream.faults import Faults
from retryscope_service.upstream.shop import ShopRoutes
from retryscope_service.upstream.upstream import Upstream
from retryscope_service.workflows.checkout import CheckoutParams, run
from retryscope_service.workflows.definition import RunContext
from tests.support.polling import until

TOKEN = "0123456789abcdef"  # noqa: S105 - of these tests


@dataclass
class OpenShop:
    """Its parts, and what a test asks of it."""

    shop: Shop
    database: ShopDatabase
    upstream: Upstream
    registry: CollectorRegistry
    session: ClientSession
    url: str

    async def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement; the rows that it gives."""
        async with self.database.transaction() as connection:
            result = await connection.execute(text(statement))
            return [tuple(row) for row in result.all()] if result.returns_rows else []

    async def checkout(self, order: str, **params: Any) -> None:
        """Run the workflow as the order of that id."""
        asked = CheckoutParams(seed=1, **params)
        await run(asked, RunContext(asked, Operations(shop=self.shop), order))

    async def is_idle(self) -> None:
        """No call is on its way any more, also none whose caller has gone."""
        await until(partial(getattr, self.upstream, "in_flight"), "the upstream is idle", lambda n: n == 0)

    async def states(self) -> dict[str, int]:
        """How many orders are in which state."""
        return dict(await self.sql("SELECT state, count(*) FROM orders GROUP BY state"))

    def counted(self) -> dict[str, int]:
        """How many of them the metrics of this process know."""
        found = {
            state: self.registry.get_sample_value("retryscope_orders_total", {"state": state}) or 0
            for state in ("settled", "compensated")
        }
        return {state: int(count) for state, count in found.items() if count}

    async def discrepancies(self) -> list[tuple[Any, ...]]:
        return await self.sql("SELECT * FROM discrepancies")


@asynccontextmanager
async def open_shop(database: Database, process: str = "here", **faults: Any) -> AsyncIterator[OpenShop]:
    """A shop on that database, whose upstream has these faults."""
    tables, upstream, registry = ShopDatabase(database), Upstream(Faults(**faults)), CollectorRegistry()
    routes = ShopRoutes(upstream, Books(tables)).routes()
    app = create_upstream_app(upstream, TOKEN, CollectorRegistry(), further=routes)
    async with (
        listening(app, "127.0.0.1", 0, 1000) as url,
        client(AllowedTargets(upstream=url)) as session,
    ):
        shop = Shop(Orders(tables, process, registry), ShopClient(session, url))
        yield OpenShop(shop, tables, upstream, registry, session, url)
        await upstream.drain(5.0)
