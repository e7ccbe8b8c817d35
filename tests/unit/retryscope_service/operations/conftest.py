"""Real databases: an SQLite file, and a PostgreSQL where Debian's package is installed."""

from collections.abc import AsyncIterator, Iterator

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from retryscope_service.operations.database import Database
from tests.support.recorded import Recorded, recording


@pytest.fixture
def provider() -> TracerProvider:
    """Where spans of queries go, and all others."""
    return TracerProvider(shutdown_on_exit=False, resource=Resource.get_empty())


@pytest.fixture
def recorded(provider: TracerProvider) -> Iterator[Recorded]:
    """Telemetry in memory."""
    with recording(provider=provider) as recorded:
        yield recorded


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest) -> str | None:
    """Of a new, empty database; None is SQLite's file."""
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("postgres").new_database()
    return url


@pytest.fixture
async def database(
    address: str | None, recorded: Recorded, provider: TracerProvider
) -> AsyncIterator[Database]:
    """It, opened."""
    async with Database(address, connections=5, tracer_provider=provider) as database:
        recorded.log.clear()
        yield database
