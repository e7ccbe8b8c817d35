"""Whatever ends a span says the same of an error, a cancel and a limit: primitives and the server alike."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from retryscope import (
    Operation,
    RetryPolicy,
    cancellable,
    cleanup,
    gather,
    request_cancel,
    retry,
    semconv,
    step,
    timeout,
    workflow,
)
from retryscope._core import ending
from retryscope._core.ending import Ending, ended_as
from retryscope._recording.recorder import NullRecorder
from retryscope._recording.telemetry import active, install
from retryscope.adapters.aiohttp_server import server_middleware
from tests.support.clock import run
from tests.support.recorded import Recorded, recording
from tests.unit.retryscope.helpers import PRICE, STOCK, Script, attribute, failer, named, sleeper

CANCELLER = Operation("canceller", workflow="checkout")

ATTEMPTS = "resilience_attempts_total"

Body = Callable[[], Awaitable[Any]]


def ended(kind: str) -> Ending:
    return Ending(ValueError(), kind, {semconv.ERROR_TYPE: kind})


def test_what_an_error_s_end_says_is_built_once_per_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "_ended", {})
    first = ended_as("error", ended("ValueError"))
    assert first == {semconv.OUTCOME: "error", semconv.ERROR_TYPE: "ValueError"}
    assert ended_as("error", ended("ValueError")) is first
    assert ended_as("timeout", ended("ValueError")) == {
        semconv.OUTCOME: "timeout",
        semconv.ERROR_TYPE: "ValueError",
    }
    assert ended_as("error", ended("OSError"))[semconv.ERROR_TYPE] == "OSError"


def test_types_without_end_are_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody makes a class for each request; 256 are enough for everybody else."""
    kept: dict[object, object] = {}
    monkeypatch.setattr(ending, "_ended", kept)
    sizes = set()
    for number in range(600):
        ended_as("error", ended(f"Error{number}"))
        sizes.add(len(kept))
    assert max(sizes) == 256


async def in_task(body: Body) -> None:
    async with step(PRICE):
        await body()


async def in_timeout(body: Body) -> None:
    async with timeout(STOCK, 99):
        await body()


async def in_workflow(body: Body) -> None:
    async with workflow("checkout", deadline=99):
        await body()


async def in_retry(body: Body) -> None:
    await retry(PRICE, RetryPolicy(max_attempts=1, attempt_timeout=99)).call(body)


async def in_gather(body: Body) -> None:
    await gather(PRICE, {"child": body}, fail_fast=True)


async def in_gather_with_results(body: Body) -> None:
    (report,) = await gather(PRICE, {"child": body})
    report.result()


async def in_cancellable(body: Body) -> None:
    await cancellable(PRICE, body)


async def in_cleanup(body: Body) -> None:
    result = await cleanup(PRICE, body, timeout=99)
    if result.error is not None:
        raise result.error


async def in_request(body: Body) -> None:
    async def handler(request: web.Request) -> web.Response:
        await body()
        return web.Response()

    await server_middleware()(make_mocked_request("GET", "/"), handler)


EVERY: list[Callable[[Body], Awaitable[None]]] = [
    in_task,
    in_timeout,
    in_workflow,
    in_retry,
    in_gather,
    in_gather_with_results,
    in_cancellable,
    in_cleanup,
    in_request,
]
every = pytest.mark.parametrize("outer", EVERY)


async def failing(outer: Callable[[Body], Awaitable[None]], body: Body) -> None:
    """Run the body, which fails, inside; what comes out is its error, or a group that holds it."""
    with pytest.raises((OSError, ExceptionGroup)):
        await outer(body)


def records(spans: list[ReadableSpan]) -> Iterator[str]:
    """The span of every record of an exception."""
    return (span.name for span in spans for event in span.events if event.name == "exception")


@every
def test_an_error_is_recorded_once_whatever_is_around_it(outer: Callable[[Body], Awaitable[None]]) -> None:
    """By the innermost: also below a cleanup, and where the caller of a gather raises a child's error."""
    for inner in EVERY:
        with recording() as recorded:
            run(failing(outer, lambda inner=inner: inner(failer(OSError("no")))))  # type: ignore[misc]
            assert len(list(records(recorded.spans()))) == 1, inner
    with recording() as recorded:
        run(failing(outer, failer(OSError("no"))))
        assert len(list(records(recorded.spans()))) == 1


@every
def test_the_status_rule_is_asked_by_all_but_the_server(outer: Callable[[Body], Awaitable[None]]) -> None:
    """Whose status the convention for HTTP decides."""
    with recording(is_failure=lambda outcome: False) as recorded:
        run(failing(outer, failer(OSError("no"))))
    failed = any(span.status.status_code is StatusCode.ERROR for span in recorded.spans())
    assert failed == (outer is in_request)


@pytest.mark.parametrize("outer", [each for each in EVERY if each is not in_cleanup])
def test_a_cancel_is_an_event_and_a_link_on_all_but_the_parts_of_an_operation(
    recorded: Recorded, outer: Callable[[Body], Awaitable[None]]
) -> None:
    """A part, which is an attempt, has the cause alone; a cleanup runs to its end, whoever cancels."""

    async def main() -> None:
        running = asyncio.ensure_future(outer(sleeper(60)))
        await asyncio.sleep(1)
        async with step(CANCELLER):
            request_cancel(running, "shutdown", reason="a new version")
        await asyncio.wait([running])
        assert running.cancelled()

    run(main())
    canceller = named(recorded, "task canceller")
    cancelled = [span for span in recorded.spans() if span is not canceller]
    assert len(cancelled) == (2 if outer is in_retry else 1)
    said = {"resilience.cancel.cause": "shutdown", "resilience.cancel.reason": "a new version"}
    for span in cancelled:
        assert span.status.status_code is StatusCode.UNSET
        assert (span.attributes or {}).items() >= {"resilience.outcome": "cancelled", **said}.items()
        is_part = span.name == "attempt price"
        assert [dict(event.attributes or {}) for event in span.events] == ([] if is_part else [said])
        assert [link.context for link in span.links] == ([] if is_part else [canceller.context])


def test_a_request_whose_client_went_away_has_no_link_to_itself(recorded: Recorded) -> None:
    """What is cancelled inside links to the request; the request has nothing to link to."""

    async def main() -> None:
        running = asyncio.create_task(in_request(lambda: in_task(sleeper(60))))
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])

    run(main())
    request, inside = recorded.spans()
    assert (request.attributes or {})["resilience.cancel.cause"] == "client_disconnect"
    assert request.links == ()
    assert [link.context for link in inside.links] == [request.context]


@every
@pytest.mark.parametrize("switched", ["off", "on"])
def test_what_has_started_ends_where_it_started(
    recorded: Recorded, outer: Callable[[Body], Awaitable[None]], switched: str
) -> None:
    """Telemetry that is set up again meanwhile gets only what starts after it."""
    on = active()
    off = replace(on, recorder=NullRecorder())

    async def switches() -> None:
        install(off if switched == "off" else on)

    install(on if switched == "off" else off)
    run(outer(switches))  # type: ignore[arg-type]
    assert len(recorded.spans()) == {"off": 2 if outer is in_retry else 1, "on": 0}[switched]


def test_a_wait_that_an_error_ends_is_no_cancellation(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which, as an attempt does; here the sleep itself is broken."""

    async def broken(delay: float) -> None:
        raise OSError("no clock")

    monkeypatch.setattr(asyncio, "sleep", broken)
    with pytest.raises(OSError, match="no clock"):
        run(retry(PRICE).call(Script(ConnectionError("busy"))))
    assert attribute(recorded, "backoff price", "resilience.outcome") == "error"
    assert attribute(recorded, "backoff price", "error.type") == "OSError"
    assert attribute(recorded, "retry price", "resilience.outcome") == "error"
    assert list(records(recorded.spans())) == ["attempt price", "backoff price"]


def test_a_cancelled_attempt_is_counted_under_no_type_of_error(recorded: Recorded) -> None:
    async def main() -> None:
        running = asyncio.create_task(retry(PRICE).call(sleeper(60)))
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])

    run(main())
    counted = {
        labels: value for (name, labels), value in recorded.samples().items() if name.startswith(ATTEMPTS)
    }
    (labels,) = (
        dict(each) for each, value in counted.items() if value and dict(each).get("operation") == "price"
    )
    assert (labels["outcome"], labels["error_type"]) == ("cancelled", "")
