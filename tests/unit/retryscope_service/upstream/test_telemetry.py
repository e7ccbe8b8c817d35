"""What the upstream's span says of each request, and what is counted."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import ClientError, ClientTimeout
from opentelemetry.trace import SpanKind

from retryscope import semconv as library
from tests.unit.retryscope_service.upstream.calls import AUTHORIZED, Called, always, calling

FAULT = "retryscope.upstream.fault"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


async def settled(upstream: Called) -> Called:
    """After the request has ended on the upstream's side too."""
    await asyncio.sleep(1)
    assert upstream.upstream.in_flight == 0
    return upstream


async def test_the_span_joins_the_callers_trace() -> None:
    async with calling() as upstream:
        await upstream.call("/job/price", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        assert upstream.parent() == (TRACE, PARENT)


async def test_the_span_is_by_the_http_conventions() -> None:
    async with calling() as upstream:
        await upstream.call("/job/price?seconds=0", headers={"User-Agent": "test"})
        span, url = upstream.span(), upstream.session._base_url
    assert url is not None
    assert (span.name, span.kind) == ("GET /job/{name}", SpanKind.SERVER)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/job/{name}",
        "http.response.status_code": 200,
        "url.path": "/job/price",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "127.0.0.1",
        "server.port": url.port,
        "client.address": "127.0.0.1",
        "user_agent.original": "test",
    }


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ("error", "500", {"error.type": "500", "status": "ERROR"}),
        ("rate_limited", "429", {"status": "UNSET"}),
        ("unavailable", "503", {"error.type": "503", "status": "ERROR"}),
        ("hang", "", {"error.type": "hang", "status": "ERROR"}),
        ("reset", "", {"error.type": "reset", "status": "ERROR"}),
        ("truncated", "200", {"error.type": "truncated", "status": "ERROR"}),
        ("slow_body", "200", {"status": "UNSET"}),
    ],
)
async def test_every_fault_is_on_its_span_and_in_the_count(
    fault: str, status: str, said: dict[str, Any]
) -> None:
    """Also where the client never gets an answer."""
    async with calling(**always(fault), hang_seconds=5) as upstream:
        with suppress(ClientError):
            await upstream.call()
        await settled(upstream)
    answered = {library.HTTP_RESPONSE_STATUS_CODE: int(status)} if status else {}
    assert upstream.told() == {FAULT: fault, **answered, **said}
    assert upstream.counted() == {("/job", status, fault): 1}


@pytest.mark.parametrize("fault", ["hang", "slow_body"])
async def test_a_client_that_went_away_is_a_cancel_and_no_error(fault: str) -> None:
    """As the library's middleware has it; the fault is named all the same."""
    async with calling(**always(fault), slow_body_seconds=60) as upstream:
        with pytest.raises(TimeoutError):
            await upstream.call(timeout=ClientTimeout(total=1))
        await asyncio.sleep(60)
    assert upstream.told() == {
        FAULT: fault,
        "resilience.outcome": "cancelled",
        "resilience.cancel.cause": "client_disconnect",
        "status": "UNSET",
    }
    assert upstream.counted() == {("/job", "", fault): 1}


async def test_the_span_ends_when_the_request_does() -> None:
    async with calling(hang=1, hang_seconds=3600) as upstream:
        hanging = asyncio.create_task(upstream.call())
        await asyncio.sleep(1)
        assert upstream.log.ended == []
        upstream.upstream.stop()
        with suppress(ClientError):
            await hanging
        await settled(upstream)
    assert upstream.told()["error.type"] == "hang"


async def test_a_status_that_was_asked_for_is_no_fault() -> None:
    async with calling() as upstream:
        await upstream.call("/job?status=503")
    assert upstream.told() == {"http.response.status_code": 503, "error.type": "503", "status": "ERROR"}
    assert upstream.counted() == {("/job", "503", ""): 1}


async def test_durations_are_those_of_the_requests() -> None:
    async with calling(slow_body=1, slow_body_seconds=4) as upstream:
        await upstream.call()
        await settled(upstream)
    labels = {"route": "/job", "fault": "slow_body"}
    value = upstream.registry.get_sample_value
    assert value("retryscope_upstream_request_duration_seconds_count", labels) == 1
    assert value("retryscope_upstream_request_duration_seconds_sum", labels) == pytest.approx(4, abs=0.1)


async def test_every_fault_has_its_series_from_the_start() -> None:
    """So that a rate() sees the first one."""
    async with calling() as upstream:
        found = upstream.registry.get_sample_value(
            "retryscope_upstream_request_duration_seconds_count", {"route": "/job", "fault": "reset"}
        )
    assert found == 0


async def test_health_checks_leave_no_trace() -> None:
    async with calling() as upstream:
        await upstream.call("/health/live")
    assert (upstream.log.started, upstream.counted()) == ([], {})


async def test_a_method_that_nobody_knows_is_no_label_of_its_own() -> None:
    async with calling() as upstream:
        await upstream.call("/faults", "PROPFIND", headers=AUTHORIZED)
    assert upstream.span().name == "HTTP /{path}"
