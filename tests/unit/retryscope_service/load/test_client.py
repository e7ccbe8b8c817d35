"""The client of a load, against a server that answers as told."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from retryscope_service.load.client import LoadClient, UnusableAddressError
from retryscope_service.load.request import Answer, Request
from tests.support.polling import LIMIT

TOKEN = "of-these-tests-0123456789"  # noqa: S105

REAL_LOOP = True
PROBLEM = {"status": 422, "detail": "tasks is 5000: input should be less than or equal to 1000."}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers every path as told, and remembers the requests."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, object, str | None]] = []
        self.answers: dict[str, Handler] = {}
        self.hung_up = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        body = await request.json() if text else None
        self.asked.append((request.method, request.path, body, request.headers.get("Authorization")))
        return await self.answers[request.path](request)

    def answer(self, path: str, status: int, document: object = None, text: str | None = None) -> None:
        async def handler(request: web.Request) -> web.Response:
            if text is not None:
                return web.Response(status=status, text=text)
            return web.json_response(document, status=status)

        self.answers[path] = handler

    def never(self, path: str) -> None:
        async def handler(request: web.Request) -> web.Response:
            try:
                await asyncio.sleep(3600)
            finally:
                self.hung_up.set()
            raise AssertionError

        self.answers[path] = handler

    def break_connection(self, path: str) -> None:
        async def handler(request: web.Request) -> web.Response:
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(3600)
            raise AssertionError

        self.answers[path] = handler


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def url(server: Server) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(app, host="127.0.0.1") as running:
        runner = running.runner
        assert runner is not None
        assert runner.server is not None
        runner.server.handler_cancellation = True
        yield f"http://127.0.0.1:{running.port}"


@pytest.fixture
async def client(url: str) -> AsyncIterator[LoadClient]:
    async with LoadClient.open(url, timeout=LIMIT, token=None) as client:
        yield client


@pytest.fixture
async def nobody() -> AsyncIterator[str]:
    """An address where nobody listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"


async def check(url: str, token: str | None = None) -> list[str]:
    async with LoadClient.open(url, timeout=LIMIT, token=token) as client:
        return await client.workflows()


class TestCheck:
    async def test_names_the_workflows(self, server: Server, url: str) -> None:
        """Asked for with the token, a final slash in the address or not."""
        server.answer("/workflows", 200, {"workflows": [{"name": "retry"}, {"name": "timeouts"}]})
        assert await check(f"{url}/", TOKEN) == ["retry", "timeouts"]
        assert server.asked == [("GET", "/workflows", None, f"Bearer {TOKEN}")]

    async def test_says_when_nobody_listens(self, nobody: str) -> None:
        with pytest.raises(
            UnusableAddressError, match=r"connection refused; start it with `retryscope serve`"
        ):
            await check(nobody)

    async def test_says_when_the_token_is_wrong_without_repeating_it(self, server: Server, url: str) -> None:
        server.answer("/workflows", 401, PROBLEM)
        with pytest.raises(UnusableAddressError, match="RETRYSCOPE_API_TOKEN") as raised:
            await check(url, TOKEN)
        assert TOKEN not in str(raised.value)

    @pytest.mark.parametrize(
        ("status", "document"),
        [(404, {"detail": "no"}), (200, {"workflows": 3}), (200, []), (302, {}), (200, {"workflows": [1]})],
    )
    async def test_says_when_it_is_something_else(
        self, status: int, document: object, server: Server, url: str
    ) -> None:
        server.answer("/workflows", status, document)
        with pytest.raises(UnusableAddressError, match=f"is no Retryscope: GET /workflows gave {status}"):
            await check(url)

    async def test_says_when_it_is_a_web_page(self, server: Server, url: str) -> None:
        server.answer("/workflows", 200, text="<html>")
        with pytest.raises(UnusableAddressError, match="is no Retryscope"):
            await check(url)

    async def test_says_when_the_address_is_none(self) -> None:
        with pytest.raises(UnusableAddressError, match="is no URL"):
            await check("http://:80:80")

    async def test_says_when_the_connection_breaks(self, server: Server, url: str) -> None:
        server.break_connection("/workflows")
        with pytest.raises(UnusableAddressError, match="closed the connection"):
            await check(url)


class TestSend:
    async def test_an_inline_run(self, server: Server, client: LoadClient) -> None:
        server.answer("/workflows/retry", 200, {"outcome": "success"})
        before = asyncio.get_running_loop().time()
        answer = await client.send(Request("retry", {"seed": 1}))
        assert server.asked == [("POST", "/workflows/retry", {"seed": 1}, None)]
        assert (answer.status, answer.outcome, answer.error) == (200, "success", None)
        assert answer.answered_at is not None
        assert answer.answered_at >= before

    async def test_a_run_that_failed(self, server: Server, client: LoadClient) -> None:
        document = {"outcome": "exhausted", "detail": "API temporarily unavailable"}
        server.answer("/workflows/retry", 502, document)
        answer = await client.send(Request("retry", {}))
        assert (answer.status, answer.outcome) == (502, "exhausted")
        assert (answer.error, answer.detail) == ("http_502", "API temporarily unavailable")

    async def test_a_request_that_was_refused_has_no_outcome(
        self, server: Server, client: LoadClient
    ) -> None:
        server.answer("/workflows/retry", 422, PROBLEM)
        answer = await client.send(Request("retry", {}))
        assert (answer.status, answer.outcome, answer.error) == (422, None, "http_422")
        assert answer.detail == PROBLEM["detail"]

    async def test_a_page_instead_of_an_answer(self, server: Server, client: LoadClient) -> None:
        """A proxy's, for example: it is no success just because it says 200."""
        server.answer("/workflows/retry", 200, text="<html>")
        answer = await client.send(Request("retry", {}))
        assert (answer.status, answer.outcome, answer.error) == (200, None, "not_retryscope")

    async def test_no_answer_in_time(self, server: Server, url: str) -> None:
        """The client goes away, which ends the run."""
        server.never("/workflows/retry")
        async with LoadClient.open(url, timeout=0.05, token=None) as client:
            while not server.asked:  # on a busy machine it may give up before it is heard
                answer = await client.send(Request("retry", {}))
                assert (answer.status, answer.error) == (None, "timeout")
        await asyncio.wait_for(server.hung_up.wait(), LIMIT)

    async def test_a_connection_that_is_refused(self, nobody: str) -> None:
        async with LoadClient.open(nobody, timeout=LIMIT, token=None) as client:
            answer = await client.send(Request("retry", {}))
        assert (answer.status, answer.error, answer.detail) == (
            None,
            "connection_refused",
            "connection refused",
        )
        assert answer.answered_at is not None

    async def test_a_connection_that_breaks(self, server: Server, client: LoadClient) -> None:
        server.break_connection("/workflows/retry")
        answer = await client.send(Request("retry", {}))
        assert (answer.status, answer.error) == (None, "disconnected")

    async def test_hanging_up(self, server: Server, client: LoadClient) -> None:
        """The service sees the client go; nothing is known of an outcome."""
        server.never("/workflows/retry")
        while not server.asked:
            assert await client.send(Request("retry", {}, "hang_up", 0.05)) == Answer(None)
        await asyncio.wait_for(server.hung_up.wait(), LIMIT)

    async def test_an_answer_before_hanging_up_is_an_answer(self, server: Server, client: LoadClient) -> None:
        server.answer("/workflows/retry", 429, PROBLEM)
        answer = await client.send(Request("retry", {}, "hang_up", 3600))
        assert answer.error == "http_429"

    async def test_a_timeout_before_hanging_up_is_a_timeout(self, server: Server, url: str) -> None:
        server.never("/workflows/retry")
        async with LoadClient.open(url, timeout=0.05, token=None) as client:
            answer = await client.send(Request("retry", {}, "hang_up", 3600))
        assert answer.error == "timeout"

    async def test_a_background_run(self, server: Server, client: LoadClient) -> None:
        server.answer("/workflows/retry/runs", 202, {"id": "r1", "state": "queued"})
        answer = await client.send(Request("retry", {"seed": 1}, "background"))
        assert server.asked == [("POST", "/workflows/retry/runs", {"seed": 1}, None)]
        assert (answer.status, answer.outcome, answer.error) == (202, "accepted", None)

    async def test_a_background_run_that_is_cancelled(self, server: Server, client: LoadClient) -> None:
        """Its latency is that of the submission."""
        server.answer("/workflows/retry/runs", 202, {"id": "r1", "state": "queued"})
        server.answer("/runs/r1/cancel", 202, {"id": "r1", "state": "cancelling"})
        answer = await client.send(Request("retry", {}, "cancel", 0.05))
        ended = asyncio.get_running_loop().time()
        assert [(method, path) for method, path, *_ in server.asked] == [
            ("POST", "/workflows/retry/runs"),
            ("POST", "/runs/r1/cancel"),
        ]
        assert (answer.status, answer.outcome, answer.error) == (202, "cancel_requested", None)
        assert answer.answered_at is not None
        assert ended - answer.answered_at >= 0.05

    async def test_a_background_run_that_ended_before_it_was_cancelled(
        self, server: Server, client: LoadClient
    ) -> None:
        """Nobody's fault."""
        server.answer("/workflows/retry/runs", 202, {"id": "r1"})
        server.answer("/runs/r1/cancel", 409, {"detail": "it has ended"})
        answer = await client.send(Request("retry", {}, "cancel", 0.0))
        assert (answer.status, answer.outcome, answer.error) == (202, "accepted", None)

    async def test_a_cancel_that_fails(self, server: Server, client: LoadClient) -> None:
        server.answer("/workflows/retry/runs", 202, {"id": "r1"})
        server.answer("/runs/r1/cancel", 503, {"detail": "the engine is away"})
        answer = await client.send(Request("retry", {}, "cancel", 0.0))
        assert (answer.status, answer.error, answer.detail) == (503, "http_503", "the engine is away")

    async def test_a_submission_that_fails_is_not_cancelled(self, server: Server, client: LoadClient) -> None:
        server.answer("/workflows/retry/runs", 429, {"detail": "too many"})
        answer = await client.send(Request("retry", {}, "cancel", 0.0))
        assert answer.error == "http_429"
        assert len(server.asked) == 1

    async def test_what_is_kept_of_a_message_is_bounded(self, server: Server, client: LoadClient) -> None:
        server.answer("/workflows/retry", 500, {"detail": "x" * 10_000})
        answer = await client.send(Request("retry", {}))
        assert len(answer.detail) == 300

    async def test_it_sends_more_at_a_time_than_a_client_does_by_default(
        self, server: Server, client: LoadClient
    ) -> None:
        """The bound of a load is its generator's; a pool of connections would be a queue that nobody sees."""
        together = asyncio.Barrier(150)

        async def handler(request: web.Request) -> web.Response:
            await together.wait()
            return web.json_response({"outcome": "success"})

        server.answers["/workflows/retry"] = handler
        with suppress(TimeoutError):
            async with asyncio.timeout(LIMIT):
                answers = await asyncio.gather(*(client.send(Request("retry", {})) for _ in range(150)))
                assert {(answer.status, answer.error) for answer in answers} == {(200, None)}
                return
        pytest.fail("not all were sent at a time")
