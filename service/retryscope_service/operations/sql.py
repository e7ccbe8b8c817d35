"""A query that is really slow, and really fails."""

import socket
from typing import Any, Final

from pydantic import Field
from sqlalchemy import TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from retryscope_service.operations.database import Database
from retryscope_service.operations.parameters import Integer, Parameters
from retryscope_service.operations.sql_spans import status_code
from retryscope_service.operations.task import Task

_SLOW: Final[dict[str, TextClause]] = {
    "sqlite": text(
        "WITH RECURSIVE step(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM step WHERE n < :rows)"
        " SELECT sum(nap(:pause)) FROM step"
    ),
    "postgresql": text(
        "WITH step AS MATERIALIZED (SELECT n, pg_sleep(:pause) FROM generate_series(1, :rows) AS n)"
        " SELECT count(*) FROM step"
    ),
}
_FAILING: Final[dict[str, TextClause]] = {
    "sqlite": text("SELECT fail()"),
    # The error that a serializable transaction ends with when another one came first.
    "postgresql": text(
        "DO $$ BEGIN RAISE EXCEPTION 'could not serialize access (drawn by the run)'"
        " USING ERRCODE = 'serialization_failure'; END $$"
    ),
}

_TRANSIENT_CLASSES: Final = ("08", "40", "53", "57")
"""Of SQLSTATE: connection, rollback (serialization, deadlock), resources, intervention (shutdown)."""
_NOT_TRANSIENT: Final = frozenset({"57014"})
"""In such a class: somebody at the server has cancelled the query."""
_LOCK_NOT_AVAILABLE: Final = "55P03"
_SQLITE_TRANSIENT: Final = ("SQLITE_BUSY", "SQLITE_LOCKED")
_DRAWN: Final = "user-defined function raised exception"
"""What SQLite says of `fail`, which stands for the conflicts that PostgreSQL has."""


class SqlParams(Parameters):
    """A query that goes through rows slowly."""

    rows: Integer = Field(
        10, ge=1, le=10_000, description="Rows that the query goes through in the task's time."
    )


class SqlOperation:
    """A query of about the task's seconds; a drawn failure is an error of the database after that time.

    When it is cancelled, or runs out of time, the query stops at the server.

    Args:
        database: Where it runs.
    """

    errors: tuple[type[Exception], ...] = (DBAPIError, PoolTimeoutError, ConnectionError, socket.gaierror)

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, task: Task, params: SqlParams | None) -> dict[str, Any]:
        """Run the query; how many rows it has gone through.

        Raises:
            sqlalchemy.exc.DBAPIError: The database has failed.
            sqlalchemy.exc.TimeoutError: All connections were in use for too long.
            OSError: It can't be reached.
        """
        rows = (params or SqlParams()).rows
        fails = task.fails()
        database = self._database
        async with database.connect() as connection:
            pause = {"rows": rows, "pause": task.seconds / rows}
            seen = (await connection.execute(_SLOW[database.kind], pause)).scalar_one()
            if fails:
                await connection.execute(_FAILING[database.kind])
        return {"rows": int(seen)}

    def is_transient(self, error: Exception) -> bool:
        """Whether another attempt may succeed."""
        return is_transient(error)

    def check(self, params: SqlParams | None) -> None:
        """Whatever is valid may be performed."""


def is_transient(error: Exception) -> bool:
    """Whether a database's error is one of the moment: a conflict, a lock, a lost or refused connection.

    >>> is_transient(ConnectionRefusedError())
    True
    """
    if not isinstance(error, DBAPIError):
        return isinstance(error, (PoolTimeoutError, ConnectionError, socket.gaierror))
    if error.connection_invalidated:
        return True
    code = status_code(error.orig) if error.orig is not None else ""
    if code.startswith("SQLITE_"):
        return code.startswith(_SQLITE_TRANSIENT) or _DRAWN in str(error.orig)
    return code == _LOCK_NOT_AVAILABLE or (code.startswith(_TRANSIENT_CLASSES) and code not in _NOT_TRANSIENT)
