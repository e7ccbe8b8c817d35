"""The shop's tables, whose constraints keep money and stock: no code can write what they forbid."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from retryscope_service.operations.database import Database

CATALOGUE: Final = {"book": 1250, "chair": 8900, "lamp": 3999}
"""Price of each SKU, in cents."""
STOCK: Final = 1_000_000
"""Units of each, at first."""

TABLES: Final = (
    """
    CREATE TABLE IF NOT EXISTS stock (
        sku TEXT PRIMARY KEY,
        price BIGINT NOT NULL CHECK (price > 0),
        total BIGINT NOT NULL,
        on_hand BIGINT NOT NULL CHECK (on_hand >= 0),
        held BIGINT NOT NULL DEFAULT 0 CHECK (held >= 0),
        sold BIGINT NOT NULL DEFAULT 0 CHECK (sold >= 0),
        CHECK (on_hand + held + sold = total)
    )
    """,
    # A release that comes first leaves a row without goods: the hold that comes late is refused by it.
    """
    CREATE TABLE IF NOT EXISTS holds (
        order_id TEXT PRIMARY KEY,
        sku TEXT REFERENCES stock (sku),
        quantity BIGINT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('held', 'released', 'sold')),
        CHECK (quantity > 0 AND sku IS NOT NULL OR quantity = 0 AND sku IS NULL AND state = 'released')
    )
    """,
    # Likewise a refund that comes first.
    """
    CREATE TABLE IF NOT EXISTS payments (
        order_id TEXT PRIMARY KEY,
        charged BIGINT NOT NULL,
        refunded BIGINT NOT NULL DEFAULT 0,
        state TEXT NOT NULL CHECK (state IN ('charged', 'refunded')),
        CHECK (state = 'charged' AND charged > 0 AND refunded = 0
            OR state = 'refunded' AND charged >= 0 AND refunded = charged)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS orders (
        id TEXT PRIMARY KEY,
        sku TEXT NOT NULL REFERENCES stock (sku),
        quantity BIGINT NOT NULL CHECK (quantity > 0),
        state TEXT NOT NULL CHECK (state IN ('pending', 'compensating', 'settled', 'compensated')),
        total BIGINT CHECK (total > 0),
        held BIGINT NOT NULL DEFAULT 0 CHECK (held >= 0),
        charged BIGINT NOT NULL DEFAULT 0 CHECK (charged >= 0),
        refunded BIGINT NOT NULL DEFAULT 0 CHECK (refunded >= 0 AND refunded <= charged),
        lease_until DOUBLE PRECISION NOT NULL,
        ended_by TEXT,
        CHECK (state <> 'settled' OR total IS NOT NULL AND charged = total AND refunded = 0 AND held = 0),
        CHECK (state <> 'compensated' OR charged = refunded AND held = 0),
        CHECK ((ended_by IS NOT NULL) = (state IN ('settled', 'compensated')))
    )
    """,
    """
    CREATE INDEX IF NOT EXISTS open_orders ON orders (lease_until)
        WHERE state IN ('pending', 'compensating')
    """,
)

DISCREPANCIES: Final = (
    "DROP VIEW IF EXISTS discrepancies",
    """
    CREATE VIEW discrepancies AS
    SELECT o.id AS subject, 'settled, and its goods are not sold to it' AS discrepancy
        FROM orders o LEFT JOIN holds h ON h.order_id = o.id WHERE o.state = 'settled'
        AND (h.state IS NULL OR h.state <> 'sold' OR h.sku <> o.sku OR h.quantity <> o.quantity)
    UNION ALL SELECT o.id, 'settled, and it is not paid'
        FROM orders o LEFT JOIN payments p ON p.order_id = o.id WHERE o.state = 'settled'
        AND (p.state IS NULL OR p.state <> 'charged' OR p.charged <> o.total)
    UNION ALL SELECT o.id, 'compensated, and its goods are not back'
        FROM orders o JOIN holds h ON h.order_id = o.id
        WHERE o.state = 'compensated' AND h.state <> 'released'
    UNION ALL SELECT o.id, 'compensated, and its money is not back'
        FROM orders o JOIN payments p ON p.order_id = o.id
        WHERE o.state = 'compensated' AND (p.state <> 'refunded' OR p.charged <> o.charged)
    UNION ALL SELECT o.id, 'open, and its goods are sold'
        FROM orders o JOIN holds h ON h.order_id = o.id
        WHERE o.state IN ('pending', 'compensating') AND h.state = 'sold'
    UNION ALL SELECT h.order_id, 'goods are held or sold without an order'
        FROM holds h LEFT JOIN orders o ON o.id = h.order_id WHERE o.id IS NULL AND h.state <> 'released'
    UNION ALL SELECT p.order_id, 'money is taken without an order'
        FROM payments p LEFT JOIN orders o ON o.id = p.order_id WHERE o.id IS NULL AND p.state = 'charged'
    UNION ALL SELECT s.sku, 'held is not what its holds are'
        FROM stock s WHERE s.held <> (SELECT coalesce(sum(h.quantity), 0) FROM holds h
            WHERE h.sku = s.sku AND h.state = 'held')
    UNION ALL SELECT s.sku, 'sold is not what its orders are'
        FROM stock s WHERE s.sold <> (SELECT coalesce(sum(h.quantity), 0) FROM holds h
            WHERE h.sku = s.sku AND h.state = 'sold')
    """,
)
"""Whatever orders and books do not agree on: a row each, and there must never be one."""

_LOCK: Final = 15_2026
"""Of PostgreSQL's advisory locks: processes that start together make the tables one after the other."""


class ShopDatabase:
    """A database with the shop's tables, made when they are first needed.

    Args:
        database: Where they are.
        stock: Units of each SKU that a new shop has.
    """

    def __init__(self, database: Database, stock: int = STOCK) -> None:
        self._database = database
        self._stock = stock
        self._making = asyncio.Lock()
        self._is_made = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction on them: committed at the end of the block, rolled back where it raises."""
        await self._make_once()
        async with self._database.transaction() as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for one query: without SQLite's write lock, which a transaction waits for."""
        await self._make_once()
        async with self._database.connect() as connection:
            yield connection

    async def _make_once(self) -> None:
        if not self._is_made:
            async with self._making:
                if not self._is_made:
                    await self._make()
                    self._is_made = True

    async def _make(self) -> None:
        insert = text(
            "INSERT INTO stock (sku, price, total, on_hand) VALUES (:sku, :price, :units, :units)"
            " ON CONFLICT DO NOTHING"
        )
        async with self._database.transaction() as connection:
            if self._database.kind == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            for statement in (*TABLES, *DISCREPANCIES):
                await connection.execute(text(statement))
            for sku, price in CATALOGUE.items():
                await connection.execute(insert, {"sku": sku, "price": price, "units": self._stock})
