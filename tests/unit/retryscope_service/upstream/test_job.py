"""What a real client sees of each fault, and of the work that it asks for."""

import asyncio
from typing import Any

import pytest
from aiohttp import (
    ClientConnectionError,
    ClientOSError,
    ClientPayloadError,
    ClientTimeout,
    ServerDisconnectedError,
)

from retryscope_service.http.listener import UNFINISHED_SECONDS
from tests.unit.retryscope_service.upstream.calls import always, calling


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_it_answers_as_it_is_asked_to() -> None:
    async with calling() as upstream:
        began = now()
        answer = await upstream.call("/job/price?seconds=0.5&status=418&retry_after=3")
        assert now() - began == pytest.approx(0.5, abs=0.1)
    assert (answer.status, answer.headers["Retry-After"]) == (418, "3")
    assert answer.json() == {"path": "/job/price", "seconds": 0.5, "status": 418, "retry_after": 3}


async def test_by_default_it_answers_at_once_that_all_is_well() -> None:
    async with calling() as upstream:
        answer = await upstream.call()
    assert (answer.status, "Retry-After" in answer.headers) == (200, False)


@pytest.mark.parametrize("status", [204, 304, 302])
async def test_a_status_without_a_body_has_none(status: int) -> None:
    async with calling() as upstream:
        answer = await upstream.call(f"/job?status={status}", allow_redirects=False)
        assert answer.status == status
        assert (await upstream.call()).status == 200  # on the same connection


@pytest.mark.parametrize(
    ("query", "field", "value", "bound"),
    [
        ("seconds=36001", "seconds", "36001", "<= 36000"),
        ("seconds=-1", "seconds", "-1", ">= 0"),
        ("seconds=nan", "seconds", "nan", "finite"),
        ("status=199", "status", "199", ">= 200"),
        ("status=600", "status", "600", "<= 599"),
        ("retry_after=3601", "retry_after", "3601", "<= 3600"),
        ("second=1", "second", "1", None),
        ("seconds=1&seconds=2", "seconds", "2", "given once"),
    ],
)
async def test_wrong_parameters_are_refused_naming_field_value_and_bound(
    query: str, field: str, value: str, bound: str | None
) -> None:
    async with calling() as upstream:
        answer = await upstream.call(f"/job?{query}")
    (error,) = answer.json()["errors"]
    assert answer.status == 422
    assert (error["field"], error["value"], error.get("bound")) == (field, value, bound)


@pytest.mark.parametrize(
    ("fault", "status", "retry_after"),
    [("error", 500, None), ("rate_limited", 429, "7"), ("unavailable", 503, "7")],
)
async def test_a_refusal_has_its_status_and_says_when_to_come_back(
    fault: str, status: int, retry_after: str | None
) -> None:
    async with calling(**always(fault), retry_after=7) as upstream:
        answer = await upstream.call()
    assert (answer.status, answer.headers.get("Retry-After")) == (status, retry_after)
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_latency_comes_before_the_fault() -> None:
    latency: Any = {"distribution": "fixed", "seconds": 2.0}
    async with calling(latency=latency, error=1) as upstream:
        began = now()
        assert (await upstream.call("/job?seconds=1")).status == 500
        assert now() - began == pytest.approx(3, abs=0.1)


async def test_a_hanging_request_gets_no_answer_until_the_bound_ends_it() -> None:
    async with calling(hang=1, hang_seconds=30) as upstream:
        began = now()
        with pytest.raises((ServerDisconnectedError, ClientOSError)):
            await upstream.call()
        assert now() - began == pytest.approx(30, abs=0.5)


async def test_a_client_that_goes_ends_a_hanging_request() -> None:
    async with calling(hang=1, hang_seconds=3600) as upstream:
        with pytest.raises(TimeoutError):
            await upstream.call(timeout=ClientTimeout(total=1))
        await asyncio.sleep(1)
        assert upstream.upstream.in_flight == 0


async def test_a_reset_is_a_reset_to_the_client() -> None:
    async with calling(reset=1) as upstream:
        with pytest.raises(ClientConnectionError) as caught:
            await upstream.call()
    assert isinstance(caught.value, ConnectionResetError) or caught.value.errno == 104  # type: ignore[attr-defined]


async def test_a_truncated_body_is_shorter_than_its_length() -> None:
    async with calling(truncated=1) as upstream, upstream.session.get("/job") as response:
        assert response.status == 200
        with pytest.raises(ClientPayloadError):
            await response.read()


async def test_a_slow_body_comes_whole_in_the_time_that_is_set() -> None:
    async with calling(slow_body=1, slow_body_seconds=8) as upstream:
        began = now()
        async with upstream.session.get("/job") as response:
            assert now() - began < 3  # the head and the first piece
            assert (await response.json())["status"] == 200
        assert now() - began == pytest.approx(8, abs=0.5)


async def test_a_client_that_goes_ends_a_slow_body() -> None:
    async with calling(slow_body=1, slow_body_seconds=3600) as upstream:
        with pytest.raises(TimeoutError):
            await upstream.call(timeout=ClientTimeout(total=1))
        await asyncio.sleep(600)
        assert upstream.upstream.in_flight == 0


async def test_faults_of_a_path_leave_the_others_alone() -> None:
    async with calling(error=1, paths=("/job/pay",)) as upstream:
        assert (await upstream.call("/job/pay")).status == 500
        assert (await upstream.call("/job/stock")).status == 200


async def test_the_end_of_the_process_ends_what_hangs() -> None:
    """At once: nobody would ever answer it."""
    async with calling(hang=1, hang_seconds=3600) as upstream:
        hanging = asyncio.create_task(upstream.call())
        await asyncio.sleep(1)
        ends = now()
        upstream.upstream.stop()
        with pytest.raises((ServerDisconnectedError, ClientOSError)):
            await hanging
    assert now() - ends < UNFINISHED_SECONDS
