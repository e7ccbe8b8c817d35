"""Serving until a signal ends it, in this process; ``tests/integration`` does it with a real one."""

import asyncio
import json
import logging
import os
import re
import signal
import socket

import pytest
from aiohttp import ClientConnectorError
from prometheus_client import CollectorRegistry
from yarl import URL

import retryscope
from retryscope_service import semconv
from retryscope_service.http.listener import AddressInUseError
from retryscope_service.process import serve
from retryscope_service.settings import Settings
from retryscope_service.signals import REPEAT_SECONDS, STOP_SIGNALS
from tests.support.signals import stop_signals_as_before
from tests.unit.retryscope_service.helpers import HOST, Served, check_event, served

IN_FLIGHT, LIMIT = semconv.CONCURRENCY_IN_FLIGHT.name, semconv.CONCURRENCY_LIMIT.name


@pytest.mark.parametrize("number", STOP_SIGNALS)
async def test_a_signal_drains_and_ends_it(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What runs is answered, nothing new is taken, telemetry is shut down last; serve() returns."""
    ended: list[float] = []
    shutdown = retryscope.shutdown

    def note(timeout: float) -> None:
        ended.append(timeout)
        shutdown(timeout)

    monkeypatch.setattr(retryscope, "shutdown", note)
    with caplog.at_level(logging.INFO, "retryscope_service"):
        async with served(monkeypatch, flush_seconds=3) as service:
            running = asyncio.create_task(service.run("retry", failure_rate=0, duration=4))
            await asyncio.sleep(1)
            signal.raise_signal(number)
            await asyncio.sleep(1)
            assert (await service.run("retry")).status == 503
            assert ended == []
            assert (await running).status == 200
            await service.serving
    assert ended == [3]
    assert caplog.messages[-2:] == ["shutting down; runs in flight: 1", "shut down"]


async def test_without_runs_it_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is merely open does not keep it."""
    async with served(monkeypatch, drain_seconds=3600) as service:
        assert (await service.run("retry", failure_rate=0, duration=0)).status == 200
        before = asyncio.get_running_loop().time()
        signal.raise_signal(signal.SIGTERM)
        await service.serving
        assert asyncio.get_running_loop().time() - before < 1
        with pytest.raises(ClientConnectorError):
            await service.run("retry")


@pytest.mark.parametrize("first", STOP_SIGNALS)
@pytest.mark.parametrize("second", STOP_SIGNALS)
async def test_a_second_signal_ends_the_process_at_once(
    first: signal.Signals, second: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the status that a shell gives to a process that the signal has killed."""
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    async with served(monkeypatch, drain_seconds=60) as service:
        running = asyncio.create_task(service.run("timeouts"))
        await asyncio.sleep(1)
        signal.raise_signal(first)
        await asyncio.sleep(REPEAT_SECONDS)
        assert statuses == []
        signal.raise_signal(second)
        assert statuses == [128 + second]
        await running


async def test_it_shows_its_pools_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that the process has: without a worker no pool of one."""
    async with served(monkeypatch, max_runs_in_flight=7, max_active_runs=9) as service:
        runs = [asyncio.create_task(service.run("timeouts")) for _ in range(2)]
        await asyncio.sleep(1)
        assert pools(service) == {("inline", 2, 7), ("engine", 0, 9)}
        await asyncio.gather(*runs)
        assert pools(service) == {("inline", 0, 7), ("engine", 0, 9)}
        signal.raise_signal(signal.SIGTERM)


def pools(service: Served) -> set[tuple[str, float, float]]:
    """Each pool with what it holds and its limit."""
    samples = service.recorded.samples()
    limits = {labels: value for (name, labels), value in samples.items() if name == LIMIT}
    return {(labels[0][1], samples[IN_FLIGHT, labels], limit) for labels, limit in limits.items()}


async def test_it_watches_its_event_loop_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while it drains; nothing is left running."""
    async with served(monkeypatch) as service:
        await asyncio.sleep(1)
        before = service.recorded.samples()[f"{semconv.EVENT_LOOP_LAG.name}_count", ()]
        running = asyncio.create_task(service.run("retry", failure_rate=0, duration=4))
        await asyncio.sleep(1)
        signal.raise_signal(signal.SIGTERM)
        await running
        await service.serving
        watched = service.recorded.samples()[f"{semconv.EVENT_LOOP_LAG.name}_count", ()] - before
        assert watched == pytest.approx(40, abs=10)
        await asyncio.sleep(10)
        assert service.recorded.samples()[f"{semconv.EVENT_LOOP_LAG.name}_count", ()] - before == watched


async def test_an_open_page_does_not_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees what still runs while the service drains; then its stream ends, before the server closes."""
    async with served(monkeypatch, drain_seconds=60) as service:
        async with service.session.get("/console/stream") as stream:
            running = asyncio.create_task(service.run("retry", failure_rate=0, duration=4))
            await asyncio.sleep(1)
            signal.raise_signal(signal.SIGTERM)
            received = (await stream.content.read()).decode()
        assert (await running).status == 200
        await service.serving
        assert asyncio.get_running_loop().time() == pytest.approx(4, abs=0.5)
    events = re.findall(r"^event: (\w+)\ndata: (.*)$", received, flags=re.MULTILINE)
    for name, data in events:
        check_event(name, json.loads(data))
    assert events[0][0] == "hello"
    assert {"runs", "metrics"} <= {name for name, _ in events}
    assert '"state":"ended"' in received  # the very last thing that happened


async def test_it_shows_alerts_and_traffic_from_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traffic can be switched on, and ends with the service."""
    async with served(monkeypatch) as service:
        async with service.session.get("/console/snapshot") as response:
            snapshot = await response.json()
        assert {alert["state"] for alert in snapshot["alerts"]} == {"inactive"}
        assert snapshot["traffic"]["on"] is False
        chosen = {"scenario": "mixed", "rate": 10, "duration_seconds": 600}
        async with service.session.put("/console/traffic", json=chosen) as response:
            assert (response.status, (await response.json())["on"]) == (200, True)
        await asyncio.sleep(3)
        async with service.session.get("/console/snapshot") as response:
            snapshot = await response.json()
        assert snapshot["traffic"]["sent"] > 0
        assert snapshot["runs"] != []
        signal.raise_signal(signal.SIGTERM)
        await service.serving
        assert asyncio.get_running_loop().time() < 30


async def test_a_cleanup_is_waited_for_after_the_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its deadline bounds the shutdown, not a fixed time."""
    async with served(monkeypatch, drain_seconds=1) as service:
        running = asyncio.create_task(service.run("cancellation", durations=[60], cancel_after=60, cleanup=4))
        await asyncio.sleep(1)
        signal.raise_signal(signal.SIGINT)
        assert (await running).status == 503
        await service.serving
        assert asyncio.get_running_loop().time() == pytest.approx(6, abs=0.1)


def has(host: str) -> bool:
    """Whether this machine has such an address."""
    try:
        with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return True
    except OSError:
        return False


async def test_a_client_that_hangs_up_cancels_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiohttp's own default is to let the handler go on; its test server's is this one."""
    async with served(monkeypatch) as service:
        with service.recorded.changes() as changes:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(service.run("timeouts"), 1)
            await asyncio.sleep(1)
        cancelled = 'resilience_workflow_duration_seconds_count{outcome="cancelled", workflow="timeouts"}'
        assert changes[cancelled] == 1
        signal.raise_signal(signal.SIGTERM)


async def test_a_request_that_never_ends_does_not_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that is announced and not sent is given up soon after the drain."""
    async with served(monkeypatch, drain_seconds=60) as service:
        url = URL(service.url)
        _, writer = await asyncio.open_connection(url.host, url.port)
        head = ("POST /workflows/retry HTTP/1.1", f"Host: {HOST}", "Content-Type: application/json")
        writer.write("\r\n".join([*head, "Content-Length: 10", "", "{"]).encode())
        await asyncio.sleep(1)
        signal.raise_signal(signal.SIGTERM)
        await service.serving
        assert asyncio.get_running_loop().time() < 5
        writer.close()


@pytest.mark.parametrize("host", [host for host in ("127.0.0.1", "::1", "localhost") if has(host)])
async def test_the_address_that_it_announces_works(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with a free port, and in brackets where IPv6 needs them."""
    async with served(monkeypatch, host=host) as service:
        assert re.fullmatch(r"http://(127\.0\.0\.1|\[::1\]):\d+", service.url)
        async with service.session.get("/health/live") as response:
            assert response.status == 200
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("host", "reason"),
    # Python 3.13 says of an address that is not this machine's only that it could not be bound.
    [("127.0.0.1", "address already in use"), ("192.0.2.1", "assign|could not bind")],
)
async def test_an_address_that_cannot_be_listened_on_is_named(
    host: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the reason, and how to choose another; telemetry can be set up again."""
    monkeypatch.setattr(retryscope, "setup", lambda **options: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUseError) as refused, stop_signals_as_before():
            await serve(Settings(host=host, port=port), lambda _, __: None, registry=CollectorRegistry())
    message = str(refused.value)
    assert message.startswith(f"can't listen on {host}:{port}: ")
    assert re.search(reason, message)
    assert "RETRYSCOPE_PORT" in message


async def test_the_share_of_successes_that_is_exported_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to the library, which has it for an exporter of its own only."""
    given: dict[str, object] = {}

    def setup(**options: object) -> None:
        given.update(options)
        raise InterruptedError

    monkeypatch.setattr(retryscope, "setup", setup)
    with pytest.raises(InterruptedError):
        await serve(Settings(keep_successes=0.5), lambda _, __: None)
    assert given["keep_successes"] == 0.5


async def test_what_is_recorded_of_attempts_and_cancels_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """One span per retry instead of two; and tasks that know who cancelled them."""
    async with served(monkeypatch, attempts="events", explain_cancels=True) as service:
        assert (await service.run("retry", failure_rate=0)).status == 200
        names = {span.name for span in service.recorded.log.ended}
        assert "retry flaky_api_call" in names
        assert "attempt flaky_api_call" not in names
        assert asyncio.get_running_loop().get_task_factory() is retryscope.task_factory
        signal.raise_signal(signal.SIGTERM)
        await service.serving
