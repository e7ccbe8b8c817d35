"""Background runs over HTTP, on both engines: embedded, and Redis with two APIs and two workers.

What is submitted at one API is read, followed and cancelled at the other one.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.conftest import running_service
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.polling import until, wait_until
from tests.support.process import Service, traceparent
from tests.support.redis import redis_server
from tests.support.runs import (
    HELD,
    Cluster,
    call,
    cluster_on,
    events_of,
    follow,
    record,
    states_in,
    submit,
    wait_for_all,
    wait_for_state,
)
from tests.support.spans import one

ENGINES = ("memory", "redis")
CANCELS = {"memory": 20, "redis": 50}
READERS = 200
QUICK = {"tasks": 2, "duration": 0.05, "failure_rate": 0}


@pytest.fixture(scope="module")
def receiver() -> Iterator[OtlpReceiver]:
    """A collector for every process of this file."""
    with otlp_receiver() as collector:
        yield collector


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Which engine."""
    return str(request.param)


@pytest.fixture(scope="module")
def cluster(
    engine: str,
    receiver: OtlpReceiver,
    system_tool: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """The processes on that engine."""
    folder = tmp_path_factory.mktemp(engine)
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    if engine == "memory":
        with running_service(folder / "api", **variables) as service:
            yield Cluster([service], [service], folder)
    else:
        with (
            redis_server(system_tool("redis-server"), folder / "redis") as redis,
            cluster_on(redis, folder, apis=2, workers=2, concurrency=100, variables=variables) as found,
        ):
            yield found


class TestSubmit:
    async def test_a_run_is_read_at_the_other_api(
        self, http: aiohttp.ClientSession, cluster: Cluster
    ) -> None:
        given = {"tasks": 2, "duration": 0.05, "failure_rate": 0, "seed": 7}
        answer = await call(http, cluster.first, "POST", "/workflows/sequential/runs", given)
        assert answer.status == 202
        run_id = answer.body["id"]
        assert answer.headers["Location"] == f"/runs/{run_id}"
        assert answer.body["state"] in {"queued", "running"}
        found = await wait_for_state(http, cluster.second, run_id)
        assert (found["state"], found["outcome"], found["delivery"]) == ("succeeded", "success", 1)
        assert found["params"] == {**given, "time_scale": 1.0, "operation": "simulated"}
        assert [task["outcome"] for task in found["result"]["tasks"]] == ["success"] * 2
        assert found["result"]["duration_seconds"] >= 0.1
        waited = datetime.fromisoformat(found["started_at"]) - datetime.fromisoformat(found["submitted_at"])
        assert abs(found["queue_wait_seconds"] - waited.total_seconds()) < 2e-3
        assert found["worker"].rpartition("#")[2] in {str(each.process.pid) for each in cluster.workers}
        assert found["trace_id"] == found["result"]["trace_id"]
        assert found["submitted_at"] <= found["started_at"] <= found["delivered_at"] <= found["ended_at"]

    async def test_a_failure_is_in_the_record(self, http: aiohttp.ClientSession, cluster: Cluster) -> None:
        params = {"failure_rate": 1, "duration": 0, "base_delay": 0.01, "max_delay": 0.02, "max_retries": 2}
        run_id = await submit(http, cluster.first, "retry", params)
        found = await wait_for_state(http, cluster.second, run_id)
        assert (found["state"], found["outcome"]) == ("failed", "exhausted")
        assert found["error"]["message"]
        listed = await call(
            http, cluster.second, "GET", "/runs?state=failed&workflow=retry&outcome=exhausted"
        )
        assert run_id in [each["id"] for each in listed.body["runs"]]

    async def test_a_run_repeats_with_the_parameters_of_its_record(
        self, http: aiohttp.ClientSession, cluster: Cluster
    ) -> None:
        """Its outcomes, attempts and delays, though it was sent no seed; one that was sent is as it was."""
        sent = {"failure_rate": 0.9, "max_retries": 20, "jitter": "full", "time_scale": 0.001}
        first = await wait_for_state(http, cluster.second, await submit(http, cluster.first, "retry", sent))
        assert first["params"].items() >= sent.items()
        again = await submit(http, cluster.second, "retry", first["params"])
        second = await wait_for_state(http, cluster.first, again)
        assert second["params"] == first["params"]
        (one,), (other,) = first["result"]["tasks"], second["result"]["tasks"]
        for member in ("outcome", "attempts", "value", "error"):
            assert one.get(member) == other.get(member)
        planned = [
            [
                event["delay"]
                for _, event in await events_of(http, cluster.first, each["id"])
                if event["event"] == "backoff" and event["phase"] == "started"
            ]
            for each in (first, second)
        ]
        assert planned[0] == planned[1]
        assert len(planned[0]) == one["attempts"] - 1

    async def test_runs_are_listed_page_by_page(self, http: aiohttp.ClientSession, cluster: Cluster) -> None:
        submitted = [await submit(http, cluster.first, "sequential", QUICK) for _ in range(7)]
        since = (await record(http, cluster.first, submitted[0]))["submitted_at"].replace("+", "%2B")
        seen: list[str] = []
        path = f"/runs?limit=3&since={since}"
        cursor = ""
        while True:
            answer = await call(http, cluster.second, "GET", path + cursor)
            assert answer.status == 200
            seen += [each["id"] for each in answer.body["runs"]]
            if answer.body["cursor"] is None:
                break
            cursor = f"&cursor={answer.body['cursor']}"
        assert seen == submitted[::-1]
        await wait_for_all(http, cluster.second, submitted)

    async def test_an_unknown_run(self, http: aiohttp.ClientSession, cluster: Cluster) -> None:
        for method, path in (
            ("GET", "/runs/x"),
            ("GET", "/runs/x/events"),
            ("POST", "/runs/x/cancel"),
        ):
            answer = await call(http, cluster.second, method, path)
            assert (answer.status, answer.body["type"]) == (404, "urn:retryscope:problem:unknown-run")

    async def test_the_runs_span_is_a_child_of_the_request_that_submitted_it(
        self, http: aiohttp.ClientSession, cluster: Cluster, receiver: OtlpReceiver
    ) -> None:
        trace_id = f"{time.time_ns():032x}"
        path = "/workflows/sequential/runs"
        answer = await call(http, cluster.first, "POST", path, QUICK, traceparent(trace_id))
        run_id = answer.body["id"]
        assert answer.body["trace_id"] == trace_id
        await wait_for_state(http, cluster.second, run_id)
        server_name = "POST /workflows/{workflow}/runs"
        await asyncio.to_thread(receiver.wait_for, "workflow sequential", trace_id)
        spans = await asyncio.to_thread(receiver.wait_for, server_name, trace_id)
        server, run = one(spans, server_name), one(spans, "workflow sequential")
        assert run.parent_id == server.span_id
        assert run.attributes["retryscope.run.id"] == run_id
        assert run.attributes["retryscope.run.delivery"] == 1
        assert float(run.attributes["retryscope.run.queue_wait"]) >= 0
        processes = {span.resource["service.instance.id"] for span in (server, run)}
        assert len(processes) == (1 if cluster.redis is None else 2)
        assert [span.parent_id for span in spans if span.name == "task risky_task"] == [run.span_id] * 2


class TestIdempotency:
    async def test_20_submissions_at_once_give_one_run(
        self, http: aiohttp.ClientSession, cluster: Cluster
    ) -> None:
        key = {"Idempotency-Key": f"key-{time.time_ns()}"}
        path = "/workflows/sequential/runs"
        answers = await asyncio.gather(
            *(
                call(http, (cluster.first, cluster.second)[number % 2], "POST", path, QUICK, key)
                for number in range(20)
            )
        )
        assert {answer.status for answer in answers} == {202}
        assert len({answer.body["id"] for answer in answers}) == 1
        assert (
            sorted(answer.headers["Idempotent-Replayed"] for answer in answers) == ["false"] + ["true"] * 19
        )
        run_id = answers[0].body["id"]
        found = await wait_for_state(http, cluster.second, run_id)
        assert (found["state"], found["delivery"]) == ("succeeded", 1)
        again = await call(http, cluster.second, "POST", path, QUICK, key)
        assert (again.status, again.body["id"]) == (202, run_id)

        other = await call(http, cluster.second, "POST", path, {**QUICK, "tasks": 3}, key)
        assert (other.status, other.body["run"]) == (422, run_id)
        assert other.body["type"] == "urn:retryscope:problem:idempotency-conflict"
        other = await call(http, cluster.first, "POST", "/workflows/concurrent/runs", None, key)
        assert other.status == 422


class TestCancel:
    async def test_the_error_arrives_within_half_a_second_and_cleanup_finishes(
        self,
        http: aiohttp.ClientSession,
        cluster: Cluster,
        engine: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """From the request at the other API to the CancelledError in the coroutine, where cleanup starts."""
        waits = []
        for _ in range(CANCELS[engine]):
            run_id = await submit(http, cluster.first, "cancellation", HELD)
            await wait_for_task(http, cluster.first, run_id)
            asked = time.time()
            answer = await call(http, cluster.second, "POST", f"/runs/{run_id}/cancel")
            assert answer.status == 202
            assert answer.body["state"] in {"cancelling", "cancelled"}
            found = await wait_for_state(http, cluster.first, run_id)
            events = await events_of(http, cluster.second, run_id)
            waits.append(check_cancelled(found, events) - asked)
        median = statistics.median(waits)
        with capsys.disabled():
            print(  # noqa: T201
                f"\n{engine}: CancelledError after {median * 1000:.1f} ms"
                f" (median of {len(waits)}, at most {max(waits) * 1000:.1f} ms)"
            )
        assert median < 0.5

    async def test_a_run_that_has_ended_cannot_be_cancelled(
        self, http: aiohttp.ClientSession, cluster: Cluster
    ) -> None:
        run_id = await submit(http, cluster.first, "sequential", QUICK)
        await wait_for_state(http, cluster.first, run_id)
        answer = await call(http, cluster.second, "POST", f"/runs/{run_id}/cancel")
        assert (answer.status, answer.body["state"]) == (409, "succeeded")
        assert (await record(http, cluster.first, run_id))["state"] == "succeeded"

    async def test_cancelling_twice_during_cleanup_changes_nothing(
        self, http: aiohttp.ClientSession, cluster: Cluster
    ) -> None:
        run_id = await submit(http, cluster.first, "cancellation", {**HELD, "cleanup": 1.0})
        await wait_for_task(http, cluster.first, run_id)
        for service in (cluster.second, cluster.first, cluster.second):
            answer = await call(http, service, "POST", f"/runs/{run_id}/cancel")
            assert (answer.status, answer.body["state"]) == (202, "cancelling")
        found = await wait_for_state(http, cluster.first, run_id)
        check_cancelled(found, await events_of(http, cluster.first, run_id), cleanup=1.0)


async def wait_for_task(http: aiohttp.ClientSession, service: Service, run_id: str) -> None:
    """Wait until the task of a run is running."""
    async with aclosing(follow(http, service, run_id)) as stream:  # type: ignore[type-var]
        async for item in stream:
            if item is not None and item[1]["event"] == "task":
                return


def check_cancelled(found: Any, events: list[tuple[int, dict[str, Any]]], cleanup: float = 0.05) -> float:
    """The cleanup finished before the state says so; returns when it started."""
    assert (found["state"], found["outcome"], found["delivery"]) == ("cancelled", "cancelled", 1)
    assert found["cancel_requested_at"] <= found["ended_at"]
    (task,) = found["result"]["tasks"]
    assert task["outcome"] == "cancelled"
    assert task["cleanup_seconds"] > cleanup * 0.9
    assert states_in(events) == ["queued", "running", "cancelling", "cancelled"]
    started, ended = (event for _, event in events if event["event"] == "cleanup")
    assert (started["phase"], ended["phase"], ended["outcome"]) == ("started", "ended", "completed")
    last = events[-1][1]
    assert last["state"] == "cancelled"
    assert last["time"] >= ended["time"]
    return float(started["time"])


class TestEvents:
    async def test_they_tell_what_happens_and_resume_without_gap_or_repetition(
        self, http: aiohttp.ClientSession, cluster: Cluster
    ) -> None:
        params = {"failure_rate": 1, "duration": 0, "base_delay": 0.05, "max_delay": 0.1, "max_retries": 3}
        run_id = await submit(http, cluster.first, "retry", params)
        live = await events_of(http, cluster.second, run_id)  # ends by itself
        assert [position for position, _ in live] == list(range(len(live)))
        kinds = [event["event"] for _, event in live]
        assert {"state", "workflow", "attempt", "backoff"} <= set(kinds)
        assert states_in(live) == ["queued", "running", "failed"]
        assert kinds.count("attempt") == 2 * 4
        assert kinds.count("backoff") == 2 * 3
        for position in range(len(live)):
            resumed = await events_of(http, (cluster.first, cluster.second)[position % 2], run_id, position)
            assert resumed == live[position + 1 :]

    async def test_a_reader_that_is_cut_off_goes_on_at_the_other_api(
        self, http: aiohttp.ClientSession, cluster: Cluster
    ) -> None:
        params = {"tasks": 10, "duration": 0.1, "failure_rate": 0.3, "seed": 1}
        run_id = await submit(http, cluster.first, "sequential", params)
        got: list[tuple[int, dict[str, Any]]] = []
        services = (cluster.first, cluster.second)
        connections = 0
        while not got or got[-1][1].get("state") != "succeeded":
            last = got[-1][0] if got else None
            taken = 0
            async with aclosing(follow(http, services[connections % 2], run_id, last)) as stream:  # type: ignore[type-var]
                async for item in stream:
                    if item is not None:
                        got.append(item)
                        taken += 1
                    if taken == 3:
                        break
            connections += 1
        assert connections > 3
        assert got == await events_of(http, cluster.first, run_id)

    async def test_200_readers_of_one_run_all_see_the_final_state(
        self, http: aiohttp.ClientSession, cluster: Cluster
    ) -> None:
        run_id = await submit(http, cluster.first, "cancellation", HELD)
        await wait_for_task(http, cluster.first, run_id)
        services = (cluster.first, cluster.second)
        readers = [
            asyncio.create_task(events_of(http, services[number % 2], run_id)) for number in range(READERS)
        ]
        await wait_for_state(http, cluster.second, run_id, {"running"})
        assert (await call(http, cluster.second, "POST", f"/runs/{run_id}/cancel")).status == 202
        seen = await asyncio.gather(*readers)
        assert [events[-1][1]["state"] for events in seen] == ["cancelled"] * READERS
        assert all(events == seen[0] for events in seen)

    async def test_readers_that_do_not_read_or_have_gone_do_not_slow_a_run(
        self, http: aiohttp.ClientSession, cluster: Cluster
    ) -> None:
        """50 that never read, and 50 that leave at once, on a run of 600 spans with nothing to wait for."""
        params = {"tasks": 300, "duration": 0.002, "failure_rate": 0}
        alone = await wait_for_state(
            http, cluster.first, await submit(http, cluster.first, "sequential", params)
        )
        run_id = await submit(http, cluster.first, "sequential", {**params, "seed": 1})
        silent = []
        request = f"GET /runs/{run_id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        for number in range(100):
            reader, writer = await asyncio.open_connection("127.0.0.1", cluster.first.port, limit=1)
            writer.write(request)
            if number % 2:
                writer.close()
            else:
                silent.append((reader, writer))
        watched = await wait_for_state(http, cluster.second, run_id)
        for reader, writer in silent:
            assert await reader.readexactly(12) == b"HTTP/1.1 200"
            writer.close()
        assert watched["state"] == "succeeded"
        slowest = 3 * alone["result"]["duration_seconds"] + 2
        assert watched["result"]["duration_seconds"] < slowest
        events = await events_of(http, cluster.second, run_id)
        assert [event["event"] for _, event in events].count("task") == 2 * 300

    @pytest.mark.parametrize("engine", ["redis"], indirect=True)
    async def test_a_comment_every_ten_seconds_keeps_the_connection(
        self, http: aiohttp.ClientSession, cluster: Cluster
    ) -> None:
        run_id = await submit(http, cluster.first, "cancellation", HELD)
        async with aclosing(follow(http, cluster.second, run_id)) as stream:  # type: ignore[type-var]
            async for item in stream:
                if item is None:
                    break
        assert (await call(http, cluster.first, "POST", f"/runs/{run_id}/cancel")).status == 202
        await wait_for_state(http, cluster.second, run_id)


def _has_more_than(value: float, process: Service, name: str) -> bool:
    return process.metric(name) > value


class TestMetrics:
    async def test_they_count_what_the_records_say(
        self, http: aiohttp.ClientSession, cluster: Cluster
    ) -> None:
        def counted(state: str) -> float:
            names = {"workflow": "timeouts", "state": state}
            processes = {id(each): each for each in (*cluster.apis, *cluster.workers)}
            return sum(each.metric("retryscope_runs_total", **names) for each in processes.values())

        before = {state: counted(state) for state in ("queued", "running", "succeeded")}
        run_id = await submit(http, cluster.first, "timeouts", {"time_scale": 0.001})
        found = await wait_for_state(http, cluster.second, run_id)
        assert found["state"] == "succeeded"
        await until(lambda: counted("succeeded") > before["succeeded"], "the success is counted")
        assert {state: counted(state) - before[state] for state in before} == dict.fromkeys(before, 1)

    async def test_each_process_shows_the_pools_that_it_has(
        self, http: aiohttp.ClientSession, cluster: Cluster
    ) -> None:
        """An API those for requests and of the engine, a worker its own; each one as it is."""
        run_id = await submit(http, cluster.first, "cancellation", HELD)
        await wait_for_state(http, cluster.first, run_id, {"running"})

        def held(pool: str) -> float:
            name = "retryscope_concurrency_in_flight"
            return sum(each.metric(name, pool=pool) for each in {*cluster.apis, *cluster.workers})

        async def comes_to(pool: str, number: int) -> None:
            await asyncio.to_thread(wait_until, lambda: held(pool) == number, f"{pool} holds {number}")

        await comes_to("worker", 1)
        await comes_to("engine", len(cluster.apis))
        assert held("inline") == 0
        for process in {*cluster.apis, *cluster.workers}:
            limits = {
                pool: process.metric("retryscope_concurrency_limit", pool=pool)
                for pool in ("inline", "engine", "worker")
            }
            of_api = {"inline": 200, "engine": 20_000} if process in cluster.apis else {}
            of_worker = {"worker": 100} if process in cluster.workers else {}
            assert limits == {"inline": 0, "engine": 0, "worker": 0, **of_api, **of_worker}
        await call(http, cluster.first, "POST", f"/runs/{run_id}/cancel")
        await wait_for_state(http, cluster.first, run_id)
        await comes_to("worker", 0)

    async def test_each_process_says_how_it_does(self, http: aiohttp.ClientSession, cluster: Cluster) -> None:
        """What it runs, how late its event loop is, and what the operating system knows of it."""
        for process in {*cluster.apis, *cluster.workers}:
            assert process.metric("retryscope_build_info") == 1
            looks = "retryscope_event_loop_lag_seconds_count"
            before = process.metric(looks)
            again = partial(_has_more_than, before, process, looks)
            await asyncio.to_thread(wait_until, again, "it looks at its event loop again")
            assert 0 < time.time() - process.metric("process_start_time_seconds") < 3600
            for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"):
                assert process.metric(name) > 0
            assert process.metric("python_info") == 1
