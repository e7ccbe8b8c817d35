"""The part of the OpenAPI document that is about the page's own interface."""

from typing import Any

from service.api.console_numbers import TrafficParams
from service.api.console_schemas import (
    AlertsDocument,
    History,
    InlineRun,
    Snapshot,
    StreamEvents,
    TraceDocument,
    Traffic,
)
from service.api.openapi_parts import get, problems, ref

_NOTE = "For the console's page, may change with it: "


def console_paths() -> dict[str, Any]:
    """The paths of the console."""
    trace = {"type": "string", "pattern": "^[0-9a-fA-F]{32}$"}
    followed = {"name": "trace", "in": "query", "schema": {"type": "array", "items": trace, "maxItems": 20}}
    run_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    trace_id = {"name": "trace_id", "in": "path", "required": True, "schema": trace}
    traffic = ref(Traffic.__name__)
    return {
        "/console/snapshot": {
            "get": get(
                "getSnapshot",
                f"{_NOTE}what runs now, alerts, traffic; the stream tells changes.",
                None,
                (401,),
                schema=ref(Snapshot.__name__),
            )
        },
        "/console/stream": {
            "get": get(
                "followConsole",
                f"{_NOTE}changes of runs, alerts, charts, and of some traces, as server-sent events:"
                f" the members of {StreamEvents.__name__}.",
                [followed],
                (401, 422, 503),
                ("text/event-stream",),
            )
        },
        "/console/traces/{trace_id}": {
            "get": get(
                "getConsoleTrace",
                f"{_NOTE}the spans of a trace.",
                [trace_id],
                (401, 404, 422),
                schema=ref(TraceDocument.__name__),
            )
        },
        "/console/runs/{id}": {
            "get": get(
                "getConsoleRun",
                f"{_NOTE}what an inline run was started with, and what it answered.",
                [run_id],
                (401, 404),
                schema=ref(InlineRun.__name__),
            )
        },
        "/console/history": {
            "get": get(
                "getHistory",
                f"{_NOTE}the charts of the last three hours.",
                None,
                (401,),
                schema=ref(History.__name__),
            )
        },
        "/console/alerts": {
            "get": get(
                "listConsoleAlerts",
                f"{_NOTE}the alerts that this process evaluates by itself.",
                None,
                (401,),
                schema=ref(AlertsDocument.__name__),
            )
        },
        "/console/traffic": {
            "get": get("getTraffic", f"{_NOTE}whether traffic is sent.", None, (401,), schema=traffic),
            "put": _switch_on(),
            "delete": get("stopTraffic", f"{_NOTE}send no more traffic.", None, (401,), schema=traffic),
        },
    }


def _switch_on() -> dict[str, Any]:
    example = {"scenario": "mixed", "rate": 10.0, "duration_seconds": 300.0}
    return {
        "operationId": "startTraffic",
        "summary": f"{_NOTE}send traffic to this service.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref(TrafficParams.__name__), "example": example}},
        },
        "responses": {
            "200": {
                "description": "It is being sent.",
                "content": {"application/json": {"schema": ref(Traffic.__name__)}},
            },
            **problems(400, 401, 408, 413, 415, 422, 503),
        },
    }
