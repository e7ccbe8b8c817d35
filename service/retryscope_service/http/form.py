"""Whether an answer is JSON, for programs, or text, for a terminal."""

from typing import Any, Final

from aiohttp import web

from retryscope_service.http.problems import invalid_parameter

FORM_PARAMETER: Final[dict[str, Any]] = {
    "name": "format",
    "in": "query",
    "schema": {"type": "string", "enum": ["json", "text"], "default": "json"},
}
"""The query parameter, as the OpenAPI document describes it."""


def wants_text(request: web.Request) -> bool:
    """Whether the query parameter ``format`` asks for text.

    Raises:
        Problem: 422, naming the two.
    """
    form = request.query.get("format", "json")
    if form not in ("json", "text"):
        raise invalid_parameter("format", form, "json or text")
    return form == "text"
