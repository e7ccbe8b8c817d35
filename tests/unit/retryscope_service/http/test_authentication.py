"""The API token: whoever has it may do everything, nobody else anything; it is shown nowhere."""

import logging
from collections.abc import AsyncIterator

import pytest

from retryscope_service.console.console import Console
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.helpers import ROUTES, Api, serving

TOKEN = "a-token-of-tests-1"  # noqa: S105


@pytest.fixture
async def api(recorded: Recorded, console: Console) -> AsyncIterator[Api]:
    """The service with a token."""
    async with serving(recorded, console, api_token=TOKEN) as api:
        yield api


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_with_the_token_all_is_as_without(api: Api, scheme: str) -> None:
    for path in ("/workflows", "/traces", "/metrics", "/docs", "/openapi.json"):
        assert (await api.get(path, Authorization=f"{scheme} {TOKEN}")).status == 200


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN.upper()}",
        "Bearer é",
    ],
)
async def test_without_it_every_request_is_refused(api: Api, given: str | None) -> None:
    """Also for what there is not; nothing starts."""
    headers = {} if given is None else {"Authorization": given}
    for method, path in (
        ("GET", "/workflows"),
        ("POST", "/workflows/retry"),
        ("POST", "/workflows/retry/runs"),
        ("GET", "/runs"),
        ("POST", "/runs/a/cancel"),
        ("GET", "/metrics"),
        ("GET", "/alerts"),
        ("POST", "/alerts"),
        ("GET", "/docs/"),
        ("GET", "/docs/runbook/"),
        ("GET", "/nothing"),
        ("GET", "/console/snapshot"),
        ("GET", "/console/stream"),
        ("PUT", "/console/traffic"),
        ("GET", "/assets"),
        ("GET", "/assets/"),
    ):
        answer = await api.call(method, path, headers=headers)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="retryscope"'
        assert answer.json()["type"] == "urn:retryscope:problem:unauthorized"
        assert "RETRYSCOPE_API_TOKEN" in answer.json()["detail"]
    assert not any(span.name.startswith("workflow") for span in api.recorded.spans())


async def test_each_route_needs_it_unless_it_is_declared_open(api: Api) -> None:
    """A new one is closed."""
    answered = {}
    for route in ROUTES:
        path = route.path.format(workflow="retry", id="a", trace_id="a" * 32, name="a")
        answered[route.method, route.path] = (await api.call(route.method, path)).status != 401
    assert answered == {(route.method, route.path): route.open for route in ROUTES}


async def test_probes_and_readers_of_what_was_shipped_need_none(api: Api) -> None:
    """They learn nothing about the runs; nor does who opens the page."""
    for path in ("/", "/health", "/health/live", "/health/ready", "/docs", "/docs/runbook", "/openapi.json"):
        for method in ("GET", "HEAD"):
            assert (await api.call(method, path)).status == 200


async def test_alertmanager_posts_with_the_token(api: Api) -> None:
    """``credentials_file`` of its webhook sends it so."""
    body = {"version": "4", "status": "firing", "receiver": "", "alerts": []}
    answer = await api.call("POST", "/alerts", body, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status == 204


async def test_it_is_on_no_span_and_in_no_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Nor in an answer."""
    with caplog.at_level(logging.DEBUG):
        for given in (TOKEN, f"{TOKEN}-wrong"):
            headers = {"Authorization": f"Bearer {given}"}
            answer = await api.call("POST", "/workflows/retry", {"duration": 0}, headers=headers)
            assert TOKEN not in answer.text + str(answer.headers)
    assert TOKEN not in api.recorded.tree()
    assert TOKEN not in caplog.text
