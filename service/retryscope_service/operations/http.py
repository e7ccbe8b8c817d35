"""An HTTP request that really takes its time, and really fails."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final

import aiohttp
from aiohttp.abc import AbstractResolver
from pydantic import Field
from yarl import URL

from retryscope.adapters.aiohttp_client import is_transient
from retryscope.adapters.client_attributes import safe
from retryscope_service.operations.http_client import client
from retryscope_service.operations.parameters import (
    Integer,
    Parameters,
    PositiveSeconds,
    RefusedParameterError,
)
from retryscope_service.operations.task import Task
from retryscope_service.targets import AllowedTargets, HostNotAllowedError

MAX_URL: Final = 2_048
"""Characters."""
MAX_REDIRECTS: Final = 5
UNAVAILABLE: Final = 503


class HttpParams(Parameters):
    """Parameters of the operation `http`."""

    url: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_URL,
        description="What is called, by GET, of the hosts that RETRYSCOPE_HTTP_ALLOWED_HOSTS names. By"
        " default the bundled upstream, which takes as long, and fails as often, as the workflow says;"
        " elsewhere neither applies.",
    )
    connect_seconds: PositiveSeconds = Field(
        2.0,
        description="Longest wait for a connection, in real time, whatever the time scale.",
    )
    read_seconds: PositiveSeconds = Field(
        10.0,
        description="Longest silence of the server, in real time; the bundled upstream may take the task's"
        " time besides.",
    )
    max_body_bytes: Integer = Field(
        65_536, ge=1, le=16_777_216, description="Longest body of an answer that is read."
    )


class BodyTooLongError(aiohttp.ClientError):
    """An answer is longer than its reader wants."""


class RedirectsError(aiohttp.ClientError):
    """An answer only ever leads to another URL."""


class HttpOperation:
    """Sends requests, through one client.

    Attributes:
        errors: What it raises when the dependency fails.
        session: The process's client, for whoever else calls the upstream.

    Args:
        session: The client, which calls only what it may.
        targets: Which that is.
        upstream: Base address of the bundled upstream; None: there is none.
    """

    errors: ClassVar[tuple[type[Exception], ...]] = (aiohttp.ClientError, HostNotAllowedError)

    def __init__(self, session: aiohttp.ClientSession, targets: AllowedTargets, upstream: str | None) -> None:
        self.session = session
        self._targets = targets
        self._upstream = None if upstream is None else URL(upstream)

    async def __call__(self, task: Task, params: HttpParams | None = None) -> dict[str, Any]:
        """Send the task's request; the status of the answer, and how many bytes it had.

        Raises:
            aiohttp.ClientResponseError: The status is 400 or above; with the headers.
            aiohttp.ClientPayloadError: The answer breaks off.
            aiohttp.ClientError: There is no answer, it is too long, or leads on and on.
            HostNotAllowedError: The URL, its address or a redirect of it may not be called.
        """
        params = params or HttpParams()
        silence = params.read_seconds
        if params.url is None:
            url = self._work(task)
            silence += task.seconds
        else:
            url = URL(params.url)
        limits = aiohttp.ClientTimeout(total=None, connect=params.connect_seconds, sock_read=silence)
        try:
            async with self.session.get(url, timeout=limits, max_redirects=MAX_REDIRECTS + 1) as response:
                _raise_for_status(response)
                return {"status": response.status, "bytes": await _length(response, params.max_body_bytes)}
        except aiohttp.TooManyRedirects as error:
            raise RedirectsError(f"{safe(url)} leads on after {MAX_REDIRECTS} redirects, the most") from error

    def is_transient(self, error: Exception) -> bool:
        """Whether another attempt may succeed."""
        return is_transient(error)

    def check(self, params: HttpParams | None) -> None:
        """Refuse a URL that may not be called.

        Raises:
            RefusedParameterError: It may not.
        """
        url = None if params is None else params.url
        if url is None:
            return
        try:
            self._targets.check_url(url)
        except HostNotAllowedError as error:
            raise RefusedParameterError("http.url", url, str(error)) from None

    def _work(self, task: Task) -> URL:
        if self._upstream is None:
            raise HostNotAllowedError("there is no bundled upstream here: http.url must say what to call")
        status = {"status": str(UNAVAILABLE)} if task.fails() else {}
        return self._upstream / "job" % {"seconds": f"{task.seconds:.6g}", **status}


def _raise_for_status(response: aiohttp.ClientResponse) -> None:
    """As aiohttp does it, but the error shows of the URL what a span shows: no signature in its query."""
    if response.ok:
        return
    asked = response.request_info
    shown = URL(safe(response.url))
    raise aiohttp.ClientResponseError(
        aiohttp.RequestInfo(shown, asked.method, asked.headers, shown),
        response.history,
        status=response.status,
        message=response.reason or "",
        headers=response.headers,
    )


async def _length(response: aiohttp.ClientResponse, most: int) -> int:
    """Read the body to its end."""
    length = 0
    async for chunk in response.content.iter_any():
        length += len(chunk)
        if length > most:
            raise BodyTooLongError(
                f"the answer of {safe(response.url)} is longer than max_body_bytes, {most}"
            )
    return length


@asynccontextmanager
async def http_operation(
    upstream: str | None, allowed_hosts: Collection[str], resolver: AbstractResolver | None = None
) -> AsyncIterator[HttpOperation]:
    """The operation, with its client open.

    Args:
        upstream: Base address of the bundled upstream; None: there is none.
        allowed_hosts: Of the setting.
        resolver: Whom to ask for addresses; by default the system.

    Raises:
        ValueError: One of them is no host.
    """
    targets = AllowedTargets(allowed_hosts, upstream)
    async with client(targets, resolver) as session:
        yield HttpOperation(session, targets, upstream)
