"""``/job``: what is called, answers as it is asked to, and gets the faults."""

import asyncio
import json
import math
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retryscope_service.http.problems import Problem, invalid_parameter
from retryscope_service.http.validation import problem_of
from retryscope_service.operations.parameters import MAX_SECONDS
from retryscope_service.upstream.faults import Draw, Fault, Faults
from retryscope_service.upstream.telemetry import NO_ANSWER, PUT_IN
from retryscope_service.upstream.upstream import Upstream

LONGEST_JOB: Final = 10 * MAX_SECONDS
"""Seconds: the longest duration of a workflow, on its slowest clock."""
PIECES: Final = 8
"""Of a slow body."""
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: what is not sent is dropped, and the connection with a RST."""
_REFUSALS: Final[dict[Fault, int]] = {"error": 500, "rate_limited": 429, "unavailable": 503}


class Job(BaseModel):
    """What a request asks for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: float = Field(0.0, ge=0, le=LONGEST_JOB, allow_inf_nan=False, description="How long it takes.")
    status: int = Field(200, ge=200, le=599, description="What it is answered with.")
    retry_after: int | None = Field(None, ge=0, le=3600, description="Whole seconds for Retry-After.")


class JobRoutes:
    """The routes ``/job`` and ``/job/NAME``: the names are for faults that hold for some paths only.

    Args:
        upstream: What it does to requests.
    """

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def routes(self) -> list[web.RouteDef]:
        """The routes to add to an application."""
        return [web.get("/job", self.job), web.get("/job/{name}", self.job)]

    async def job(self, request: web.Request) -> web.StreamResponse:
        """Take the time that is asked for, then answer as is asked for."""
        asked = _read(request)
        faults, drawn = await begin(request, self._upstream, asked.seconds)
        body = json.dumps({"path": request.path, **asked.model_dump(exclude_none=True)}).encode()
        return await answer(
            request, self._upstream, faults, drawn, Answer(body, asked.status, _headers(asked))
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with, unless a fault is done to it."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


async def begin(request: web.Request, upstream: Upstream, seconds: float) -> tuple[Faults, Draw]:
    """Draw what is done to a request; take its time and the latency, before the fault or the answer.

    Raises:
        Problem: A fault was drawn that comes before anything is done.
    """
    faults, drawn = upstream.faults, upstream.draw(request.path)
    if drawn.fault is not None:
        request[PUT_IN] = drawn.fault
    await asyncio.sleep(seconds + drawn.latency)
    if drawn.fault in _REFUSALS:
        after = {} if drawn.fault == "error" else {"Retry-After": str(faults.retry_after)}
        detail = "The upstream was told to answer so: GET /faults says how often."
        raise Problem(_REFUSALS[drawn.fault], "fault", f"Fault: {drawn.fault}", detail, headers=after)
    return faults, drawn


async def answer(
    request: web.Request, upstream: Upstream, faults: Faults, drawn: Draw, said: Answer
) -> web.StreamResponse:
    """Answer, or do the fault that comes when all is done."""
    match drawn.fault:
        case "hang":
            await upstream.hang(faults.hang_seconds)
            return _cut_off(request)
        case "reset":
            return _cut_off(request, reset=True)
        case "truncated":
            return await _send(request, said, sent=len(said.body) // 2)
        case "slow_body":
            return await _send(request, said, over=faults.slow_body_seconds)
    return web.Response(
        body=said.body, status=said.status, headers=said.headers, content_type="application/json"
    )


def _read(request: web.Request) -> Job:
    given: dict[str, Any] = {}
    for name, value in request.query.items():
        if name in given:
            raise invalid_parameter(name, value, "given once")
        given[name] = value
    try:
        return Job.model_validate(given)
    except ValidationError as error:
        raise problem_of(error) from None


def _headers(asked: Job) -> dict[str, str]:
    return {} if asked.retry_after is None else {"Retry-After": str(asked.retry_after)}


def _cut_off(request: web.Request, *, reset: bool = False) -> web.Response:
    """End the connection; the response that aiohttp wants to have reaches nobody."""
    if (transport := request.transport) is not None:
        if reset:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    request[NO_ANSWER] = True
    return web.Response()


async def _send(
    request: web.Request, said: Answer, *, sent: int | None = None, over: float = 0.0
) -> web.StreamResponse:
    """Send the body in pieces over some seconds, or only its first bytes, and close the connection."""
    body = said.body
    response = web.StreamResponse(status=said.status, headers=said.headers)
    response.content_type = "application/json"
    response.content_length = len(body)
    response.force_close()
    size = math.ceil(len(body) / PIECES)
    try:
        await response.prepare(request)
        for start in range(0, len(body) if sent is None else sent, size):
            await asyncio.sleep(over / PIECES)
            await response.write(body[start : start + size])
        if sent is None:
            await response.write_eof()
    except ConnectionError:  # a moment later aiohttp cancels the handler, as the client has gone
        raise asyncio.CancelledError from None
    return response
