"""``/health``: whether the process lives, and whether it takes new work."""

from aiohttp import web

from service.api.workflows import draining
from service.runs.inline import InlineRuns


class HealthRoutes:
    """The routes below ``/health``."""

    def __init__(self, runs: InlineRuns) -> None:
        self._runs = runs

    def routes(self) -> list[web.RouteDef]:
        """The routes to add to an application."""
        return [web.get("/health/live", self.live), web.get("/health/ready", self.ready)]

    async def live(self, request: web.Request) -> web.Response:
        """The process answers; true also while it drains."""
        return web.json_response({"status": "live"})

    async def ready(self, request: web.Request) -> web.Response:
        """New runs are taken."""
        if self._runs.draining:
            raise draining()
        return web.json_response({"status": "ready", "runs_in_flight": self._runs.in_flight})
