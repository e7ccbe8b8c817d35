"""The SQL database of a process: SQLite in a file by default, PostgreSQL by URL."""

import asyncio
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from opentelemetry.trace import TracerProvider
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from retryscope_service.operations import sql_spans

SETTING: Final = "RETRYSCOPE_DATABASE_URL"
CONNECT_SECONDS: Final = 10.0
POOL_SECONDS: Final = 30.0
"""How long somebody waits for a connection while all are in use."""
BUSY_MS: Final = 5_000
"""How long SQLite waits for a lock of another connection."""
PROGRESS_STEPS: Final = 1_000
"""Of SQLite's virtual machine, after which a query looks whether somebody still waits for it."""

CLIENT_CHECK_MS: Final = 1_000
"""How often PostgreSQL looks, during a query, whether its client is still there."""

_DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}
_ABANDONED: Final = "retryscope_abandoned"
_rolling_back: Final[set[asyncio.Future[None]]] = set()
"""Strong references: the event loop keeps only weak ones."""


class DatabaseRefusedError(ValueError):
    """The database can't be used as it is set; the text names the setting, and no password."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{SETTING}: {why}")


def database_url(address: str) -> URL:
    """A URL with the driver that the service uses.

    Raises:
        DatabaseRefusedError: It is none of a database that can be used.

    >>> str(database_url("postgresql://localhost/shop"))
    'postgresql+asyncpg://localhost/shop'
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise DatabaseRefusedError(
            "it can't be parsed: it is like sqlite:////var/lib/retryscope.db or postgresql://user@host/name,"
            " with user and password percent-encoded"
        ) from None
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None or url.drivername not in (driver, url.get_backend_name()):
        raise DatabaseRefusedError(f"it must start with one of {', '.join(f'{each}://' for each in known())}")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise DatabaseRefusedError("SQLite needs a file, as in sqlite:////var/lib/retryscope.db")
    return url.set(drivername=driver)


def known() -> list[str]:
    """The schemes that are understood."""
    return sorted({*_DRIVERS, *_DRIVERS.values()})


class Database:
    """An engine with its bounded pool; an async context manager.

    A query whose caller is cancelled, or runs out of time, stops at the server: PostgreSQL is sent a cancel
    request (by asyncpg), SQLite is told by what :func:`_prepare_sqlite` puts into each connection. The
    connection is then replaced.

    Args:
        address: ``sqlite://`` or ``postgresql://`` URL with its password; None: an SQLite file of this
            process alone, which is gone at its end.
        connections: Most at a time.
        tracer_provider: Takes the spans of queries; None: the global one.
    """

    engine: AsyncEngine

    def __init__(
        self,
        address: str | None = None,
        *,
        connections: int = 20,
        tracer_provider: TracerProvider | None = None,
    ) -> None:
        self._url = None if address is None else database_url(address)
        self._connections = connections
        self._tracer_provider = tracer_provider

    async def __aenter__(self) -> Self:
        """Open it, and use it once.

        Raises:
            DatabaseRefusedError: It can't be used.
        """
        async with AsyncExitStack() as stack:
            url = self._url or _file_of_its_own(stack)
            self.engine = _engine(url, self._connections)
            sql_spans.trace_queries(self.engine.sync_engine, self._tracer_provider)
            stack.push_async_callback(self.engine.dispose)
            try:
                if self.kind == "sqlite":
                    _open_once(url)
                else:
                    async with self.connect():
                        pass
            except (DBAPIError, sqlite3.Error, OSError, TypeError, ValueError) as error:
                # The last two are the driver's, of what stands behind the "?".
                raise DatabaseRefusedError(_said(error, url)) from None
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which each statement is a transaction of its own."""
        async with self.engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: committed at the end of the block, rolled back where that raises.

        SQLite takes its one write lock at the beginning: taken later, it could not be waited for.
        """
        async with self.engine.begin() as connection:
            yield connection


def _file_of_its_own(stack: AsyncExitStack) -> URL:
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="retryscope-database-"))
    return database_url(f"sqlite:///{Path(folder) / 'retryscope.db'}")


def _open_once(url: URL) -> None:
    """Let SQLite say what is wrong with a file; without a thread, which might outlive the loop."""
    with closing(sqlite3.connect(str(url.database))) as connection:
        connection.execute("PRAGMA user_version").fetchone()


def _engine(url: URL, connections: int) -> AsyncEngine:
    options: dict[str, Any] = {
        "pool_size": connections,
        "max_overflow": 0,
        "pool_timeout": POOL_SECONDS,
        "hide_parameters": True,
    }
    if url.get_backend_name() == "sqlite":
        # Autocommit: transactions are begun by _begin alone.
        engine = create_async_engine(url, connect_args={"isolation_level": None}, **options)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin)
        event.listen(engine.sync_engine, "handle_error", _abandon)
        return engine
    return create_async_engine(
        url,
        connect_args={
            "timeout": CONNECT_SECONDS,
            "server_settings": {
                "application_name": "retryscope",
                # A cancel request that overtakes its query is lost. The connection is closed as well, which
                # the server notices by this.
                "client_connection_check_interval": str(CLIENT_CHECK_MS),
            },
        },
        pool_pre_ping=True,  # a server that was started again is no failure of the next run
        **options,
    )


def _prepare_sqlite(connection: Any, record: Any) -> None:
    """Settings of a new connection, and what lets a query be abandoned.

    ``interrupt()`` would miss one that its thread has not begun yet; both functions ask before anything else.
    """
    abandoned = threading.Event()
    record.info[_ABANDONED] = abandoned

    def nap(seconds: float) -> int:
        if abandoned.wait(seconds):
            raise RuntimeError("nobody waits for this query any more")
        return 1

    def fail() -> None:
        raise RuntimeError("a failure was drawn")

    async def prepare(driver: Any) -> None:
        for setting in (f"busy_timeout = {BUSY_MS}", "journal_mode = WAL", "foreign_keys = ON"):
            await driver.execute_fetchall(f"PRAGMA {setting}")
        await driver.create_function("nap", 1, nap)
        await driver.create_function("fail", 0, fail)
        await driver.set_progress_handler(abandoned.is_set, PROGRESS_STEPS)

    connection.run_async(prepare)
    _stop_once(connection.driver_connection)


def _stop_once(driver: Any) -> None:
    """Let a second ``stop()`` be nothing to wait for: the thread that would answer it has ended by then.

    A cancel while SQLAlchemy closes a connection makes it stop it at once; the closing, which goes on, stops
    it as well, and would wait for ever.
    """
    stop = driver.stop

    def stop_once() -> Any:
        driver.stop = lambda: None
        return stop()

    driver.stop = stop_once


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _abandon(context: ExceptionContext) -> None:
    """A cancel came out of a query: its thread is to stop; the connection is replaced by SQLAlchemy.

    SQLAlchemy closes it, but SQLite keeps its lock for as long as a cursor has rows left to give, and the
    cursor is kept by whoever handles the cancel: so it is rolled back first, in a task that comes before.
    """
    connection = context.connection
    if connection is not None and not isinstance(context.original_exception, Exception):
        connection.info[_ABANDONED].set()
        driver: Any = connection.connection.driver_connection
        task = asyncio.ensure_future(_roll_back(driver))
        _rolling_back.add(task)
        task.add_done_callback(_rolling_back.discard)


async def _roll_back(driver: Any) -> None:
    with suppress(sqlite3.Error, ValueError):  # what is closed needs none
        await driver.rollback()


def _said(error: Exception, url: URL) -> str:
    """Why a database can't be used, without any password."""
    shown = url.difference_update_query(("password",)).render_as_string(hide_password=True)
    if isinstance(error, TimeoutError):
        return f"{shown} does not answer within {CONNECT_SECONDS:g} s"
    reason = str(error.orig if isinstance(error, DBAPIError) else error) or type(error).__name__
    for password in (url.password, url.query.get("password")):
        if password:
            reason = reason.replace(str(password), "***")
    return f"{shown} can't be used: {reason}"
