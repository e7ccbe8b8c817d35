"""The console's numbers over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from retryscope_service.api.monitor import MonitorRoutes
from retryscope_service.http.problems import problem_middleware
from retryscope_service.load.switch import Traffic
from retryscope_service.monitor.alert_states import AlertStates
from retryscope_service.monitor.charts import charts
from retryscope_service.monitor.history import ChartHistory
from retryscope_service.slo.definition import read_definition
from tests.unit.retryscope_service.helpers import Api, InlineExecutor
from tests.unit.retryscope_service.load.stubs import SlowService
from tests.unit.retryscope_service.monitor.scrapes import START, scrape

Client = TestClient[Request, Application]


@asynccontextmanager
async def _stub(url: str, *, timeout: float, token: str | None) -> AsyncIterator[SlowService]:
    yield SlowService()


@pytest.fixture
def history() -> ChartHistory:
    return ChartHistory(charts(read_definition()))


@pytest.fixture
def alerts() -> AlertStates:
    return AlertStates(read_definition())


@pytest.fixture
async def client(history: ChartHistory, alerts: AlertStates) -> AsyncIterator[Client]:
    asyncio.get_running_loop().set_default_executor(InlineExecutor())
    traffic = Traffic(lambda *_: None, clock=lambda: START, open_client=_stub)
    traffic.serve_at("http://service")
    app = Application(middlewares=[problem_middleware])
    app.add_routes(MonitorRoutes(history, alerts, traffic, lambda: START + 2).routes())
    async with TestClient(TestServer(app)) as client:
        yield client
    await traffic.close()


async def answer(client: Client, method: str, path: str, body: object = None) -> tuple[int, Any]:
    async with client.request(method, path, json=body) as response:
        return response.status, await response.json(content_type=None)


async def test_the_history_is_json_with_null_where_nothing_is_known(
    client: Client, history: ChartHistory
) -> None:
    history.add(START, scrape(runs=1))
    history.add(START + 1, scrape(runs=4))
    status, document = await answer(client, "GET", "/console/history")
    assert status == 200
    assert document == history.document(START + 2)
    assert document["charts"][0]["series"][0]["points"]["1"][-3:] == [None, 3.0, None]


async def test_the_alerts_and_what_fired_before(client: Client, alerts: AlertStates) -> None:
    for number in range(3):
        alerts.evaluate(START + 15 * number, scrape(dropped={("already_shutdown",): float(number)}))
    alerts.evaluate(START + 5000, scrape(dropped={("already_shutdown",): 2.0}))
    status, document = await answer(client, "GET", "/console/alerts")
    assert (status, document["rules"]) == (200, alerts.states())
    assert [(each["alert"], each["to"]) for each in document["history"]] == [
        ("TelemetryDropped", START + 5000)
    ]


async def test_the_traffic_is_switched_on_and_off(client: Client) -> None:
    body = {"scenario": "timeouts", "rate": 50, "duration_seconds": 600}
    status, traffic = await answer(client, "PUT", "/console/traffic", body)
    assert (status, traffic["on"], traffic["scenario"]) == (200, True, "timeouts")
    assert (traffic["rate"], traffic["ends_at"], traffic["max_rate"]) == (50, START + 600, 50)
    assert await answer(client, "GET", "/console/traffic") == (200, traffic)
    status, traffic = await answer(client, "DELETE", "/console/traffic")
    assert (status, traffic["on"], traffic["ends_at"]) == (200, False, None)


async def test_the_traffic_is_healthy_unless_told_otherwise(client: Client) -> None:
    status, traffic = await answer(client, "PUT", "/console/traffic", {})
    assert (status, traffic["scenario"], traffic["rate"], traffic["ends_at"]) == (
        200,
        "mixed",
        10,
        START + 300,
    )


@pytest.mark.parametrize(
    ("body", "field", "bound"),
    [
        ({"rate": 51}, "rate", "<= 50"),
        ({"rate": 0}, "rate", "> 0"),
        ({"rate": "fast"}, "rate", "number"),
        ({"duration_seconds": 601}, "duration_seconds", "<= 600"),
        ({"duration_seconds": 0}, "duration_seconds", "> 0"),
        (
            {"scenario": "overload"},
            "scenario",
            "one of mixed, failures, caught-failures, retry-storm, timeouts, cancellations",
        ),
    ],
)
async def test_what_is_out_of_bounds_names_value_and_bound(
    client: Client, body: dict[str, object], field: str, bound: str
) -> None:
    status, problem = await answer(client, "PUT", "/console/traffic", body)
    assert status == 422
    (error,) = problem["errors"]
    assert (error["field"], error["value"], error["bound"]) == (field, body[field], bound)
    assert str(body[field]) in problem["detail"]
    assert (await answer(client, "GET", "/console/traffic"))[1]["on"] is False


async def test_an_unknown_parameter_is_refused(client: Client) -> None:
    status, problem = await answer(client, "PUT", "/console/traffic", {"url": "http://elsewhere"})
    assert (status, problem["errors"][0]["field"]) == (422, "url")


async def test_a_large_body_is_refused(client: Client) -> None:
    status, problem = await answer(client, "PUT", "/console/traffic", {"scenario": "m" * 5000})
    assert (status, problem["bound"]) == (413, 4096)


async def test_there_is_no_traffic_while_the_service_does_not_listen(api: Api) -> None:
    answered = await api.call("PUT", "/console/traffic", {})
    assert answered.status == 503
    assert answered.json()["detail"] == (
        "No traffic was started: the service takes no requests yet, or not any more."
    )


@pytest.mark.parametrize("path", ["/console/history", "/console/alerts", "/console/traffic"])
async def test_the_routes_are_part_of_the_service_and_leave_no_spans(api: Api, path: str) -> None:
    answered = await api.get(path)
    assert (answered.status, answered.content_type) == (200, "application/json")
    assert answered.headers["Cache-Control"] == "no-store"
    assert api.recorded.spans() == []
