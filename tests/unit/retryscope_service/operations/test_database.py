"""The database of a process: which URLs it takes, what it says of those that it can't use, how it is kept."""

import asyncio
import os
import re
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from retryscope_service.operations import database as database_module
from retryscope_service.operations.database import Database, DatabaseRefusedError, database_url
from tests.support.polling import LIMIT
from tests.support.postgresql import PostgresServer

REAL_LOOP = True


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("sqlite:////var/lib/shop.db", "sqlite+aiosqlite:////var/lib/shop.db"),
        ("sqlite+aiosqlite:///shop.db", "sqlite+aiosqlite:///shop.db"),
        ("postgresql://user@host/shop", "postgresql+asyncpg://user@host/shop"),
        ("postgresql+asyncpg://user:p%40s@host:1/shop", "postgresql+asyncpg://user:p%40s@host:1/shop"),
    ],
)
def test_a_url_gets_the_driver_of_its_database(address: str, url: str) -> None:
    assert database_url(address).render_as_string(hide_password=False) == url


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nonsense",
        "mysql://user:s3cret@host/shop",
        "postgresql+psycopg://user:s3cret@host/shop",
        "postgresql://user:s3cret@host:port/shop",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_another_url_is_refused_by_the_name_of_the_setting_and_not_repeated(address: str) -> None:
    with pytest.raises(DatabaseRefusedError, match=r"^RETRYSCOPE_DATABASE_URL: ") as refused:
        Database(address)
    assert "s3cret" not in str(refused.value)


async def refusal(address: str) -> str:
    with pytest.raises(DatabaseRefusedError, match=r"^RETRYSCOPE_DATABASE_URL: ") as refused:
        async with Database(address):
            pass
    assert "s3cret" not in str(refused.value)
    return str(refused.value)


async def test_a_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    assert "unable to open database file" in await refusal(f"sqlite:///{tmp_path}/missing/shop.db")


async def test_a_server_that_cannot_be_reached_is_refused(tmp_path: Path) -> None:
    said = await refusal(f"postgresql://user:s3cret@/shop?host={tmp_path}")
    assert "user:***@" in said
    assert "can't be used" in said


async def test_what_the_driver_does_not_know_is_refused(tmp_path: Path) -> None:
    said = await refusal(f"postgresql://user@/shop?host={tmp_path}&sslmode_=1&password=s3cret")
    assert "sslmode_" in said


async def test_a_database_that_is_not_there_is_refused(postgres: PostgresServer) -> None:
    address = re.sub(r"/test\d+", "/another", postgres.new_database())
    assert 'database "another" does not exist' in await refusal(address)


async def test_without_a_url_it_is_a_file_that_only_this_user_reads_and_that_is_gone_at_the_end() -> None:
    async with Database() as database:
        file = str(database.engine.url.database)
        folder = os.path.dirname(file)  # noqa: PTH120
        assert os.path.exists(file)  # noqa: PTH110, ASYNC240
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700  # noqa: PTH116
    assert not os.path.exists(folder)  # noqa: PTH110, ASYNC240


async def test_a_start_that_is_cancelled_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(database_module, "_open_once", cancel)
    with pytest.raises(asyncio.CancelledError):
        async with Database():
            pass
    assert os.listdir(tmp_path) == []  # noqa: PTH208


async def test_a_file_of_ones_own_stays(tmp_path: Path) -> None:
    async with Database(f"sqlite:///{tmp_path}/shop.db") as database, database.transaction() as connection:
        await connection.execute(text("CREATE TABLE kept (id INTEGER)"))
    async with Database(f"sqlite:///{tmp_path}/shop.db") as database, database.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM kept"))).scalar_one() == 0


@asynccontextmanager
async def setting(database: Database, name: str) -> AsyncIterator[object]:
    async with database.connect() as connection:
        yield (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()


@pytest.mark.parametrize(
    ("name", "value"), [("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 5000)]
)
async def test_sqlite_lets_many_read_waits_for_locks_and_checks_keys(name: str, value: object) -> None:
    async with Database() as database, setting(database, name) as found:
        assert found == value


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("CREATE TABLE kept (id INTEGER PRIMARY KEY)"))
        await connection.execute(text("INSERT INTO kept VALUES (1)"))

    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute(text("INSERT INTO kept VALUES (2)"))
            await connection.execute(text("INSERT INTO kept VALUES (1)"))

    with pytest.raises(DBAPIError):
        await fail()
    async with database.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM kept"))).scalar_one() == 1


async def test_a_statement_outside_of_a_transaction_is_kept_at_once(database: Database) -> None:
    async with database.connect() as connection:
        await connection.execute(text("CREATE TABLE kept (id INTEGER)"))
        async with database.connect() as other:
            assert (await other.execute(text("SELECT count(*) FROM kept"))).scalar_one() == 0


@pytest.mark.parametrize("address", [None], ids=["sqlite"])
async def test_a_transaction_that_is_cancelled_keeps_no_lock_while_the_cancel_is_handled(
    database: Database,
) -> None:
    """A cursor that has rows left is kept by the cancel's traceback, and would keep SQLite's lock."""

    async def write_and_read() -> None:
        async with database.transaction() as connection:
            await connection.execute(text("CREATE TABLE IF NOT EXISTS numbers (i INTEGER)"))
            for _ in range(5):
                await connection.execute(text("INSERT INTO numbers VALUES (1), (2), (3) RETURNING i"))

    for turns in range(60):
        running = asyncio.create_task(write_and_read())
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        try:
            await running
        except asyncio.CancelledError:
            async with database.transaction() as connection:
                await connection.execute(text("PRAGMA user_version"))


async def test_closing_a_connection_of_sqlite_that_was_stopped_ends() -> None:
    """As after a cancel in the midst of it: the thread is gone, and nobody would answer."""
    async with Database() as database, database.connect() as connection:
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        assert driver is not None
        closing = asyncio.create_task(driver.close())
        await asyncio.sleep(0)  # its thread is asked
        driver.stop()
        await asyncio.wait_for(closing, LIMIT)
        await connection.invalidate()
