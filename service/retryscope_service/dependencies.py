"""What workflows call, opened once a process: an upstream, a database, files, a shop."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from prometheus_client import CollectorRegistry

from retryscope_service.background import in_background
from retryscope_service.operations.database import Database
from retryscope_service.operations.file import FileOperation
from retryscope_service.operations.http import http_operation
from retryscope_service.operations.operations import Operations
from retryscope_service.operations.shop.books import Books
from retryscope_service.operations.shop.client import ShopClient
from retryscope_service.operations.shop.compensation import Shop, keep_recovering
from retryscope_service.operations.shop.orders import Orders
from retryscope_service.operations.shop.schema import ShopDatabase
from retryscope_service.operations.sql import SqlOperation
from retryscope_service.settings import Settings
from retryscope_service.upstream.embedded import UpstreamAddress, upstream_of


def database_of(settings: Settings) -> Database:
    """The database that a process uses, not yet open."""
    return Database(settings.database_address, connections=settings.database_connections)


@asynccontextmanager
async def dependencies(
    settings: Settings, process: str, registry: CollectorRegistry
) -> AsyncIterator[tuple[Operations, UpstreamAddress]]:
    """All of them, and where the upstream is.

    Args:
        settings: Which they are.
        process: What names this one, in the rows that it ends.
        registry: Where their metrics are registered.

    Raises:
        DatabaseRefusedError: The database can't be used.
        AddressInUseError: The port of the upstream is taken.
        ValueError: A setting of the upstream, or of the operation `http`, is not valid.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(database_of(settings))
        tables = ShopDatabase(database)
        upstream = await stack.enter_async_context(upstream_of(settings, registry, Books(tables)))
        http = await stack.enter_async_context(http_operation(upstream.url, settings.http_allowed_hosts))
        file = await stack.enter_async_context(FileOperation(registry))
        shop = None
        is_alone = settings.database_url is None
        # Else the shop's books would be in another database.
        if settings.upstream_url is None or not is_alone:
            shop = Shop(Orders(tables, process, registry), ShopClient(http.session, upstream.url))
            await stack.enter_async_context(in_background(keep_recovering(shop, alone=is_alone)))
        yield Operations({"http": http, "sql": SqlOperation(database), "file": file}, shop), upstream
