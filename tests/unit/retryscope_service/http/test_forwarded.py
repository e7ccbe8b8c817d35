"""What a proxy says of a request: believed of those that are named, and only where it is valid."""

import ipaddress
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from retryscope import semconv
from retryscope_service.console.console import Console
from retryscope_service.http.forwarded import forwarded_middleware
from retryscope_service.http.root_path import public_url
from tests.support.recorded import Recorded
from tests.unit.retryscope_service.helpers import HOST, Api, serving

REAL_LOOP = True
ALL = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "retryscope.example",
    "X-Forwarded-Prefix": "/below",
}
ALLOWED = f"{HOST},retryscope.example"


async def seen(api: Api, **headers: str) -> dict[str, Any]:
    """What the service takes a request for."""
    answer = await api.call("GET", "/workflows", headers=headers)
    assert answer.status == 200, answer.text
    span = next(each for each in reversed(api.recorded.spans()) if each.name == "GET /workflows")
    attributes = dict(span.attributes or {})
    return {
        "for": attributes[semconv.CLIENT_ADDRESS],
        "proto": attributes[semconv.URL_SCHEME],
        "host": attributes[semconv.SERVER_ADDRESS],
        "prefix": answer.json()["workflows"][0]["href"].partition("/workflows")[0],
    }


OWN = {"for": "127.0.0.1", "proto": "http", "host": HOST, "prefix": ""}


async def test_by_default_nobody_is_believed(recorded: Recorded, console: Console) -> None:
    async with serving(recorded, console, allowed_hosts=ALLOWED) as api:
        assert await seen(api, **ALL) == OWN


async def test_somebody_else_is_not(recorded: Recorded, console: Console) -> None:
    async with serving(
        recorded, console, allowed_hosts=ALLOWED, forwarded_allow_ips="10.0.0.0/8, ::1"
    ) as api:
        assert await seen(api, **ALL) == OWN


async def test_a_proxy_is(recorded: Recorded, console: Console) -> None:
    async with serving(
        recorded, console, allowed_hosts=ALLOWED, forwarded_allow_ips="10.0.0.1, 127.0.0.0/8"
    ) as api:
        assert await seen(api, **ALL) == {
            "for": "203.0.113.7",
            "proto": "https",
            "host": "retryscope.example",
            "prefix": "/below",
        }
        docs = await api.get("/docs", **ALL)
        assert "https://retryscope.example/below/workflows/retry" in docs.text


@pytest.mark.parametrize(
    ("given", "client"),
    [
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7, 127.0.0.2", "203.0.113.7"),
        ("203.0.113.7:5678", "203.0.113.7"),
        ("[2001:db8::1]:5678", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("127.0.0.2, 127.0.0.3", "127.0.0.2"),
        ("203.0.113.7, unknown", "127.0.0.1"),
        ("<script>", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
async def test_the_client_is_the_last_that_is_no_proxy(
    recorded: Recorded, console: Console, given: str, client: str
) -> None:
    """What stands before it, it may have made up."""
    async with serving(recorded, console, forwarded_allow_ips="127.0.0.0/8") as api:
        assert (await seen(api, **{"X-Forwarded-For": given}))["for"] == client


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Proto", "javascript"),
        ("Proto", "https://"),
        ("Proto", "x" * 1000),
        ("Host", "a b"),
        ("Host", "<script>"),
        ("Host", "a/../b"),
        ("Host", ""),
        ("Prefix", "//evil.example"),
        ("Prefix", "/a/../b"),
        ("Prefix", "https://evil.example"),
        ("Prefix", '/"><script>'),
        ("Prefix", "/a, /b c"),
        ("For", "1.2.3.4.5"),
    ],
)
async def test_what_is_not_valid_is_as_if_it_were_not_there(
    recorded: Recorded, console: Console, name: str, value: str
) -> None:
    async with serving(recorded, console, forwarded_allow_ips="127.0.0.1") as api:
        assert await seen(api, **{f"X-Forwarded-{name}": value}) == OWN


async def test_a_rebound_name_does_not_hide_behind_the_header(recorded: Recorded, console: Console) -> None:
    """A script of its page can send the header, from this very machine."""
    async with serving(recorded, console, allowed_hosts="", forwarded_allow_ips="127.0.0.1") as api:
        assert (
            await api.get("/workflows", Host="evil.example", **{"X-Forwarded-Host": "localhost"})
        ).status == 421
        assert (
            await api.get("/workflows", Host="localhost", **{"X-Forwarded-Host": "evil.example"})
        ).status == 421


async def test_the_origin_is_compared_with_what_the_proxy_was_asked_for(
    recorded: Recorded, console: Console
) -> None:
    async with serving(recorded, console, allowed_hosts=ALLOWED, forwarded_allow_ips="127.0.0.1") as api:

        async def post(origin: str) -> int:
            body = {"version": "4", "status": "firing", "receiver": "", "alerts": []}
            return (await api.call("POST", "/alerts", body, headers={**ALL, "Origin": origin})).status

        # The helper holds answers to paths without a prefix; 204 has no path in it.
        assert await post("https://retryscope.example") == 204


@pytest.mark.parametrize("root", ["/retryscope", "/a/b"])
async def test_the_path_may_be_left_in_the_request(recorded: Recorded, console: Console, root: str) -> None:
    """The same routes, also to those who count and those who ask for a token."""
    async with serving(recorded, console, root_path=f"{root}/", api_token="a-token-of-tests-1") as api:  # noqa: S106
        for path in ("/health/live", "/docs", "/openapi.json", "/"):
            assert (await api.get(root + path)).status == 200
            assert (await api.get(path)).status == 200
        assert (await api.get(root)).status == 200
        for path in ("/workflows", "/metrics", "/console/stream", "/nothing"):
            assert (await api.get(root + path)).status == 401
        headers = {"Authorization": "Bearer a-token-of-tests-1"}
        assert (await api.get(f"{root}/workflows", **headers)).status == 200
        assert (await api.call("PUT", f"{root}/runs", headers=headers)).status == 405
        for path in (f"{root}x/workflows", f"{root}{root}/workflows", f"/x{root}/workflows", root * 500):
            async with api.client.get(path, headers={"Host": HOST, **headers}) as answer:
                assert answer.status == 404
        assert {each.name for each in api.recorded.spans()} >= {"GET /workflows"}
        text = (await api.get(f"{root}/metrics", **headers)).text
        assert f'http_route="{root}' not in text


@given(
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60),
    st.sampled_from(sorted(ALL)),
)
async def test_no_value_of_these_headers_is_an_error(value: str, name: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=public_url(request))

    class Transport:
        def get_extra_info(self, name: str, default: object = None) -> object:
            return ("127.0.0.1", 1) if name == "peername" else default

    request = make_mocked_request(
        "GET", "/", CIMultiDict({"Host": "localhost", name: value}), transport=Transport()
    )
    middleware = forwarded_middleware("", [ipaddress.ip_network("127.0.0.1")])
    answer = await middleware(request, handler)
    assert isinstance(answer, web.Response)
    url = answer.text or ""
    assert url.startswith(("http://", "https://"))
    assert url.isascii()
