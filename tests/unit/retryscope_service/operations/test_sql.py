"""The `sql` operation, on SQLite and on PostgreSQL."""

import asyncio
import random
import socket
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from retryscope_service.operations.database import Database
from retryscope_service.operations.sql import SqlOperation, SqlParams, is_transient
from retryscope_service.operations.task import Task
from tests.support.polling import until
from tests.support.postgresql import PostgresServer
from tests.support.recorded import Recorded

REAL_LOOP = True

LONG = Task("query", 3600.0)
CANCELS = 200


def checked_out(database: Database) -> int:
    out: int = database.engine.pool.checkedout()  # type: ignore[attr-defined]
    return out


async def queries_at_the_server(database: Database) -> int:
    """Those that PostgreSQL runs for others than this one; threads of SQLite that no idle connection has."""
    if database.kind == "sqlite":
        await database.engine.dispose()
        return sum("_connection_worker_thread" in each.name for each in threading.enumerate())
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' AND datname = current_database()"
    )
    async with database.connect() as connection:
        return int((await connection.execute(query)).scalar_one())


async def nothing_is_left_of_it(database: Database) -> None:
    await until(partial(checked_out, database), "all connections are back", lambda count: count == 0)
    await until(partial(queries_at_the_server, database), "no query runs", lambda count: count == 0)


async def test_the_query_takes_the_tasks_time_and_goes_through_its_rows(database: Database) -> None:
    """Not less: on a slow machine more."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await SqlOperation(database)(Task("query", 0.05), SqlParams(rows=7)) == {"rows": 7}
    assert loop.time() - began >= 0.05


async def test_without_parameters_it_has_its_defaults(database: Database) -> None:
    assert await SqlOperation(database)(Task("query", 0.0), None) == {"rows": 10}


async def test_a_drawn_failure_is_an_error_of_the_database_that_another_attempt_may_not_meet(
    database: Database,
) -> None:
    operation = SqlOperation(database)
    with pytest.raises(DBAPIError) as failed:
        await operation(Task("query", 0.0, 1.0), None)
    assert isinstance(failed.value, operation.errors)
    assert operation.is_transient(failed.value)
    assert await operation(Task("query", 0.0), None) == {"rows": 10}


async def test_the_same_seed_fails_the_same_times(database: Database) -> None:
    async def outcomes() -> list[bool]:
        operation, rng = SqlOperation(database), random.Random(5)
        found = []
        for _ in range(20):
            try:
                await operation(Task("query", 0.0, 0.5, rng), SqlParams(rows=1))
            except DBAPIError:
                found.append(False)
            else:
                found.append(True)
        return found

    first = await outcomes()
    assert set(first) == {True, False}
    assert await outcomes() == first


async def started(database: Database, recorded: Recorded) -> "asyncio.Task[object]":
    """A query of an hour that the database has begun."""
    running = asyncio.create_task(SqlOperation(database)(LONG, None))
    await until(lambda: recorded.log.started, "the query runs")
    return running


async def test_a_cancelled_query_stops_at_the_server(database: Database, recorded: Recorded) -> None:
    running = await started(database, recorded)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await nothing_is_left_of_it(database)
    assert await SqlOperation(database)(Task("query", 0.0), None) == {"rows": 10}


async def test_a_query_that_runs_out_of_time_stops_at_the_server(database: Database) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await SqlOperation(database)(LONG, None)
    await nothing_is_left_of_it(database)
    assert await SqlOperation(database)(Task("query", 0.0), None) == {"rows": 10}


async def test_whenever_it_is_cancelled_nothing_runs_on_and_no_connection_is_lost(database: Database) -> None:
    """Before it has a connection too, as there are more queries than connections."""
    moments = random.Random(15)
    operation = SqlOperation(database)

    async def cancelled() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(moments.uniform(0.0, 0.04)):
                await operation(Task("query", moments.choice([0.01, 3600.0])), None)

    for _ in range(CANCELS // 20):
        await asyncio.gather(*(cancelled() for _ in range(20)))
    await nothing_is_left_of_it(database)
    assert await operation(Task("query", 0.0), None) == {"rows": 10}


@pytest.mark.parametrize("address", [None], ids=["sqlite"])
async def test_sqlite_stops_within_a_query_that_only_counts(database: Database) -> None:
    """What it counts no longer grows: the thread that goes through rows has ended."""
    seen = 0

    def tick() -> int:
        nonlocal seen
        seen += 1
        return 1

    endless = text(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(tick()) FROM n"
    )

    async def count() -> None:
        async with database.connect() as connection:
            raw: Any = await connection.get_raw_connection()
            await raw.driver_connection.create_function("tick", 0, tick)
            await connection.execute(endless)

    running = asyncio.create_task(count())
    await until(lambda: seen > 1000, "it counts")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await nothing_is_left_of_it(database)
    before = seen
    await SqlOperation(database)(Task("query", 0.05), None)
    assert seen == before


# Which errors are of the moment


async def refused(database: Database, *statements: str) -> Exception:
    async with database.connect() as connection:
        for each in statements[:-1]:
            await connection.execute(text(each))
        with pytest.raises(DBAPIError) as failed:
            await connection.execute(text(statements[-1]))
        return failed.value


async def test_a_statement_that_is_wrong_is_wrong_again(database: Database) -> None:
    assert not is_transient(await refused(database, "SELEKT 1"))


async def test_a_constraint_stays_violated(database: Database) -> None:
    create = "CREATE TABLE once (id INTEGER PRIMARY KEY)"
    insert = "INSERT INTO once VALUES (1)"
    assert not is_transient(await refused(database, create, insert, insert))


async def test_a_locked_database_is_one_later(tmp_path: Path) -> None:
    """SQLite has one lock for those that write."""
    async with Database(f"sqlite:///{tmp_path}/shop.db") as database:
        async with database.transaction(), database.connect() as other:
            await other.execute(text("PRAGMA busy_timeout = 0"))
            with pytest.raises(DBAPIError) as failed:
                await other.execute(text("CREATE TABLE another (id INTEGER)"))
        assert is_transient(failed.value)


@pytest.mark.parametrize(
    ("state", "transient"),
    [
        ("40001", True),  # serialization failure
        ("40P01", True),  # deadlock
        ("55P03", True),  # a lock is not available
        ("53300", True),  # too many connections
        ("57P01", True),  # the server is shut down
        ("57014", False),  # somebody has cancelled the query
        ("42601", False),  # syntax
        ("23505", False),  # a unique key
    ],
)
async def test_postgresql_says_by_its_sqlstate_what_is_of_the_moment(
    postgres: PostgresServer, state: str, transient: bool
) -> None:
    async with Database(postgres.new_database()) as database:
        error = await refused(database, f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$")
    assert is_transient(error) is transient


async def test_a_lost_connection_is_one_of_the_moment(postgres: PostgresServer) -> None:
    async with Database(postgres.new_database()) as database:
        error = await refused(database, "SELECT pg_terminate_backend(pg_backend_pid())")
        assert is_transient(error)
        assert await SqlOperation(database)(Task("query", 0.0), None) == {"rows": 10}


@pytest.mark.parametrize("error", [ConnectionRefusedError(), socket.gaierror()], ids=["refused", "no name"])
def test_a_database_that_cannot_be_reached_may_be_later(error: Exception) -> None:
    assert is_transient(error)
    assert isinstance(error, SqlOperation.errors)


def test_no_other_error_is_of_the_moment() -> None:
    assert not is_transient(ValueError())
