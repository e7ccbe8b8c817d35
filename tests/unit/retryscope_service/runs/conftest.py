"""Engines for the tests of background runs: the embedded one, and a real Redis of the tests' own."""

import time
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from retryscope import RetryPolicy, retry
from retryscope_service.runs import engine_retry
from retryscope_service.runs.engine import Engine, EngineError
from retryscope_service.runs.events import RunEvents
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.store import RunStore
from tests.conftest import find_system_tool
from tests.support.recorded import Recorded, recording
from tests.support.redis import RedisServer, redis_server
from tests.unit.retryscope_service.runs.bench import Bench


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for all tests of this process; each one begins with an empty one."""
    with redis_server(find_system_tool("redis-server"), tmp_path_factory.mktemp("redis")) as server:
        yield server


def memory_url() -> str:
    """An embedded engine that no other test has."""
    return f"memory://{uuid.uuid4()}"


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    """The embedded engine, without a worker."""
    async with Engine(memory_url(), connections=20, redelivery_seconds=5) as engine:
        yield engine


@pytest.fixture(params=["memory", "redis"])
async def any_engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    """Each kind of engine."""
    url = memory_url()
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        assert server.command("FLUSHALL") == "+OK"
        url = server.url
    async with Engine(url, connections=20, redelivery_seconds=1) as engine:
        yield engine


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the engine waits shortly; how long for is told in ``test_engine_retry.py``."""
    for name, attempts in (("_for_client", 2), ("_for_run", 50)):
        policy = RetryPolicy(
            max_attempts=attempts, base_delay=0.002, max_delay=0.002, retry_on=(EngineError,)
        )
        monkeypatch.setattr(engine_retry, name, retry(engine_retry.ENGINE_CALL, policy))


@pytest.fixture
def runs(engine: Engine) -> RunStore:
    """The records on the embedded engine."""
    return RunStore(engine)


@pytest.fixture
def events() -> RunEvents:
    """Collects the events of this test's spans."""
    return RunEvents()


@pytest.fixture
def timed(events: RunEvents) -> Iterator[Recorded]:
    """Telemetry in memory, on the real clock."""
    with recording(time_ns=time.time_ns, span_processors=[events]) as recorded:
        yield recorded


@pytest.fixture
def metrics(timed: Recorded) -> RunMetrics:
    """The metrics of background runs."""
    return RunMetrics(timed.registry)


@pytest.fixture
def bench(runs: RunStore, events: RunEvents, metrics: RunMetrics, timed: Recorded) -> Bench:
    """A worker, and deliveries to it without an engine."""
    return Bench(runs, events, metrics, timed)
