"""Errors as ``application/problem+json`` (RFC 9457)."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from retryscope.adapters.aiohttp_server import UNHANDLED_ERROR
from retryscope.printable import printable_json
from retryscope_service.http.root_path import public_path, root_path

CONTENT_TYPE: Final = "application/problem+json"

_log = logging.getLogger("retryscope_service")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Problem(Exception):  # noqa: N818  (the RFC's word)
    """An error for the client.

    Args:
        status: HTTP status code.
        kind: Short name, the last part of the problem's ``type``.
        title: What went wrong, the same for every problem of this kind.
        detail: What went wrong this time, and what to do.
        members: Further members of the document.
        headers: Further headers of the response.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.members = members or {}
        self.headers = headers or {}

    def document(self, instance: str) -> bytes:
        """The document about a request to that path."""
        document = {
            "type": f"urn:retryscope:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            **self.members,
        }
        return printable_json(document).encode()

    def response(self, request: web.BaseRequest) -> web.Response:
        """The document as a response."""
        return web.Response(
            status=self.status,
            body=self.document(public_path(request)),
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


def invalid_parameter(field: str, value: str, bound: str) -> Problem:
    """A parameter outside the body is wrong: in the path, the query or a header."""
    shown = value[:100]
    message = f"{field} is {shown!r}: it must be {bound}."
    errors = [{"field": field, "value": shown, "bound": bound, "message": message}]
    return Problem(422, "invalid-parameters", "Invalid parameters", message, {"errors": errors})


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a problem document."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response(request)
    except web.HTTPException as answer:
        if answer.status < 400:
            raise
        return _of_http_exception(request, answer).response(request)
    except Exception as error:
        _log.exception("unhandled error in %s %s", request.method, request.path)
        request[UNHANDLED_ERROR] = error
        detail = "The service has a bug; its log has the details."
        return Problem(500, "internal-error", "Internal error", detail).response(request)


def _of_http_exception(request: web.Request, answer: web.HTTPException) -> Problem:
    phrase = HTTPStatus(answer.status).phrase
    headers = {name: answer.headers[name] for name in ("Allow",) if name in answer.headers}
    detail = answer.text or phrase
    if answer.status == 404:
        detail = f"There is nothing at {request.path}; {root_path(request)}/docs lists what there is."
    elif answer.status == 405:
        allowed = headers.get("Allow", "another method").replace(",", ", ")
        detail = f"{request.method} does not work on {request.path}; use {allowed}."
    return Problem(answer.status, phrase.lower().replace(" ", "-"), phrase, detail, headers=headers)
