"""What the tests of the commands share: a clean environment, and a service that ends as soon as it starts."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from retryscope_service import process
from retryscope_service.process import OnReady
from retryscope_service.settings import Settings
from retryscope_service.upstream.embedded import UpstreamAddress

UPSTREAM = UpstreamAddress("http://127.0.0.1:4321", "drawn-for-this-start")


@pytest.fixture(autouse=True)
def _the_process_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command configures the logs of the whole process."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RETRYSCOPE_{name.upper()}", raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    asyncio.set_event_loop(None)


@pytest.fixture
def workers() -> list[bool]:
    """For each start of the service, whether with a worker."""
    return []


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, workers: list[bool]) -> list[Settings]:
    """The settings with which the service was started; it ends at once."""
    started: list[Settings] = []

    async def serve(settings: Settings, on_ready: OnReady, *, with_worker: bool) -> None:
        started.append(settings)
        workers.append(with_worker)
        on_ready(f"http://{settings.host}:{settings.port}", UPSTREAM)

    monkeypatch.setattr(process, "serve", serve)
    return started


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings with which a worker was started; it ends at once."""
    started: list[Settings] = []

    async def work(settings: Settings, on_ready: OnReady) -> None:
        started.append(settings)
        on_ready(f"http://{settings.host}:{settings.worker_port}", UPSTREAM)

    monkeypatch.setattr(process, "work", work)
    return started
