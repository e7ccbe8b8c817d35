"""Sends the requests of a load over HTTP."""

import asyncio
import errno
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from retryscope_service.load.request import Answer, Request
from retryscope_service.printable import printable

CHECK_SECONDS: Final = 10.0
"""Most that the check of the address may take."""
_DISCONNECTED: Final = ("disconnected", "the service closed the connection without an answer")
_SHOWN: Final = 300
"""Characters of a message that are kept."""


class UnusableAddressError(Exception):
    """No Retryscope answers at the address, or it does not let us in."""


class LoadClient:
    """Sends requests to one service.

    Args:
        session: Open session; :meth:`open` makes one that bounds nothing by itself.
        url: Base URL of the service.
        timeout: Seconds after which a request without an answer has failed.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, timeout: float) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, timeout: float, token: str | None) -> AsyncIterator["LoadClient"]:
        """A client with as many connections as the load needs."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            yield cls(session, url, timeout)

    async def workflows(self) -> list[str]:
        """The names of the workflows that can be run there: the check before a load.

        Raises:
            UnusableAddressError: What is wrong, and what to do.
        """
        timeout = aiohttp.ClientTimeout(total=CHECK_SECONDS)
        try:
            async with self._session.get(
                f"{self._url}/workflows", timeout=timeout, allow_redirects=False
            ) as response:
                status, body = response.status, await response.read()
        except aiohttp.InvalidURL:
            raise UnusableAddressError(
                f"{self._url} is no URL; one looks like http://127.0.0.1:8080"
            ) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _, detail = _describe(error)
            raise UnusableAddressError(
                f"no service answers at {self._url}: {detail}; start it with `retryscope serve`,"
                " or name its address with --url"
            ) from None
        if status == 401:
            raise UnusableAddressError(
                f"the service at {self._url} needs its API token, and the one given is missing or wrong:"
                " set RETRYSCOPE_API_TOKEN as it is set there"
            )
        try:
            names = [str(workflow["name"]) for workflow in json.loads(body)["workflows"]]
        except (ValueError, LookupError, TypeError, RecursionError):
            raise UnusableAddressError(
                f"what answers at {self._url} is no Retryscope: GET /workflows gave {status}"
            ) from None
        return [printable(name, _SHOWN) for name in names]

    async def send(self, request: Request) -> Answer:
        """Send a request and wait for what becomes of it."""
        try:
            match request.kind:
                case "inline":
                    return await self._run(request)
                case "hang_up":
                    return await self._hang_up(request)
                case "background":
                    answer, _ = await self._submit(request)
                    return answer
                case "cancel":
                    return await self._submit_and_cancel(request)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            kind, detail = _describe(error)
            return Answer(_now(), error=kind, detail=detail)

    async def _run(self, request: Request) -> Answer:
        status, document = await self._post(f"/workflows/{request.workflow}", request.body)
        return _answer(status, document, document.get("outcome"))

    async def _hang_up(self, request: Request) -> Answer:
        limit = asyncio.timeout(request.after)
        try:
            async with limit:
                return await self._run(request)
        except TimeoutError:
            if not limit.expired():
                raise
            return Answer(None)

    async def _submit(self, request: Request) -> tuple[Answer, str]:
        status, document = await self._post(f"/workflows/{request.workflow}/runs", request.body)
        return _answer(status, document, "accepted"), str(document.get("id"))

    async def _submit_and_cancel(self, request: Request) -> Answer:
        answer, run_id = await self._submit(request)
        if answer.error is not None:
            return answer
        await asyncio.sleep(request.after)
        status, document = await self._post(f"/runs/{run_id}/cancel", None)
        if status == 409:  # it had ended before
            return answer
        cancelled = _answer(status, document, "cancel_requested")
        # How long it was let run is not the service's latency: that of the submission is.
        return Answer(answer.answered_at, status, cancelled.outcome, cancelled.error, cancelled.detail)

    async def _post(self, path: str, body: object) -> tuple[int, Mapping[str, Any]]:
        async with self._session.post(
            f"{self._url}{path}", json=body, timeout=self._timeout, allow_redirects=False
        ) as response:
            try:
                document = json.loads(await response.read())
            except (ValueError, RecursionError):
                document = None
            return response.status, document if isinstance(document, dict) else {}


def _now() -> float:
    return asyncio.get_running_loop().time()


def _answer(status: int, document: Mapping[str, Any], outcome: object) -> Answer:
    known = printable(outcome, _SHOWN) if isinstance(outcome, str) else None
    if status < 300 and document:
        return Answer(_now(), status, known)
    if status < 400:
        return Answer(_now(), status, error="not_retryscope", detail="an answer without its JSON document")
    detail = printable(str(document.get("detail", "")), _SHOWN)
    # A failed workflow's problem has an outcome, of any other nothing was started.
    return Answer(_now(), status, known if "outcome" in document else None, f"http_{status}", detail)


def _describe(error: Exception) -> tuple[str, str]:
    """Kind and text of what went wrong below HTTP."""
    if isinstance(error, TimeoutError):
        return "timeout", "no answer in time"
    detail = printable(str(error) or type(error).__name__, _SHOWN)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "unknown_host", detail
    if isinstance(error, OSError):
        kinds = {
            errno.ECONNREFUSED: ("connection_refused", "connection refused"),
            errno.ECONNRESET: _DISCONNECTED,
            errno.EPIPE: _DISCONNECTED,
            errno.EMFILE: ("too_many_open_files", "too many open files: raise `ulimit -n`"),
        }
        return kinds.get(error.errno or 0, ("connection_failed", detail))
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return _DISCONNECTED
    return "invalid_answer", detail
