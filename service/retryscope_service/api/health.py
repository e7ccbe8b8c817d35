"""``/health``: whether the process lives, and whether it takes new work."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from aiohttp import web

from retryscope_service.api.openapi_parts import get
from retryscope_service.api.route import Resource, Route
from retryscope_service.api.workflows import draining
from retryscope_service.runs.inline import InlineRuns

LIVE_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"const": "live"}},
    "additionalProperties": False,
}
READY_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["status", "runs_in_flight"],
    "properties": {
        "status": {"const": "ready"},
        "runs_in_flight": {"type": "integer", "minimum": 0, "description": "Inline runs of this process."},
        "warnings": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "description": "What is wrong with the engine though it is used: only where something is.",
        },
    },
    "additionalProperties": False,
}


class HealthRoutes(Resource):
    """The routes below ``/health``.

    Args:
        runs: Whether the process takes new ones.
        warnings: What is wrong though it does.
    """

    def __init__(self, runs: InlineRuns, warnings: Callable[[], Sequence[str]]) -> None:
        self._runs = runs
        self._warnings = warnings

    async def live(self, request: web.Request) -> web.Response:
        """The process answers; true also while it drains."""
        return web.json_response({"status": "live"})

    async def ready(self, request: web.Request) -> web.Response:
        """New runs are taken; who asks for no more than ``/health`` wants to know this."""
        if self._runs.draining:
            raise draining()
        document: dict[str, Any] = {"status": "ready", "runs_in_flight": self._runs.in_flight}
        if warnings := self._warnings():
            document["warnings"] = list(warnings)
        return web.json_response(document)

    ROUTES = (
        Route(
            "GET",
            "/health",
            ready,
            get("getHealth", "The same as /health/ready.", failures=(503,), schema=READY_SCHEMA),
            open=True,
        ),
        Route(
            "GET",
            "/health/live",
            live,
            get("getLive", "Whether the process lives.", schema=LIVE_SCHEMA),
            open=True,
        ),
        Route(
            "GET",
            "/health/ready",
            ready,
            get("getReady", "Whether new runs are taken.", failures=(503,), schema=READY_SCHEMA),
            open=True,
        ),
    )
