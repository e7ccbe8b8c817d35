"""The operation `http`: a request that really takes its time, and really fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from retryscope import Operation, RetryPolicy, retry
from retryscope_service.operations.http import (
    MAX_REDIRECTS,
    BodyTooLongError,
    HttpOperation,
    HttpParams,
    RedirectsError,
    http_operation,
)
from retryscope_service.operations.parameters import RefusedParameterError
from retryscope_service.operations.task import Task
from retryscope_service.targets import HostNotAllowedError
from tests.support.recorded import Recorded, recording

REAL_LOOP = True
CALL = Operation("call", workflow="checkout")


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    with recording(time_ns=time.time_ns) as recorded:
        yield recorded


class Upstream:
    """Stands for the bundled upstream, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.hops = 0
        app = web.Application()
        app.router.add_get("/job", self._work)
        app.router.add_get("/body/{bytes}", self._body)
        app.router.add_get("/truncated", self._truncated)
        app.router.add_get("/hangs", self._hangs)
        app.router.add_get("/loop", self._loop)
        self.server = TestServer(app, host="127.0.0.1")

    async def _work(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        status = int(request.query.get("status", "200"))
        headers = {"Retry-After": "7"} if status == 503 else {}
        return web.json_response({"status": status}, status=status, headers=headers)

    async def _body(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(int(request.match_info["bytes"])):
            await response.write(b"x")
        return response

    async def _truncated(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async def _hangs(self, request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async def _loop(self, request: web.Request) -> web.Response:
        self.hops += 1
        raise web.HTTPFound("/loop")

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"


@pytest.fixture
async def upstream(recorded: Recorded) -> AsyncIterator[Upstream]:
    upstream = Upstream()
    async with upstream.server:
        yield upstream


@pytest.fixture
async def http(upstream: Upstream) -> AsyncIterator[HttpOperation]:
    async with http_operation(upstream.url(), ()) as http:
        yield http


async def test_by_default_the_upstream_takes_the_time_of_the_task(
    http: HttpOperation, upstream: Upstream
) -> None:
    """The answer is its status, and how long it was."""
    assert await http(Task("price", 0.25)) == {"status": 200, "bytes": len('{"status": 200}')}
    assert upstream.asked == [{"seconds": "0.25"}]


async def test_a_failure_that_is_drawn_is_a_real_answer(http: HttpOperation, upstream: Upstream) -> None:
    """Of 503, with its headers."""
    with pytest.raises(http.errors) as caught:
        await http(Task("price", 0, 1.0))
    assert isinstance(caught.value, aiohttp.ClientResponseError)
    assert caught.value.status == 503
    assert caught.value.headers is not None
    assert caught.value.headers["Retry-After"] == "7"
    assert http.is_transient(caught.value)
    assert upstream.asked == [{"seconds": "0", "status": "503"}]


async def test_the_same_seed_fails_the_same_tasks(http: HttpOperation) -> None:
    async def outcomes() -> list[str]:
        rng = Random(7)
        tasks = [http(Task("price", 0, 0.5, rng)) for _ in range(12)]
        ended = [await asyncio.gather(each, return_exceptions=True) for each in tasks]
        return [type(each).__name__ for (each,) in ended]

    first = await outcomes()
    assert first == await outcomes()
    assert set(first) == {"dict", "ClientResponseError"}


async def test_a_retry_obeys_the_answers_retry_after(http: HttpOperation, recorded: Recorded) -> None:
    """As far as the policy does."""
    policy = RetryPolicy(
        max_attempts=2, base_delay=0, jitter="none", retry_on=http.is_transient, max_retry_after=0.01
    )
    with pytest.raises(aiohttp.ClientResponseError):
        await retry(CALL, policy).call(http, Task("price", 0, 1.0))
    (wait,) = [span for span in recorded.spans() if span.name == "backoff call"]
    assert (wait.attributes or {})["resilience.retry.delay_source"] == "retry_after"
    assert recorded.outline() == (
        "retry call\n  attempt call\n    GET\n  backoff call\n  attempt call\n    GET\n"
    )


async def test_a_url_of_ones_own_is_called_as_it_is(http: HttpOperation, upstream: Upstream) -> None:
    """Neither the time nor the failure rate of the task is told."""
    url = upstream.url("/job?status=201")
    assert (await http(Task("price", 5, 1.0), HttpParams(url=url)))["status"] == 201
    assert upstream.asked == [{"status": "201"}]


async def test_no_error_repeats_a_signature_in_the_url(http: HttpOperation, upstream: Upstream) -> None:
    """It is on the span of an attempt, and in the run's result, which others read."""
    url = upstream.url("/job?status=404&sig=c2VjcmV0")
    with pytest.raises(aiohttp.ClientResponseError) as caught:
        await http(Task("price", 0), HttpParams(url=url))
    assert "c2VjcmV0" not in f"{caught.value} {caught.value!r}"
    assert "sig=REDACTED" in str(caught.value)


async def test_a_body_is_read_up_to_its_bound(http: HttpOperation, upstream: Upstream) -> None:
    """The error names the parameter and the bound; another attempt would meet the same."""
    url = upstream.url("/body/100")
    assert await http(Task("price", 0), HttpParams(url=url, max_body_bytes=100)) == {
        "status": 200,
        "bytes": 100,
    }
    with pytest.raises(BodyTooLongError, match="longer than max_body_bytes, 99") as caught:
        await http(Task("price", 0), HttpParams(url=url, max_body_bytes=99))
    assert isinstance(caught.value, http.errors)
    assert not http.is_transient(caught.value)


async def test_a_body_that_breaks_off_is_an_error(http: HttpOperation, upstream: Upstream) -> None:
    with pytest.raises(aiohttp.ClientPayloadError) as caught:
        await http(Task("price", 0), HttpParams(url=upstream.url("/truncated")))
    assert http.is_transient(caught.value)


async def test_a_silent_server_is_given_up_after_its_limit(http: HttpOperation, upstream: Upstream) -> None:
    params = HttpParams(url=upstream.url("/hangs"), read_seconds=0.05)
    with pytest.raises(http.errors) as caught:
        await http(Task("price", 0), params)
    assert isinstance(caught.value, aiohttp.SocketTimeoutError)
    assert http.is_transient(caught.value)


async def test_redirects_without_end_are_an_error(http: HttpOperation, upstream: Upstream) -> None:
    """It says how many are followed."""
    with pytest.raises(RedirectsError, match=f"leads on after {MAX_REDIRECTS} redirects") as caught:
        await http(Task("price", 0), HttpParams(url=upstream.url("/loop")))
    assert upstream.hops == MAX_REDIRECTS + 1
    assert not http.is_transient(caught.value)


async def test_a_url_that_may_not_be_called_is_an_error_of_the_operation(http: HttpOperation) -> None:
    """Where nobody has refused it before."""
    with pytest.raises(http.errors) as caught:
        await http(Task("price", 0), HttpParams(url="http://169.254.169.254/latest"))
    assert isinstance(caught.value, HostNotAllowedError)
    assert not http.is_transient(caught.value)


async def test_it_is_refused_before_anything_starts(http: HttpOperation, upstream: Upstream) -> None:
    """As a value of ``http.url``, with what may be called and where that is set."""
    http.check(None)
    http.check(HttpParams())
    http.check(HttpParams(url=upstream.url("/body/1")))
    with pytest.raises(RefusedParameterError) as refused:
        http.check(HttpParams(url="http://169.254.169.254/latest"))
    assert refused.value.field == "http.url"
    assert "RETRYSCOPE_HTTP_ALLOWED_HOSTS" in str(refused.value)


async def test_without_an_upstream_the_url_must_be_given(upstream: Upstream) -> None:
    allowed = upstream.url().removeprefix("http://")
    async with http_operation(None, [allowed]) as http:
        with pytest.raises(HostNotAllowedError, match="no bundled upstream"):
            await http(Task("price", 0))
        assert await http(Task("price", 0), HttpParams(url=upstream.url("/body/1")))


async def test_a_refused_connection_is_an_error(recorded: Recorded) -> None:
    """The upstream is not there yet."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with http_operation(f"http://127.0.0.1:{port}", ()) as http:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await http(Task("price", 0))
    assert http.is_transient(caught.value)


async def test_connections_are_shared(http: HttpOperation, recorded: Recorded, upstream: Upstream) -> None:
    """By all tasks of the process, one after the other."""
    for _ in range(3):
        await http(Task("price", 0))
    connector = http.session.connector
    assert connector is not None
    assert [len(idle) for idle in connector._conns.values()] == [1]


@pytest.mark.parametrize(
    "given",
    [
        {"url": ""},
        {"url": "http://shop.example/" + "a" * 2_048},
        {"url": 7},
        {"connect_seconds": 0},
        {"read_seconds": 3601},
        {"read_seconds": float("inf")},
        {"max_body_bytes": 0},
        {"max_body_bytes": 16_777_217},
        {"max_body_bytes": "1"},
        {"method": "DELETE"},
    ],
    ids=str,
)
def test_parameters_are_bounded(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HttpParams(**given)


def test_every_parameter_says_what_it_is() -> None:
    assert all(each.description for each in HttpParams.model_fields.values())
