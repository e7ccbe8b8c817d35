"""Answers to what is no request, or one that nothing takes: aiohttp hands those to no middleware."""

import logging
from http import HTTPStatus
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from retryscope.adapters.aiohttp_server import count_refused
from retryscope_service.http.problems import CONTENT_TYPE, Problem

MAX_TARGET_BYTES: Final = 8_000
"""Of a request's target; RFC 9110 asks for no less."""
MAX_FIELD_BYTES: Final = 8_190
"""Of a header, with its name."""

_log = logging.getLogger("retryscope_service")


def refuse(request: web.BaseRequest, problem: Problem, *, counted: bool) -> web.Response:
    """The answer, logged, and counted if it should be; the connection ends with it."""
    note(problem, request.remote, counted=counted)
    return closing(request, problem)


def closing(request: web.BaseRequest, problem: Problem) -> web.Response:
    """The answer, after which the connection is closed."""
    response = problem.response(request)
    response.force_close()
    return response


def note(problem: Problem, remote: object, *, counted: bool) -> None:
    """Log a request that was refused, and count it if it should be."""
    if counted:
        count_refused(problem.status)
    _log.info("refused a request from %s: %d %s", remote, problem.status, problem.title)


def raw(problem: Problem) -> bytes:
    """The response to a request that has no end."""
    body = problem.document("/")
    head = (
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
        f"Content-Type: {CONTENT_TYPE}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join((*head, "", "")).encode() + body


def problem_of_parser(error: HttpProcessingError) -> Problem:
    """What is wrong, in words of our own: the parser's repeat what was sent."""
    if isinstance(error, LineTooLong) and error.args[1] == MAX_TARGET_BYTES:
        return Problem(
            414, "uri-too-long", "URI too long", f"The target is longer than {MAX_TARGET_BYTES} bytes."
        )
    if isinstance(error, LineTooLong) or error.message.startswith("Too many headers"):
        return Problem(
            431,
            "request-header-fields-too-large",
            "Request header fields too large",
            f"A header is longer than {MAX_FIELD_BYTES} bytes, or there are too many.",
        )
    return Problem(
        400,
        "malformed-request",
        "Malformed request",
        "This is no HTTP/1.1 request; often the Host header is missing, a header has a blank before its colon"
        " or a control character in it, or it was meant for a port with TLS.",
    )
