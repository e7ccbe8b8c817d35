"""The operation `http` meets the bundled upstream: each of its faults is the error that it stands for."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from opentelemetry.trace import SpanKind
from prometheus_client import CollectorRegistry

from retryscope import Operation, RetryPolicy, retry
from retryscope_service.http.listener import listening
from retryscope_service.operations.http import HttpOperation, HttpParams, http_operation
from retryscope_service.operations.task import Task
from retryscope_service.upstream.app import create_upstream_app
from retryscope_service.upstream.faults import Faults
from retryscope_service.upstream.upstream import Upstream
from tests.support.recorded import Recorded, recording

REAL_LOOP = True
CALL = Operation("call", workflow="checkout")
TOKEN = "0123456789abcdef"  # noqa: S105 - of these tests
FAULTS: dict[str, tuple[type[Exception], int | None]] = {
    "error": (aiohttp.ClientResponseError, 500),
    "rate_limited": (aiohttp.ClientResponseError, 429),
    "unavailable": (aiohttp.ClientResponseError, 503),
    "hang": (aiohttp.SocketTimeoutError, None),
    "reset": (aiohttp.ClientConnectionError, None),
    "truncated": (aiohttp.ClientPayloadError, None),
}


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    with recording(time_ns=time.time_ns) as recorded:
        yield recorded


@asynccontextmanager
async def meeting(**faults: Any) -> AsyncIterator[HttpOperation]:
    app = create_upstream_app(Upstream(Faults(**faults)), TOKEN, CollectorRegistry())
    async with listening(app, "127.0.0.1", 0, 10) as url, http_operation(url, ()) as http:
        yield http


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_an_error_that_another_attempt_may_not_meet(recorded: Recorded, fault: str) -> None:
    kind, status = FAULTS[fault]
    async with meeting(**{fault: 1.0}) as http:
        with pytest.raises(http.errors) as caught:
            await http(Task("price", 0), HttpParams(read_seconds=0.05) if fault == "hang" else None)
        assert http.is_transient(caught.value)
    assert isinstance(caught.value, kind)
    assert getattr(caught.value, "status", None) == status


async def test_a_body_that_dawdles_is_read(recorded: Recorded) -> None:
    async with meeting(slow_body=1.0, slow_body_seconds=0.08) as http:
        assert (await http(Task("price", 0)))["status"] == 200


async def test_its_retry_after_is_obeyed(recorded: Recorded) -> None:
    """As far as the policy does."""
    policy = RetryPolicy(
        max_attempts=2, base_delay=0, jitter="none", retry_on=aiohttp_transient, max_retry_after=0.01
    )
    async with meeting(unavailable=1.0, retry_after=7) as http:
        with pytest.raises(aiohttp.ClientResponseError):
            await retry(CALL, policy).call(http, Task("price", 0))
    (wait,) = [span for span in recorded.spans() if span.name == "backoff call"]
    assert (wait.attributes or {})["resilience.retry.delay_source"] == "retry_after"


def aiohttp_transient(error: BaseException) -> bool:
    return isinstance(error, aiohttp.ClientError)


async def test_a_failure_that_is_drawn_is_answered_and_both_are_in_one_trace(recorded: Recorded) -> None:
    """The upstream's span is below the request."""
    async with meeting() as http:
        with pytest.raises(aiohttp.ClientResponseError):
            await http(Task("price", 0, 1.0))
    (sent,) = [span for span in recorded.spans() if span.kind is SpanKind.CLIENT]
    assert (sent.attributes or {})["http.response.status_code"] == 503
    assert str((sent.attributes or {})["url.full"]).endswith("/job?seconds=0&status=503")
