"""A shop on each database."""

from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from retryscope_service.operations.database import Database
from retryscope_service.operations.shop.books import Books
from retryscope_service.operations.shop.orders import Orders
from retryscope_service.operations.shop.schema import ShopDatabase


@dataclass
class Clock:
    """A wall clock that stands still."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class TestShop:
    """Its parts, and what a test asks its tables."""

    __test__ = False
    database: ShopDatabase
    books: Books
    orders: Orders
    registry: CollectorRegistry
    clock: Clock = field(default_factory=Clock)

    async def sql(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement; the rows that it gives."""
        async with self.database.transaction() as connection:
            result = await connection.execute(text(statement))
            return [tuple(row) for row in result.all()] if result.returns_rows else []

    async def stock(self, sku: str = "book") -> tuple[object, ...]:
        """Units on hand, held and sold."""
        (row,) = await self.sql(f"SELECT on_hand, held, sold FROM stock WHERE sku = '{sku}'")  # noqa: S608
        return row

    async def discrepancies(self) -> list[tuple[object, ...]]:
        return await self.sql("SELECT * FROM discrepancies")

    def counted(self, state: str) -> float | None:
        return self.registry.get_sample_value("retryscope_orders_total", {"state": state})


@pytest.fixture
def shop(database: Database) -> TestShop:
    """One with ten units of each SKU."""
    registry, clock, tables = CollectorRegistry(), Clock(), ShopDatabase(database, stock=10)
    return TestShop(tables, Books(tables), Orders(tables, "here", registry, clock), registry, clock)
