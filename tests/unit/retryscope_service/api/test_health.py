"""``/health``."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from jsonschema import ValidationError, validate

from retryscope_service.api.health import HealthRoutes
from retryscope_service.runs.inline import InlineRuns
from tests.unit.retryscope_service.helpers import Api


async def test_live(api: Api) -> None:
    """The process answers."""
    answer = await api.get("/health/live")
    assert (answer.status, answer.json()) == (200, {"status": "live"})


async def test_ready_says_how_many_runs_are_in_flight(api: Api) -> None:
    """For who wants to know before stopping it."""
    assert (await api.get("/health/ready")).json() == {"status": "ready", "runs_in_flight": 0}
    running = asyncio.create_task(api.run("timeouts"))
    await asyncio.sleep(1)
    assert (await api.get("/health/ready")).json() == {"status": "ready", "runs_in_flight": 1}
    await running
    assert (await api.get("/health/ready")).json() == {"status": "ready", "runs_in_flight": 0}


async def test_health_alone_is_whether_it_is_ready(api: Api) -> None:
    """What a person tries first, and what the documents call all of it."""
    answer = await api.get("/health")
    assert (answer.status, answer.json()) == (200, {"status": "ready", "runs_in_flight": 0})


async def test_while_draining_it_is_live_but_not_ready(api: Api) -> None:
    """A load balancer sends nothing more, an orchestrator does not kill it."""
    await api.runs.drain(0)
    assert (await api.get("/health/live")).status == 200
    answer = await api.get("/health/ready")
    assert (answer.status, answer.json()["type"]) == (503, "urn:retryscope:problem:draining")


async def test_what_is_wrong_with_the_engine_is_said_by_ready() -> None:
    """It takes new runs all the same."""
    routes = HealthRoutes(InlineRuns(1), lambda: ["Redis may remove what it was given"])
    answer = await routes.ready(make_mocked_request("GET", "/health/ready"))
    assert answer.status == 200
    assert json.loads(answer.text or "")["warnings"] == ["Redis may remove what it was given"]


async def test_the_openapi_document_describes_each_member(api: Api) -> None:
    """Also ``warnings``, which are rare."""
    paths = (await api.get("/openapi.json")).json()["paths"]

    def schema(path: str) -> dict[str, Any]:
        found: dict[str, Any] = paths[path]["get"]["responses"]["200"]["content"]["application/json"][
            "schema"
        ]
        return found

    warned = {"status": "ready", "runs_in_flight": 0, "warnings": ["Redis may remove what it was given"]}
    for path in ("/health", "/health/ready"):
        validate((await api.get(path)).json(), schema(path))
        validate(warned, schema(path))
        with pytest.raises(ValidationError):
            validate({**warned, "others": 1}, schema(path))
    validate((await api.get("/health/live")).json(), schema("/health/live"))
