"""What a page elsewhere makes a browser send is refused; programs and the service's own page are served."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import HttpVersion10
from aiohttp.test_utils import make_mocked_request
from aiohttp.web import Response
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from retryscope_service.address import AllowedHosts
from retryscope_service.console.console import Console
from retryscope_service.http.isolation import isolation_middleware
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.helpers import Answer, Api, serving

CHANGES = (
    ("POST", "/workflows/retry"),
    ("POST", "/workflows/retry/runs"),
    ("POST", "/runs/some-id/cancel"),
    ("POST", "/alerts"),
    ("PUT", "/console/traffic"),
    ("DELETE", "/console/traffic"),
)
READS = (
    "/",
    "/runs",
    "/metrics",
    "/workflows",
    "/traces",
    "/console/stream",
    "/console/snapshot",
    "/docs",
    "/nothing",
)
OWN = {"Host": "127.0.0.1:8080"}
NO_CORS = {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "empty"}
FOREIGN: Mapping[str, Mapping[str, str]] = {
    "fetch without CORS": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", **NO_CORS},
    "another port of this machine": {
        "Origin": "http://127.0.0.1:9000",
        "Sec-Fetch-Site": "same-site",
        **NO_CORS,
    },
    "a form": {
        "Origin": "https://evil.example",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Content-Type": "text/plain",
    },
    "a sandboxed frame": {"Origin": "null", "Sec-Fetch-Site": "cross-site", **NO_CORS},
    "an older browser": {"Origin": "https://evil.example"},
    "an older browser, another port": {"Origin": "http://127.0.0.1:9000"},
    "an older browser, a file": {"Origin": "null"},
}
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
async def api(recorded: Recorded, console: Console) -> AsyncIterator[Api]:
    """The service on loopback, with nothing allowed beside that."""
    async with serving(recorded, console, allowed_hosts="") as api:
        yield api


def refused(answer: Answer, kind: str, status: int) -> bool:
    return (answer.status, answer.json()["type"]) == (status, f"urn:retryscope:problem:{kind}")


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
async def test_a_page_elsewhere_changes_nothing(api: Api, headers: Mapping[str, str]) -> None:
    """With or without a body; nothing starts, and each refusal is counted."""
    with api.recorded.changes() as changes:
        for method, path in CHANGES:
            for content in (None, "", "{}"):
                answer = await api.call(method, path, content=content, headers={**OWN, **headers})
                assert refused(answer, "cross-origin", 403)
                assert "RETRYSCOPE_FORWARDED_ALLOW_IPS" in answer.json()["detail"]
    assert not any(name.startswith("resilience_") for name in changes)
    counted = [by for name, by in changes.items() if "_count{" in name and 'status_code="403"' in name]
    assert sum(counted) == 3 * len(CHANGES)


@pytest.mark.parametrize("path", READS)
async def test_a_page_elsewhere_loads_nothing(api: Api, path: str) -> None:
    """It could not read it, but an ``EventSource`` takes a place, and the metrics take time."""
    for headers in (
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Origin": "http://127.0.0.1:9000"},
        {**LINK, "Sec-Fetch-Dest": "iframe"},
        {"Origin": "https://evil.example", "Accept": "text/event-stream"},
    ):
        assert refused(await api.get(path, **OWN, **headers), "cross-origin", 403)


async def test_a_preflight_allows_nothing(api: Api) -> None:
    for method, path in CHANGES:
        headers = {**OWN, **FOREIGN["fetch without CORS"], "Access-Control-Request-Method": method}
        answer = await api.call("OPTIONS", path, headers=headers)
        assert answer.status == 403
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


async def test_a_link_from_elsewhere_is_followed(api: Api) -> None:
    """From a dashboard or a chat; to a page, and never to do something."""
    for path in ("/", "/runs", "/docs", "/docs/runbook"):
        assert (await api.get(path, **OWN, **LINK)).status in {200, 503}
    for method, path in CHANGES:
        assert (await api.call(method, path, headers={**OWN, **LINK})).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8080"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://retryscope.example"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Origin": "HTTP://127.0.0.1:8080"},
        {"Host": "localhost", "Origin": "http://localhost:80"},
        {"Host": "localhost", "Origin": "https://localhost"},
        {"Host": "LOCALHOST.:8080", "Origin": "http://localhost:8080"},
        {"Host": "[::1]:8080", "Origin": "http://[0:0::1]:8080"},
    ],
)
async def test_programs_and_the_own_page_do_what_they_want(api: Api, headers: Mapping[str, str]) -> None:
    """curl and Alertmanager send neither header; a proxy may have changed the host."""
    body = {"version": "4", "status": "firing", "receiver": "", "alerts": []}
    assert (await api.call("POST", "/alerts", body, headers={**OWN, **headers})).status == 204
    assert (
        await api.call("POST", "/workflows/retry", {"duration": 0}, headers={**OWN, **headers})
    ).status != 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1:8080"]
)
async def test_on_loopback_another_host_is_not_answered_not_even_reads(api: Api, host: str) -> None:
    """Its page would be of the same origin: DNS rebinding."""
    headers = {"Host": host, "Sec-Fetch-Site": "same-origin", "Origin": f"http://{host}"}
    for path in READS:
        answer = await api.get(path, **headers)
        assert refused(answer, "misdirected-request", 421)
        assert "RETRYSCOPE_ALLOWED_HOSTS" in answer.json()["detail"]
    for method, path in CHANGES:
        assert refused(await api.call(method, path, headers=headers), "misdirected-request", 421)


async def test_a_host_that_is_allowed_is_answered(recorded: Recorded, console: Console) -> None:
    async with serving(recorded, console, allowed_hosts="retryscope.example") as api:
        assert (await api.get("/runs", Host="Retryscope.Example:443")).status != 421
        assert (await api.get("/runs", Host="other.example")).status == 421


async def test_beyond_loopback_any_host_is_until_some_are_named(recorded: Recorded, console: Console) -> None:
    async with serving(recorded, console, host="0.0.0.0", allowed_hosts="") as api:  # noqa: S104
        assert (await api.get("/workflows", Host="retryscope:8080")).status == 200
        cross = await api.call(
            "POST", "/alerts", headers={"Host": "retryscope:8080", "Origin": "http://evil"}
        )
        assert cross.status == 403


async def test_what_is_no_host_is_a_bad_request(api: Api) -> None:
    for host in ("a b", "a/b", "a:99999", "[::1", "<script>"):
        assert refused(await api.get("/workflows", Host=host), "bad-request", 400)


SITES = st.sampled_from(["same-origin", "none", "same-site", "cross-site", "", "Same-Origin", "x"])
HOSTS = st.sampled_from(["127.0.0.1:8080", "localhost", "[::1]:8080", "evil.example", "", "a b"])
ORIGINS = st.sampled_from(
    [
        "http://127.0.0.1:8080",
        "http://localhost",
        "http://[::1]:8080",
        "http://evil.example",
        "null",
        "",
        "ftp://localhost",
    ]
) | st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30)


async def passes(method: str, headers: CIMultiDict[str], version: Any = None) -> int:
    async def handler(request: Any) -> Response:
        return Response(status=299)

    options = {} if version is None else {"version": version}
    request = make_mocked_request(method, "/runs", headers, **options)
    middleware = isolation_middleware(AllowedHosts((), local=True))
    return (await middleware(request, handler)).status


@given(
    st.sampled_from(["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    st.lists(HOSTS, max_size=2),
    st.lists(ORIGINS, max_size=2),
    st.lists(SITES, max_size=2),
)
async def test_whatever_a_browser_says_a_change_is_its_own_origins(
    method: str, hosts: list[str], origins: list[str], sites: list[str]
) -> None:
    """Held to the plain rule; every other combination is refused with a 4xx."""
    headers = CIMultiDict(
        [("Host", each) for each in hosts]
        + [("Origin", each) for each in origins]
        + [("Sec-Fetch-Site", each) for each in sites]
    )
    status = await passes(method, headers)
    if status == 299:
        (host,) = hosts
        assert host in {"127.0.0.1:8080", "localhost", "[::1]:8080"}
        assert set(sites) <= {"same-origin", "none"}
        assert sites or all(
            each.lower().rstrip(".") in {f"http://{host}", f"https://{host}"} for each in origins
        )
    else:
        assert status in {400, 403, 421}


async def test_http_1_0_has_no_host() -> None:
    """Some probes speak it; a browser does not."""
    assert await passes("GET", CIMultiDict(), HttpVersion10) == 299
    assert await passes("GET", CIMultiDict()) == 400
