"""What the server does with connections, and with requests that are no HTTP; on virtual time."""

import asyncio
import json
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from yarl import URL

from retryscope_service.http.connection import HEAD_SECONDS, KEEP_ALIVE_SECONDS
from retryscope_service.http.refusal import MAX_FIELD_BYTES, MAX_TARGET_BYTES
from retryscope_service.http.validation import BODY_SECONDS
from tests.unit.retryscope_service.helpers import PROBLEM, Served, check_schema, served

HIDDEN = "a-token-that-nobody-may-see"
COUNTED = "http_server_request_duration_seconds_count"
HOST = b"Host: retryscope.test"
POST = b"POST /workflows/retry HTTP/1.1"
JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"
QUICK = b'{"failure_rate": 0, "duration": 0}'
LIVE = b"GET /health/live HTTP/1.1\r\nHost: retryscope.test\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> Answer | None:
        """The next response; None where the server closes the connection."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return None
        first, *lines = head.decode().split("\r\n")[:-2]
        headers = dict(line.split(": ", 1) for line in lines)
        return Answer(
            int(first.split()[1]), headers, await self.reader.readexactly(int(headers["Content-Length"]))
        )

    async def is_closed(self) -> bool:
        """Whether the server has closed it by now; there must be nothing to read."""
        await asyncio.sleep(0.01)
        return self.reader.at_eof() or self.reader.exception() is not None


Connect = Callable[[], Awaitable[Client]]


@asynccontextmanager
async def connecting(
    monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> AsyncIterator[tuple[Served, Connect]]:
    """A service, and connections to it; it ends by itself."""
    clients: list[Client] = []
    async with served(monkeypatch, **settings) as service:
        url = URL(service.url)

        async def connect() -> Client:
            client = Client(*await asyncio.open_connection(url.host, url.port))
            clients.append(client)
            await asyncio.sleep(0.01)  # it is accepted
            return client

        try:
            yield service, connect
        finally:
            for client in clients:
                client.writer.close()
            await asyncio.gather(*(each.writer.wait_closed() for each in clients), return_exceptions=True)
            signal.raise_signal(signal.SIGTERM)
            await service.serving


def lines(*parts: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([*parts, b"", body])


MALFORMED = {
    "no Host": (400, lines(b"GET / HTTP/1.1")),
    "two Hosts": (400, lines(b"GET / HTTP/1.1", HOST, HOST)),
    "TLS": (400, bytes.fromhex("16030100c8010000c40303") + bytes(200)),
    "another protocol": (400, b"EHLO retryscope.test\r\n"),
    "binary": (400, b"\x00\xff\xfe\r\n\r\n"),
    "HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "an unknown version": (400, lines(b"GET / HTTP/9.9", HOST)),
    "a bad version": (400, lines(b"GET / HTTP/x", HOST)),
    "a method that is no token": (400, lines(b"G\xc3\x89T / HTTP/1.1", HOST)),
    "a target of raw bytes": (400, lines(b"GET /\xe9\xff HTTP/1.1", HOST)),
    "a target without a host": (400, lines(b"GET http:// HTTP/1.1", HOST)),
    "a long target": (414, lines(b"GET /" + b"a" * MAX_TARGET_BYTES + b" HTTP/1.1", HOST)),
    "a long header": (431, lines(b"GET / HTTP/1.1", HOST, b"A: " + b"a" * 2 * MAX_FIELD_BYTES)),
    "a long header name": (431, lines(b"GET / HTTP/1.1", HOST, b"A" * (MAX_FIELD_BYTES + 1) + b": a")),
    "many headers": (431, lines(b"GET / HTTP/1.1", HOST, *[b"A: a"] * 200)),
    "a blank before a colon": (400, lines(b"GET / HTTP/1.1", HOST, b"Authorization : Bearer TOKEN")),
    "a NUL": (400, lines(b"GET / HTTP/1.1", HOST, b"Authorization: Bearer TOKEN\x00")),
    "a control character": (400, lines(b"GET / HTTP/1.1", HOST, b"Authorization: Bearer TOKEN\x01")),
    "a folded header": (400, lines(b"GET / HTTP/1.1", HOST, b"Authorization: Bearer", b" TOKEN")),
    "a folded first header": (400, lines(b"GET / HTTP/1.1", b" Authorization: Bearer TOKEN", HOST)),
    "no colon": (400, lines(b"GET / HTTP/1.1", HOST, b"Authorization Bearer TOKEN")),
    "a bare line feed": (400, lines(b"GET / HTTP/1.1", HOST, b"Authorization: Bearer TOKEN\nA: a")),
    "a duplicate header": (
        400,
        lines(b"GET / HTTP/1.1", HOST, b"Content-Type: TOKEN", b"Content-Type: TOKEN"),
    ),
    "an old websocket": (400, lines(b"GET / HTTP/1.1", HOST, b"Sec-WebSocket-Key1: TOKEN")),
    "two lengths": (400, lines(POST, HOST, b"Content-Length: 2", b"Content-Length: 3", body=b"{}")),
    "no length": (400, lines(POST, HOST, b"Content-Length: two", body=b"{}")),
    "a negative length": (400, lines(POST, HOST, b"Content-Length: -2", body=b"{}")),
    "length and chunks": (
        400,
        lines(POST, HOST, b"Content-Length: 2", CHUNKED, body=b"2\r\n{}\r\n0\r\n\r\n"),
    ),
    "an unknown transfer encoding": (400, lines(POST, HOST, b"Transfer-Encoding: TOKEN", body=b"{}")),
    "a bad chunk": (400, lines(POST, HOST, JSON, CHUNKED, body=b"zz\r\n{}\r\n0\r\n\r\n")),
    "another expectation": (417, lines(POST, HOST, JSON, b"Expect: TOKEN", b"Content-Length: 2", body=b"{}")),
}
"""What the parser refuses, or aiohttp before any middleware, and the right status."""


@pytest.mark.parametrize("case", MALFORMED)
async def test_what_is_no_http_gets_a_problem_and_one_line(
    case: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the right 4xx, counted as the client's; one line below ERROR, without what was sent."""
    status, sent = MALFORMED[case]
    async with connecting(monkeypatch) as (service, connect):
        caplog.clear()
        with caplog.at_level(logging.DEBUG), service.recorded.changes() as changes:
            client = await connect()
            client.send(sent.replace(b"TOKEN", HIDDEN.encode()))
            answer = await client.answer()
            assert await client.answer() is None
        assert answer is not None
        problem = json.loads(answer.body)
        check_schema({"$ref": "#/components/schemas/Problem"}, problem)
        assert (answer.status, answer.headers["Content-Type"], problem["status"]) == (status, PROBLEM, status)
        assert answer.headers["Content-Length"] == str(len(answer.body))
        (record,) = (each for each in caplog.records if each.name != "asyncio")
        assert (record.levelno, record.exc_info) == (logging.INFO, None)
        assert record.getMessage().startswith("refused a request from 127.0.0.1: ")
        assert HIDDEN not in caplog.text + answer.body.decode()
        (counted,) = (
            name for name in changes if name.startswith("http_server_request_duration_seconds_count")
        )
        assert f'http_response_status_code="{status}"' in counted
        assert "error_type" not in counted


BROKEN = {
    "a chunk that comes later": (CHUNKED, b"2\r\n{}\r\n", b"zz\r\n"),
    "a chunk that is longer than it says": (CHUNKED, b"2\r\n{}", b"}}}}"),
    "a trailer that is none": (CHUNKED, b"2\r\n{}\r\n", b"0\r\n\x00\r\n\r\n"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_body_that_breaks_off_is_refused_at_once(
    case: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who reads it is told; aiohttp let it wait for ever. One response, and no stack trace."""
    header, first, then = BROKEN[case]
    async with connecting(monkeypatch) as (_, connect):
        client = await connect()
        client.send(lines(POST, HOST, JSON, header, body=first))
        await asyncio.sleep(1)
        client.send(then)
        answer = await client.answer()
        assert answer is not None
        assert (answer.status, answer.headers["Content-Type"]) == (400, PROBLEM)
        assert json.loads(answer.body)["type"] == "urn:retryscope:problem:malformed-body"
        assert await client.answer() is None
        assert asyncio.get_running_loop().time() < 5
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


async def test_a_bug_outside_of_all_middlewares_is_a_problem_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500, and there the log has its stack trace."""

    def fail(accept: str) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr("retryscope_service.api.web.prefers_page", fail)
    async with connecting(monkeypatch) as (_, connect):
        client = await connect()
        client.send(lines(b"GET /runs HTTP/1.1", HOST))
        answer = await client.answer()
        assert answer is not None
        assert (answer.status, answer.headers["Content-Type"]) == (500, PROBLEM)
    assert "ZeroDivisionError" in caplog.text


async def test_a_connection_that_stays_silent_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a word: nothing was asked."""
    async with connecting(monkeypatch) as (service, connect):
        with service.recorded.changes() as changes:
            client = await connect()
            await asyncio.sleep(HEAD_SECONDS - 1)
            assert not await client.is_closed()
            await asyncio.sleep(2)
            assert await client.is_closed()
        assert not any(name.startswith("http_server") for name in changes)


@pytest.mark.parametrize("before", [b"", LIVE])
async def test_a_head_that_trickles_in_is_given_up(before: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """408, however often a byte comes; also that of a later request."""
    async with connecting(monkeypatch) as (service, connect):
        client = await connect()
        if before:
            client.send(before)
            answer = await client.answer()
            assert answer is not None
            assert answer.status == 200
            await asyncio.sleep(HEAD_SECONDS + 5)  # idle between two requests: that may take longer
        start = asyncio.get_running_loop().time()
        with service.recorded.changes() as changes:
            for byte in LIVE[:-1]:
                client.send(bytes([byte]))
                await asyncio.sleep(1)
                if client.reader._buffer or client.reader.at_eof():  # type: ignore[attr-defined]
                    break
        assert HEAD_SECONDS <= asyncio.get_running_loop().time() - start <= HEAD_SECONDS + 4
        answer = await client.answer()
        assert answer is not None
        assert (answer.status, answer.headers["Content-Type"]) == (408, PROBLEM)
        assert await client.answer() is None
        assert any('http_response_status_code="408"' in name for name in changes)


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """408 too, and no run was started."""
    async with connecting(monkeypatch) as (_, connect):
        client = await connect()
        client.send(lines(POST, HOST, JSON, b"Content-Length: 100", body=b"{"))
        answer = await client.answer()
        assert answer is not None
        assert (answer.status, answer.headers["Content-Type"]) == (408, PROBLEM)
        assert BODY_SECONDS <= asyncio.get_running_loop().time() <= BODY_SECONDS + 5


async def test_an_idle_connection_is_kept_for_longer_than_proxies_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """And then closed."""
    async with connecting(monkeypatch) as (_, connect):
        client = await connect()
        for idle in (61, KEEP_ALIVE_SECONDS - 1):
            client.send(LIVE)
            answer = await client.answer()
            assert answer is not None
            assert answer.status == 200
            await asyncio.sleep(idle)
            assert not await client.is_closed()
        await asyncio.sleep(3)
        assert await client.is_closed()


async def test_a_request_that_takes_long_is_no_idle_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """No limit of the connection ends a run."""
    async with connecting(monkeypatch) as (service, _):
        answer = await service.run("retry", failure_rate=0, duration=200)
        assert answer.status == 200
        assert asyncio.get_running_loop().time() >= 200


async def test_pipelined_requests_are_answered_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is no HTTP behind them ends the connection, not them."""
    async with connecting(monkeypatch) as (_, connect):
        client = await connect()
        run = lines(POST, HOST, JSON, b"Content-Length: %d" % len(QUICK), body=QUICK)
        client.send(LIVE + run + LIVE)
        await asyncio.sleep(0.01)
        client.send(b"\x00\r\n\r\n")
        answers = [await client.answer() for _ in range(4)]
        assert [each.status for each in answers if each] == [200, 200, 200, 400]
        assert await client.answer() is None


async def test_idle_connections_make_room_for_new_ones(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that have been silent longest; a busy one stays. One line, whatever comes."""
    async with connecting(monkeypatch, max_connections=20) as (_, connect):
        busy = await connect()
        body = b'{"failure_rate": 0, "duration": 10}'
        busy.send(lines(POST, HOST, JSON, b"Content-Length: %d" % len(body), body=body))
        silent = [await connect() for _ in range(100)]
        fresh = await connect()
        fresh.send(LIVE)
        answer = await fresh.answer()
        assert answer is not None
        assert answer.status == 200
        closed = [await each.is_closed() for each in silent]
        assert closed == sorted(closed, reverse=True)
        assert sum(not each for each in closed) < 20
        answer = await busy.answer()
        assert answer is not None
        assert answer.status == 200
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING] == [
        "20 connections are open (RETRYSCOPE_MAX_CONNECTIONS): idle ones make room"
    ]


async def test_where_all_connections_are_busy_a_further_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with Retry-After, whatever it asks for; the others go on."""
    async with connecting(monkeypatch, max_connections=2) as (service, connect):
        busy = [await connect() for _ in range(2)]
        body = b'{"failure_rate": 0, "duration": 10}'
        for each in busy:
            each.send(lines(POST, HOST, JSON, b"Content-Length: %d" % len(body), body=body))
        await asyncio.sleep(1)
        with service.recorded.changes() as changes:
            for _ in range(3):
                further = await connect()
                further.send(LIVE)
                answer = await further.answer()
                assert answer is not None
                assert (answer.status, answer.headers["Content-Type"]) == (503, PROBLEM)
                assert answer.headers["Retry-After"] == "1"
                assert await further.answer() is None
        assert any('http_response_status_code="503"' in name for name in changes)
        answers = [await each.answer() for each in busy]
        assert [each.status for each in answers if each] == [200, 200]
