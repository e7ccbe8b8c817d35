"""The client calls what it may and nothing else, wherever names, name servers and redirects lead (SSRF)."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind

from retryscope_service.operations.http_client import client
from retryscope_service.targets import AllowedTargets, HostNotAllowedError, is_global
from tests.support.clock import real_loop, run
from tests.support.recorded import Recorded, recording

REAL_LOOP = True


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    with recording(time_ns=time.time_ns) as recorded:
        yield recorded


@dataclass
class Counted:
    """A server that answers anybody, and counts who has reached it."""

    port: int
    connections: int = 0


@asynccontextmanager
async def counting(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Counted]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counted.connections += 1
        await reader.read(1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret")
        writer.close()

    server = await asyncio.start_server(serve, host, port)
    counted = Counted(server.sockets[0].getsockname()[1])
    async with server:
        yield counted


@pytest.fixture
async def forbidden() -> AsyncIterator[Counted]:
    async with counting() as counted:
        yield counted


@dataclass
class Names(AbstractResolver):
    """A name server that says what a test wants, an answer a question; the last one again and again."""

    answers: list[list[str]]
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        self.asked.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


class Upstream:
    """The one server that may be called: it redirects to what a test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.location = ""
        self.headers: list[aiohttp.typedefs.LooseHeaders] = []
        app = web.Application()
        app.router.add_get("/moved", self._moved)
        app.router.add_get("/loop", self._loop)
        app.router.add_get("/", self._here)
        self.server = TestServer(app, host="127.0.0.1")

    async def _moved(self, request: web.Request) -> web.Response:
        headers = {"Location": self.location, "Set-Cookie": "basket=7; Path=/"}
        return web.Response(status=302, headers=headers)

    async def _loop(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/loop")

    async def _here(self, request: web.Request) -> web.Response:
        self.headers.append(request.headers)
        return web.Response(text="here")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    async with upstream.server:
        yield upstream


async def get(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as response:
        return await response.text()


FORBIDDEN: dict[str, Callable[[int], str]] = {
    "another port": lambda port: f"http://127.0.0.1:{port}/",
    "a name": lambda port: f"http://localhost:{port}/",
    "a name below localhost": lambda port: f"http://shop.localhost:{port}/",
    "with a trailing dot": lambda port: f"http://localhost.:{port}/",
    "short": lambda port: f"http://127.1:{port}/",
    "decimal": lambda port: f"http://2130706433:{port}/",
    "hex": lambda port: f"http://0x7f000001:{port}/",
    "octal": lambda port: f"http://0177.0.0.1:{port}/",
    "an address with a trailing dot": lambda port: f"http://127.0.0.1.:{port}/",
    "full width digits": lambda port: f"http://１２７.0.0.1:{port}/",  # noqa: RUF001
    "unspecified": lambda port: f"http://0.0.0.0:{port}/",
    "zero": lambda port: f"http://0:{port}/",
    "IPv4 mapped": lambda port: f"http://[::ffff:127.0.0.1]:{port}/",
    "IPv6": lambda port: f"http://[::1]:{port}/",
    "IPv6 with a zone": lambda port: f"http://[::1%25lo]:{port}/",
    "another loopback address": lambda port: f"http://127.0.0.2:{port}/",
    "without a scheme": lambda port: f"//127.0.0.1:{port}/",
    "ftp": lambda port: f"ftp://127.0.0.1:{port}/",
    "file": lambda _: "file:///etc/passwd",
    "a websocket": lambda port: f"ws://127.0.0.1:{port}/",
    "TLS": lambda port: f"https://127.0.0.1:{port}/",
}


@pytest.mark.parametrize("kind", FORBIDDEN)
async def test_a_forbidden_url_reaches_nobody(
    recorded: Recorded, forbidden: Counted, upstream: Upstream, kind: str
) -> None:
    """Also where nobody has looked at it before; and what is not sent is no span."""
    async with client(AllowedTargets(upstream=upstream.url)) as session:
        with pytest.raises((HostNotAllowedError, aiohttp.NonHttpUrlClientError)):
            await get(session, FORBIDDEN[kind](forbidden.port))
        assert await get(session, upstream.url) == "here"
    assert forbidden.connections == 0
    assert [span.kind for span in recorded.spans()] == [SpanKind.CLIENT]


@pytest.mark.parametrize("kind", FORBIDDEN)
async def test_a_redirect_to_a_forbidden_url_reaches_nobody(
    recorded: Recorded, forbidden: Counted, upstream: Upstream, kind: str
) -> None:
    """Each hop is looked at, as it will be called."""
    upstream.location = FORBIDDEN[kind](forbidden.port)
    async with client(AllowedTargets(upstream=upstream.url)) as session:
        with pytest.raises((HostNotAllowedError, aiohttp.NonHttpUrlRedirectClientError)):
            await get(session, f"{upstream.url}/moved")
    assert forbidden.connections == 0
    assert [(span.attributes or {})["http.response.status_code"] for span in recorded.spans()] == [302]


async def test_a_redirect_to_what_may_be_called_is_followed_without_a_cookie(
    recorded: Recorded, upstream: Upstream
) -> None:
    upstream.location = "/"
    async with client(AllowedTargets(upstream=upstream.url)) as session:
        assert await get(session, f"{upstream.url}/moved") == "here"
    (headers,) = upstream.headers
    assert {"Cookie", "Authorization"}.isdisjoint(headers)


async def test_a_redirect_that_names_a_user_is_not_followed(recorded: Recorded, upstream: Upstream) -> None:
    """aiohttp would send it his password."""
    upstream.location = upstream.url.replace("//", "//ada:secret@")
    async with client(AllowedTargets(upstream=upstream.url)) as session:
        with pytest.raises(HostNotAllowedError, match="names a user"):
            await get(session, f"{upstream.url}/moved")
    assert upstream.headers == []


INSIDE = ("127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "64:ff9b::7f00:1", "2002:7f00:1::1", "::7f00:1")  # noqa: S104


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_leads_inside_reaches_nobody(
    recorded: Recorded, forbidden: Counted, address: str
) -> None:
    """It is named, but not where it leads."""
    names = Names([[address]])
    async with client(AllowedTargets([f"shop.example:{forbidden.port}"]), names) as session:
        with pytest.raises(HostNotAllowedError, match=r"its name leads to .* RETRYSCOPE_HTTP_ALLOWED_HOSTS"):
            await get(session, f"http://shop.example:{forbidden.port}/")
    assert (forbidden.connections, names.asked) == (0, ["shop.example"])


async def test_of_several_addresses_one_inside_is_one_too_many(
    recorded: Recorded, forbidden: Counted
) -> None:
    """Whichever comes first."""
    names = Names([["9.9.9.9", "127.0.0.1"]])
    async with client(AllowedTargets([f"shop.example:{forbidden.port}"]), names) as session:
        with pytest.raises(HostNotAllowedError):
            await get(session, f"http://shop.example:{forbidden.port}/")
    assert forbidden.connections == 0


@given(st.ip_addresses().map(str).filter(lambda address: not is_global(address)))
def test_whatever_address_of_the_inside_a_name_leads_to_it_is_refused(address: str) -> None:
    async def main() -> None:
        async with client(AllowedTargets(["shop.example"]), Names([[address]])) as session:
            with pytest.raises(HostNotAllowedError):
                await get(session, "https://shop.example/")

    with recording(time_ns=time.time_ns):
        run(main(), real_loop)


async def test_an_address_that_is_named_as_well_is_reached_by_name(
    recorded: Recorded, forbidden: Counted
) -> None:
    """Then it is not forbidden."""
    targets = AllowedTargets([f"shop.example:{forbidden.port}", f"127.0.0.1:{forbidden.port}"])
    async with client(targets, Names([["127.0.0.1"]])) as session:
        assert await get(session, f"http://shop.example:{forbidden.port}/") == "secret"
    assert forbidden.connections == 1


async def test_a_name_server_that_answers_otherwise_the_second_time_is_caught(recorded: Recorded) -> None:
    """DNS rebinding: each connection goes to the address that was looked at, by one question."""
    async with counting() as good, counting("127.0.0.2", good.port) as evil:
        targets = AllowedTargets([f"shop.example:{good.port}", f"127.0.0.1:{good.port}"])
        names = Names([["127.0.0.1"], ["127.0.0.2"]])
        async with client(targets, names) as session:
            assert await get(session, f"http://shop.example:{good.port}/") == "secret"
            assert names.asked == ["shop.example"]
            with pytest.raises(HostNotAllowedError, match=r"leads to 127\.0\.0\.2"):
                await get(session, f"http://shop.example:{good.port}/")
        assert (good.connections, evil.connections, len(names.asked)) == (1, 0, 2)


async def test_a_proxy_of_the_environment_is_not_asked(
    recorded: Recorded, forbidden: Counted, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would connect to whatever it is told."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{forbidden.port}")
    async with client(AllowedTargets(upstream=upstream.url)) as session:
        assert await get(session, upstream.url) == "here"
    assert forbidden.connections == 0


async def test_nothing_is_sent_again_by_itself(recorded: Recorded) -> None:
    """Else a retry would send two requests for each attempt that meets a reset."""
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with client(AllowedTargets(upstream=url)) as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await get(session, url)
    assert connections == 1
