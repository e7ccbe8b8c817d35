"""Where operations find an upstream: in the process, or where a setting says."""

from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client import CollectorRegistry

from retryscope_service.settings import Settings
from retryscope_service.upstream.embedded import UpstreamAddress, upstream_of

TOKEN = "0123456789abcdef"  # noqa: S105 - of these tests


async def status_of_faults(address: UpstreamAddress, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with ClientSession() as session, session.get(f"{address.url}/faults", headers=headers) as response:
        return response.status


async def test_one_is_on_a_free_loopback_port_during_the_block() -> None:
    registry = CollectorRegistry()
    async with upstream_of(Settings(), registry) as address, ClientSession() as session:
        assert address.url.startswith("http://127.0.0.1:")
        async with session.get(f"{address.url}/job") as response:
            assert response.status == 200
    labels = {"route": "/job", "status": "200", "fault": ""}
    assert registry.get_sample_value("retryscope_upstream_requests_total", labels) == 1


async def test_it_does_at_first_what_the_setting_says() -> None:
    settings = Settings(upstream_faults='{"error": 1}')
    async with (
        upstream_of(settings, CollectorRegistry()) as address,
        ClientSession(address.url) as session,
        session.get("/job") as response,
    ):
        assert response.status == 500


async def test_wrong_faults_are_refused_by_the_name_of_the_setting() -> None:
    with pytest.raises(ValueError, match=r"RETRYSCOPE_UPSTREAM_FAULTS.*error is 2"):
        async with upstream_of(Settings(upstream_faults='{"error": 2}'), CollectorRegistry()):
            pass


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"upstream_token": TOKEN, "api_token": "x" * 16}, id="its own"),
        pytest.param({"api_token": TOKEN}, id="that of the API"),
    ],
)
async def test_a_token_that_is_set_is_taken_and_not_told(given: dict[str, Any]) -> None:
    async with upstream_of(Settings(**given), CollectorRegistry()) as address:
        assert address.drawn_token is None
        assert await status_of_faults(address, TOKEN) == 200


async def test_without_one_a_token_is_drawn_and_told() -> None:
    async with (
        upstream_of(Settings(), CollectorRegistry()) as first,
        upstream_of(Settings(), CollectorRegistry()) as second,
    ):
        assert first.drawn_token
        assert first.drawn_token != second.drawn_token
        assert await status_of_faults(first, first.drawn_token) == 200
        assert await status_of_faults(second, first.drawn_token) == 401


async def test_with_one_elsewhere_none_is_here() -> None:
    registry = CollectorRegistry()
    async with upstream_of(Settings(upstream_url="http://upstream:8082/"), registry) as address:
        assert address == UpstreamAddress("http://upstream:8082")
    assert list(registry.collect()) == []
