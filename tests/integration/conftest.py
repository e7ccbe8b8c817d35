"""What the integration tests share: the real service, and a collector of our own."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.process import Service
from tests.support.redis import RedisServer, redis_server


@contextmanager
def running_service(folder: Path, **variables: str) -> Iterator[Service]:
    """A service that is ready; at the end of the block it is stopped, if it still runs, and must end well."""
    service = Service(folder, **variables)
    try:
        service.wait_until_ready()
        yield service
        if service.process.poll() is None:
            service.stop()
    finally:
        service.kill()
        sys.stdout.write(service.output)  # pytest shows it where the test fails


StartService = Callable[..., Service]


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[StartService]:
    """Start a service, with environment variables as keyword arguments."""
    with ExitStack() as stack:
        names = (tmp_path / f"service-{number}" for number in range(1, 100))

        def start(**variables: str) -> Service:
            return stack.enter_context(running_service(next(names), **variables))

        yield start


@pytest.fixture
def service(start_service: StartService) -> Service:
    """A service with its defaults."""
    return start_service()


@pytest.fixture
def collector() -> Iterator[OtlpReceiver]:
    """A collector that takes everything."""
    with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client for many requests at once."""
    connector = aiohttp.TCPConnector(limit=400)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(120)) as session:
        yield session


@pytest.fixture(scope="module")
def redis(
    system_tool: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedisServer]:
    """A Redis for the tests of one file."""
    with redis_server(system_tool("redis-server"), tmp_path_factory.mktemp("redis")) as server:
        yield server
