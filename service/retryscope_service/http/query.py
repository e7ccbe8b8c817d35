"""Query parameters: those that the OpenAPI document describes, and no others.

With a misspelt filter a listing would show what was not asked for; and of a value that is given twice, one
would be dropped without a word.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from retryscope_service.http.problems import invalid_parameter

TRACE_ID: Final = re.compile(r"^[0-9a-f]{32}$")
TRACE_ID_SCHEMA: Final[dict[str, Any]] = {"type": "string", "pattern": "^[0-9a-fA-F]{32}$"}
"""Where capitals are taken too."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def choices_parameter(name: str, known: Sequence[str]) -> dict[str, Any]:
    """The description of a filter that may be repeated."""
    return {
        "name": name,
        "in": "query",
        "description": "Repeated: any of them.",
        "schema": {"type": "array", "items": {"type": "string", "enum": list(known)}},
    }


def choices(request: web.Request, name: str, known: Sequence[str]) -> frozenset[str]:
    """The values of such a filter; none: all are wanted.

    Raises:
        Problem: 422, naming the known ones.
    """
    given = request.query.getall(name, [])
    for value in given:
        if value not in known:
            raise invalid_parameter(name, value, f"one of {', '.join(known)}")
    return frozenset(given)


def read_trace_id(name: str, text: str) -> str:
    """The id of a trace, in small letters.

    Raises:
        Problem: 422, naming the parameter.
    """
    if not TRACE_ID.fullmatch(text.lower()):
        raise invalid_parameter(name, text, "32 hexadecimal digits")
    return text.lower()


def query_middleware(document: Mapping[str, Any]) -> Callable[..., Awaitable[web.StreamResponse]]:
    """An aiohttp middleware that refuses query parameters that an OpenAPI document does not describe.

    What is not in the document, such as the page, takes any.
    """
    described = {
        (method.upper(), path): {
            parameter["name"]: parameter["schema"].get("type") == "array"
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "query"
        }
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        if request.query and resource is not None:
            method = "GET" if request.method == "HEAD" else request.method
            template = resource.canonical
            # The document describes each workflow by itself, because of its schema.
            for path in (template, template.format_map(request.match_info)):
                if (method, path) in described:
                    _check(request, described[method, path])
        return await handler(request)

    return middleware


def _check(request: web.Request, repeatable: Mapping[str, bool]) -> None:
    for name in request.query:
        if name not in repeatable:
            known = (
                f"one of {', '.join(sorted(repeatable))}" if repeatable else "left out: there are none here"
            )
            raise invalid_parameter(name, request.query[name], known)
        if not repeatable[name] and len(request.query.getall(name)) > 1:
            raise invalid_parameter(name, ", ".join(request.query.getall(name)), "given once")
