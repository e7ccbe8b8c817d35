"""``/console/history``, ``/console/alerts`` and ``/console/traffic``: the numbers of the console's pages.

They are made for the console and may change with it.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Annotated, Final

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from retryscope_service.api import console_schemas as schemas
from retryscope_service.api.openapi_parts import PAGE_ONLY, get, problems
from retryscope_service.api.route import Resource, Route
from retryscope_service.http.problems import Problem
from retryscope_service.http.validation import read_params
from retryscope_service.load.switch import MAX_RATE, MAX_SECONDS, OFFERED, Traffic, TrafficUnavailableError
from retryscope_service.monitor.alert_states import AlertStates
from retryscope_service.monitor.history import ChartHistory

MAX_BODY_BYTES: Final = 4096
_HEADERS: Final = {"Cache-Control": "no-store"}


def _offered(name: str) -> str:
    if name not in OFFERED:
        expected = f"one of {', '.join(OFFERED)}"
        raise PydanticCustomError("unknown_scenario", "it must be {expected}", {"expected": expected})
    return name


class TrafficParams(BaseModel):
    """What the traffic switch is set to."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    scenario: Annotated[str, AfterValidator(_offered), Field(json_schema_extra={"enum": list(OFFERED)})] = (
        "mixed"
    )
    rate: float = Field(10.0, gt=0, le=MAX_RATE, description="Requests a second.")
    duration_seconds: float = Field(300.0, gt=0, le=MAX_SECONDS)


_SWITCH_ON_OPERATION: Final = {
    "operationId": "startTraffic",
    "summary": f"{PAGE_ONLY}send traffic to this service.",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": TrafficParams,
                "example": TrafficParams().model_dump(mode="json"),
            }
        },
    },
    "responses": {
        "200": {
            "description": "It is being sent.",
            "content": {"application/json": {"schema": schemas.Traffic}},
        },
        **problems(400, 401, 408, 413, 415, 422, 503),
    },
}


class MonitorRoutes(Resource):
    """The routes of history, alerts and traffic.

    Args:
        history: The charts.
        alerts: The alerts that this process evaluates.
        traffic: The traffic switch.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        history: ChartHistory,
        alerts: AlertStates,
        traffic: Traffic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._history = history
        self._alerts = alerts
        self._traffic = traffic
        self._clock = clock

    async def history(self, request: web.Request) -> web.Response:
        """Every chart with its values."""
        document = self._history.document(self._clock())
        # Some 50,000 numbers take longer to encode than the event loop should stand still.
        return _json_response(await asyncio.to_thread(_encode, document))

    async def alerts(self, request: web.Request) -> web.Response:
        """The state of each alert, and when which one fired."""
        return _json_response(_encode({"rules": self._alerts.states(), "history": self._alerts.history()}))

    async def traffic(self, request: web.Request) -> web.Response:
        """Whether traffic is sent, and what came of it."""
        return _json_response(_encode(self._traffic.document()))

    async def switch_on(self, request: web.Request) -> web.Response:
        """Send traffic, in place of what is sent now."""
        params = await read_params(
            request,
            TrafficParams,
            MAX_BODY_BYTES,
            "scenario, rate and duration_seconds are all there is",
            required=True,
        )
        try:
            self._traffic.start(params.scenario, params.rate, params.duration_seconds)
        except TrafficUnavailableError as error:
            raise Problem(
                503, "shutting-down", "Shutting down", f"No traffic was started: {error}."
            ) from None
        return await self.traffic(request)

    async def switch_off(self, request: web.Request) -> web.Response:
        """Send no more; what was started goes on."""
        self._traffic.switch_off()
        return await self.traffic(request)

    ROUTES = (
        Route(
            "GET",
            "/console/history",
            history,
            get(
                "getHistory",
                f"{PAGE_ONLY}the charts of the last three hours.",
                None,
                (401,),
                schema=schemas.History,
            ),
        ),
        Route(
            "GET",
            "/console/alerts",
            alerts,
            get(
                "listConsoleAlerts",
                f"{PAGE_ONLY}the alerts that this process evaluates by itself.",
                None,
                (401,),
                schema=schemas.AlertsDocument,
            ),
        ),
        Route(
            "GET",
            "/console/traffic",
            traffic,
            get("getTraffic", f"{PAGE_ONLY}whether traffic is sent.", None, (401,), schema=schemas.Traffic),
        ),
        Route("PUT", "/console/traffic", switch_on, _SWITCH_ON_OPERATION),
        Route(
            "DELETE",
            "/console/traffic",
            switch_off,
            get("stopTraffic", f"{PAGE_ONLY}send no more traffic.", None, (401,), schema=schemas.Traffic),
        ),
    )


def _encode(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def _json_response(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json", headers=_HEADERS)
