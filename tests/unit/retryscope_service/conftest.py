"""Every test of the service runs on a virtual clock, with telemetry in memory.

A module that sets ``REAL_LOOP = True`` runs on a real event loop: virtual time does not wait for an engine.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest

from retryscope import operation
from retryscope_service.console.console import Console
from retryscope_service.traces.span_store import SpanStore
from tests.support.clock import real_loop, virtual_loop
from tests.support.recorded import Recorded, recording
from tests.unit.retryscope_service.helpers import Api, serving


@pytest.hookimpl(tryfirst=True)
def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if getattr(getattr(item, "module", None), "REAL_LOOP", False):
        return {"real": real_loop}
    return {"virtual": virtual_loop}


@pytest.fixture(autouse=True)
def _declarations_of_this_test_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "_declared", dict(operation._declared))


@pytest.fixture
def console() -> Console:
    """What the service remembers for /traces and the page."""
    return Console(SpanStore(max_traces=500, max_spans=200_000))


@pytest.fixture
def recorded(console: Console) -> Iterator[Recorded]:
    """Telemetry in memory, on the virtual clock."""
    with recording(span_processors=[console.feed]) as recorded:
        yield recorded


@pytest.fixture
async def api(recorded: Recorded, console: Console) -> AsyncIterator[Api]:
    """The service with its default settings, and a client."""
    async with serving(recorded, console) as api:
        yield api
