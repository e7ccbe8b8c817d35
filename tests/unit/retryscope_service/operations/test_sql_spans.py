"""The span of a query: its place, its end, and what the conventions for databases want on it."""

import asyncio
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from retryscope import Operation, step, timeout
from retryscope_service.operations.database import Database
from retryscope_service.operations.sql import SqlOperation
from retryscope_service.operations.sql_spans import summary
from retryscope_service.operations.task import Task
from tests.support.polling import until
from tests.support.recorded import Recorded

REAL_LOOP = True

QUERY = Operation("query", workflow="tests")


def of_queries(recorded: Recorded) -> list[ReadableSpan]:
    return [span for span in recorded.spans() if span.kind is SpanKind.CLIENT]


def said(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


async def test_it_is_below_the_operation_that_awaits_it(database: Database, recorded: Recorded) -> None:
    async def one(name: str) -> None:
        async with step(QUERY, name=name):
            await SqlOperation(database)(Task(name, 0.01), None)

    await asyncio.gather(one("a"), one("b"))
    assert recorded.outline() == "task query\n  SELECT\ntask query\n  SELECT\n"


async def test_it_says_what_was_asked_of_which_database_and_no_value(
    database: Database, recorded: Recorded
) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("CREATE TABLE secrets (word VARCHAR(20))"))
        await connection.execute(text("INSERT INTO secrets VALUES (:word)"), {"word": "hush"})
    span = of_queries(recorded)[-1]
    assert span.name == "INSERT secrets"
    attributes = said(span)
    assert "hush" not in str(attributes)
    assert attributes.pop("db.query.text").startswith("INSERT INTO secrets VALUES (")
    expected = {
        "db.operation.name": "INSERT",
        "db.collection.name": "secrets",
        "resilience.outcome": "success",
    }
    if database.kind == "sqlite":
        expected |= {"db.system.name": "sqlite", "db.namespace": "retryscope.db"}
    else:
        expected |= {
            "db.system.name": "postgresql",
            "db.namespace": str(database.engine.url.database),
            "server.address": str(database.engine.url.query["host"]),
        }
    assert attributes == expected
    assert span.status.status_code is StatusCode.UNSET


async def test_an_error_has_the_databases_own_code(database: Database, recorded: Recorded) -> None:
    with pytest.raises(DBAPIError):
        async with database.connect() as connection:
            await connection.execute(text("SELEKT 1"))
    (span,) = of_queries(recorded)
    code = "SQLITE_ERROR" if database.kind == "sqlite" else "42601"
    assert said(span)["error.type"] == said(span)["db.response.status_code"] == code
    assert said(span)["resilience.outcome"] == "error"
    assert span.status.status_code is StatusCode.ERROR
    assert "syntax error" in str(span.status.description)


async def test_an_error_does_not_repeat_values(database: Database, recorded: Recorded) -> None:
    """Which PostgreSQL names in its details."""
    insert = text("INSERT INTO secrets VALUES (:word)")
    async with database.connect() as connection:
        await connection.execute(text("CREATE TABLE secrets (word VARCHAR(20) PRIMARY KEY)"))
        await connection.execute(insert, {"word": "hush"})
        with pytest.raises(DBAPIError):
            await connection.execute(insert, {"word": "hush"})
    failed = [span for span in of_queries(recorded) if span.status.status_code is StatusCode.ERROR]
    assert [span.name for span in failed] == ["INSERT secrets"]
    assert "hush" not in failed[0].to_json()


async def test_one_that_is_cancelled_ends_then_and_is_no_error(
    database: Database, recorded: Recorded
) -> None:
    running = asyncio.create_task(SqlOperation(database)(Task("query", 3600.0), None))
    await until(lambda: recorded.log.started, "the query runs")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    (span,) = of_queries(recorded)
    assert said(span)["resilience.outcome"] == "cancelled"
    assert "error.type" not in said(span)
    assert span.status.status_code is StatusCode.UNSET


async def test_one_that_runs_out_of_time_is_cancelled_by_the_timeout_above_it(
    database: Database, recorded: Recorded
) -> None:
    await SqlOperation(database)(Task("query", 0.0), None)  # its connection is there afterwards
    recorded.log.clear()
    with pytest.raises(TimeoutError):
        async with timeout(QUERY, 0.5):
            await SqlOperation(database)(Task("query", 3600.0), None)
    assert recorded.outline() == "timeout query\n  SELECT\n"
    (span,) = of_queries(recorded)
    assert said(span)["resilience.outcome"] == "cancelled"


async def test_a_connection_that_cannot_be_had_is_no_query(recorded: Recorded, tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="RETRYSCOPE_DATABASE_URL"):
        async with Database(f"sqlite:///{tmp_path}/missing/shop.db"):
            pass
    assert recorded.spans() == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT a FROM orders WHERE b = ?", ("SELECT", "orders")),
        ("INSERT INTO orders VALUES (?)", ("INSERT", "orders")),
        ("UPDATE orders SET a = ?", ("UPDATE", "orders")),
        ("delete from orders", ("DELETE", "orders")),
        ("WITH n(i) AS (SELECT 1) SELECT i FROM n", ("SELECT", "")),
        ("BEGIN IMMEDIATE", ("BEGIN", "")),
        ("", ("UNKNOWN", "")),
    ],
)
def test_its_name_is_of_low_cardinality(statement: str, expected: tuple[str, str]) -> None:
    assert summary(statement) == expected
