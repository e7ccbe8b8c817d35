"""How many entries a listing answers with."""

from typing import Any, Final

from aiohttp import web

from retryscope_service.http.problems import invalid_parameter

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100

LIMIT_PARAMETER: Final[dict[str, Any]] = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
}
"""The query parameter, as the OpenAPI document describes it."""


def page_limit(request: web.Request) -> int:
    """The query parameter ``limit``.

    Raises:
        Problem: 422, naming the bound.
    """
    text = request.query.get("limit", str(DEFAULT_LIMIT))
    if not text.isascii() or not text.isdecimal() or len(text) > 4 or not 1 <= int(text) <= MAX_LIMIT:
        raise invalid_parameter("limit", text, f"a whole number from 1 to {MAX_LIMIT}")
    return int(text)
