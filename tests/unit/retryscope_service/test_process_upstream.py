"""The flaky upstream in the service's process, and as a process of its own, until a signal ends it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession
from yarl import URL

import retryscope
from retryscope import semconv
from retryscope._recording.telemetry import install
from retryscope_service import dependencies
from retryscope_service.process import serve_upstream
from retryscope_service.settings import Settings
from retryscope_service.signals import REPEAT_SECONDS
from retryscope_service.upstream.embedded import UpstreamAddress, upstream_of
from tests.support.recorded import Recorded
from tests.support.signals import stop_signals_as_before
from tests.unit.retryscope_service.helpers import announced, served


@dataclass(frozen=True)
class Alone:
    """A running ``retryscope upstream``."""

    serving: asyncio.Task[None]
    session: ClientSession

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(path) as response:
            return response.status, await response.text()


@asynccontextmanager
async def alone(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> AsyncIterator[Alone]:
    """One as it is, signals included, in this process; its spans go into memory."""
    recorded = Recorded()
    named: dict[str, Any] = {}

    def setup(**options: Any) -> None:
        named.update(options)

    monkeypatch.setattr(retryscope, "setup", setup)
    ready: asyncio.Future[UpstreamAddress] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve_upstream(Settings(**settings), 0, ready.set_result, registry=recorded.registry)
    )
    with stop_signals_as_before():
        try:
            address = await announced(ready, serving)
            async with ClientSession(address.url) as session:
                yield Alone(serving, session)
            await serving
        finally:
            serving.cancel()
            install(None)
    assert named == {"service_name": "retryscope-upstream", "registry": recorded.registry}


async def test_alone_it_has_metrics_and_health(monkeypatch: pytest.MonkeyPatch) -> None:
    async with alone(monkeypatch) as upstream:
        assert (await upstream.get("/job"))[0] == 200
        assert (await upstream.get("/health/ready"))[0] == 200
        status, text = await upstream.get("/metrics")
        signal.raise_signal(signal.SIGTERM)
    assert status == 200
    assert 'retryscope_upstream_requests_total{fault="",route="/job",status="200"} 1.0' in text


async def test_alone_a_signal_drains_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What works is answered, what hangs is let go at once, and nobody is sent there any more."""
    faults = '{"hang": 1, "hang_seconds": 3600, "paths": ["/job/hang"]}'
    async with alone(monkeypatch, upstream_faults=faults, drain_seconds=60) as upstream:
        working = asyncio.create_task(upstream.get("/job?seconds=20"))
        hanging = asyncio.create_task(upstream.get("/job/hang"))
        await asyncio.sleep(1)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(ClientError):
            await hanging
        assert (await upstream.get("/health/ready"))[0] == 503
        assert (await working)[0] == 200
        before = asyncio.get_running_loop().time()
        await upstream.serving
        assert asyncio.get_running_loop().time() - before < 1


async def test_alone_a_second_signal_ends_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    async with alone(monkeypatch, drain_seconds=60) as upstream:
        working = asyncio.create_task(upstream.get("/job?seconds=20"))
        await asyncio.sleep(1)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(REPEAT_SECONDS)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0)
        assert statuses == [128 + signal.SIGINT]
        await working


async def send_what_is_no_http(url: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", URL(url).port)
    writer.write(b"no HTTP\r\n\r\n")
    assert b" 400 " in await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_embedded_its_requests_are_none_of_the_api(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Dashboards and alerts of the API read that metric; nor does what is no request at all."""
    upstreams: list[UpstreamAddress] = []

    @asynccontextmanager
    async def noted(*given: Any) -> AsyncIterator[UpstreamAddress]:
        async with upstream_of(*given) as address:
            upstreams.append(address)
            yield address

    monkeypatch.setattr(dependencies, "upstream_of", noted)
    async with served(monkeypatch) as service, ClientSession(upstreams[0].url) as session:
        async with session.get("/job?status=500") as response:
            assert response.status == 500
        await send_what_is_no_http(upstreams[0].url)
        signal.raise_signal(signal.SIGTERM)
    value = partial(service.recorded.registry.get_sample_value, "retryscope_upstream_requests_total")
    assert value({"route": "/job", "status": "500", "fault": ""}) == 1
    families = {family.name: family.samples for family in service.recorded.registry.collect()}
    assert families[semconv.HTTP_SERVER_DURATION.name] == []
