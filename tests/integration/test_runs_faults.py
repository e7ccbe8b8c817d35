"""What dies under background runs: workers, by kill -9 and SIGTERM, and Redis. Nothing taken is lost."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.conftest import StartService
from tests.support.otlp_receiver import OtlpReceiver
from tests.support.polling import LIMIT, until, wait_until
from tests.support.process import Service
from tests.support.redis import RedisServer
from tests.support.runs import (
    FINAL,
    HELD,
    call,
    cluster_on,
    events_of,
    follow,
    record,
    start_worker,
    states_in,
    submit,
    together,
    wait_for_all,
    wait_for_delivery,
    wait_for_state,
)
from tests.support.spans import one

QUICK = {"tasks": 1, "duration": 0, "failure_rate": 0}
RUNS = 100
DOWN_SECONDS = 10.0
LATE = "retryscope_run_late_results_total"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Ends what a test starts."""
    with ExitStack() as started:
        yield started


async def run_for(http: aiohttp.ClientSession, service: Service, seconds: float, number: int) -> list[str]:
    """Submit runs that take so long."""
    params = {"tasks": 1, "duration": seconds, "failure_rate": 0}
    return list(await asyncio.gather(*(submit(http, service, "sequential", params) for _ in range(number))))


async def check_final_once(http: aiohttp.ClientSession, service: Service, run_ids: list[str]) -> None:
    """Each run has one final state in its events, and it is the last one."""
    for events in await asyncio.gather(*(events_of(http, service, run_id) for run_id in run_ids)):
        states = states_in(events)
        assert [state in FINAL for state in states] == [False] * (len(states) - 1) + [True], states


def worker_name(record: Any) -> int:
    """Process id of the worker that a record names."""
    return int(record["worker"].rpartition("#")[2])


async def freeze(worker: Service) -> None:
    """Stop a worker where it is; what it was reading, for 0.1 s at most, goes to nobody."""
    worker.signal(signal.SIGSTOP)
    await asyncio.sleep(0.3)


def thaw(worker: Service) -> None:
    """Let it go on."""
    worker.signal(signal.SIGCONT)


class TestWorkers:
    async def test_kill_9_with_100_running_runs(
        self,
        http: aiohttp.ClientSession,
        redis: RedisServer,
        collector: OtlpReceiver,
        stack: ExitStack,
        tmp_path: Path,
    ) -> None:
        """They run again on the other worker; the trace of the second try links to the first one."""
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        cluster = stack.enter_context(cluster_on(redis, tmp_path, apis=2, workers=2, variables=variables))
        victim, other = cluster.workers
        await freeze(other)
        run_ids, _ = await together(http, cluster, victim, RUNS, 3)
        await asyncio.sleep(0.2)  # their events are written within 0.05 s
        thaw(other)
        victim.kill()
        ended = await wait_for_all(http, cluster.second, run_ids)
        assert Counter((each["state"], each["delivery"]) for each in ended) == {("succeeded", 2): RUNS}
        assert {worker_name(each) for each in ended} == {other.process.pid}
        await check_final_once(http, cluster.second, run_ids)
        for each in ended[:3]:
            tries = [
                event
                for _, event in await events_of(http, cluster.first, each["id"])
                if event["event"] == "workflow" and event["phase"] == "started"
            ]
            assert len(tries) == 2
            spans = await asyncio.to_thread(collector.wait_for, "workflow sequential", each["trace_id"])
            run = one(spans, "workflow sequential")
            assert run.span_id == tries[1]["span_id"]
            assert run.attributes["retryscope.run.delivery"] == 2
            (link,) = run.links
            assert (link.trace_id, link.span_id) == (each["trace_id"], tries[0]["span_id"])
            assert link.attributes["resilience.link.kind"] == "redelivery_of"
        assert other.metric("retryscope_run_redeliveries_total", workflow="sequential") == RUNS

    async def test_sigterm_hands_back_what_does_not_finish_in_time(
        self, http: aiohttp.ClientSession, redis: RedisServer, stack: ExitStack, tmp_path: Path
    ) -> None:
        variables = {"RETRYSCOPE_DRAIN_SECONDS": "0.3"}
        cluster = stack.enter_context(cluster_on(redis, tmp_path, workers=2, variables=variables))
        leaving, other = cluster.workers
        await freeze(other)

        def params(left: float) -> dict[str, object]:
            return {"durations": [left], "cancel_after": left + 1, "cleanup": 0.05}

        run_ids, _ = await together(http, cluster, leaving, 20, 3, "cancellation", params)
        thaw(other)
        leaving.signal()
        late = await submit(http, cluster.first, "sequential", QUICK)
        ended = await wait_for_all(http, cluster.first, run_ids)
        assert await asyncio.to_thread(leaving.wait) == 0
        told = Counter((each["state"], each["delivery"], each["handed_back"]) for each in ended)
        handed_back = told["succeeded", 2, 1]
        assert handed_back + told["succeeded", 1, 0] == 20, told
        assert handed_back > 0
        await check_final_once(http, cluster.first, run_ids)
        for each in ended:
            if each["handed_back"]:
                assert worker_name(each) == other.process.pid
                events = await events_of(http, cluster.first, each["id"])
                assert states_in(events) == ["queued", "running", "queued", "running", "succeeded"]
                cleanups = [event for _, event in events if event["event"] == "cleanup"]
                assert cleanups[1]["outcome"] == "completed"
        assert (await wait_for_state(http, cluster.first, late))["state"] == "succeeded"

    async def test_sigterm_lets_finish_what_finishes_in_time_and_cancels_on_request(
        self, http: aiohttp.ClientSession, redis: RedisServer, stack: ExitStack, tmp_path: Path
    ) -> None:
        cluster = stack.enter_context(
            cluster_on(redis, tmp_path, variables={"RETRYSCOPE_DRAIN_SECONDS": str(LIMIT)})
        )
        leaving = cluster.workers[0]
        held = await submit(http, cluster.first, "cancellation", HELD)
        await wait_for_state(http, cluster.first, held, {"running"})
        run_ids, _ = await together(http, cluster, leaving, 10, 3)
        leaving.signal()
        await asyncio.to_thread(
            wait_until,
            lambda: any("shutting down" in line["message"] for line in leaving.logs),
            "the worker drains",
        )
        await asyncio.sleep(0.3)  # a read that has begun, of 0.1 s at most, may still bring a run
        waiting = await submit(http, cluster.first, "sequential", QUICK)
        assert (await call(http, cluster.first, "POST", f"/runs/{held}/cancel")).status == 202
        ended = await wait_for_all(http, cluster.first, run_ids)
        told = Counter((each["state"], each["delivery"], each["handed_back"]) for each in ended)
        assert told == {("succeeded", 1, 0): 10}
        assert (await wait_for_state(http, cluster.first, held))["state"] == "cancelled"
        assert await asyncio.to_thread(leaving.wait) == 0
        assert (await record(http, cluster.first, waiting))["state"] == "queued"
        await asyncio.to_thread(start_worker, cluster, stack)
        found = await wait_for_state(http, cluster.first, waiting)
        assert (found["state"], found["worker"] != ended[0]["worker"]) == ("succeeded", True)

    async def test_a_cancel_after_its_worker_died_ends_the_run(
        self, http: aiohttp.ClientSession, redis: RedisServer, stack: ExitStack, tmp_path: Path
    ) -> None:
        """Nobody can clean up after it any more: the next worker that gets it says that it is lost."""
        cluster = stack.enter_context(
            cluster_on(redis, tmp_path, workers=2, variables={"RETRYSCOPE_REDELIVERY_SECONDS": "2"})
        )
        run_id = await submit(http, cluster.first, "cancellation", HELD)
        found = await wait_for_state(http, cluster.first, run_id, {"running"})
        next(each for each in cluster.workers if each.process.pid == worker_name(found)).kill()
        assert (await call(http, cluster.first, "POST", f"/runs/{run_id}/cancel")).status == 202
        ended = await wait_for_state(http, cluster.first, run_id)
        assert (ended["state"], ended["error"]["type"]) == ("lost", "lost")

    async def test_a_run_that_ends_its_worker_five_times_is_lost(
        self, http: aiohttp.ClientSession, redis: RedisServer, stack: ExitStack, tmp_path: Path
    ) -> None:
        once_a_second = {"RETRYSCOPE_REDELIVERY_SECONDS": "1"}
        cluster = stack.enter_context(cluster_on(redis, tmp_path, variables=once_a_second))
        run_id = await submit(http, cluster.first, "cancellation", HELD)
        for delivery in range(1, 6):
            found = await wait_for_delivery(http, cluster.first, run_id, delivery)
            assert (found["state"], found["delivery"]) == ("running", delivery)
            assert worker_name(found) == cluster.workers[-1].process.pid
            cluster.workers[-1].kill()
            await asyncio.to_thread(start_worker, cluster, stack, **once_a_second)
        found = await wait_for_state(http, cluster.first, run_id)
        assert (found["state"], found["error"]["type"]) == ("lost", "lost")
        assert "5 times" in found["error"]["message"]
        await check_final_once(http, cluster.first, [run_id])
        after = await submit(http, cluster.first, "sequential", QUICK)
        assert (await wait_for_state(http, cluster.first, after))["state"] == "succeeded"

    async def test_what_a_worker_that_was_frozen_comes_to_does_not_count(
        self, http: aiohttp.ClientSession, redis: RedisServer, stack: ExitStack, tmp_path: Path
    ) -> None:
        """It was away for longer than the redelivery time; meanwhile the other one runs its runs again.

        What it still runs then it gives up.
        """
        cluster = stack.enter_context(cluster_on(redis, tmp_path, workers=2))
        frozen, other = cluster.workers
        await freeze(other)
        held = await submit(http, cluster.first, "cancellation", HELD)
        await wait_for_state(http, cluster.first, held, {"running"})
        run_ids, _ = await together(http, cluster, frozen, 10, 3)
        await freeze(frozen)
        thaw(other)
        for run_id in (*run_ids, held):
            await wait_for_delivery(http, cluster.first, run_id, 2)
        thaw(frozen)
        ended = await wait_for_all(http, cluster.first, run_ids)
        assert Counter((each["state"], each["delivery"]) for each in ended) == {("succeeded", 2): 10}
        assert {worker_name(each) for each in ended} == {other.process.pid}
        expected = {"sequential": 10, "cancellation": 1}
        await until(
            lambda: {each: frozen.metric(LATE, workflow=each) for each in expected} == expected,
            "what the first tries came to is counted as late",
        )
        await check_final_once(http, cluster.first, run_ids)
        assert (await call(http, cluster.first, "POST", f"/runs/{held}/cancel")).status == 202
        assert (await wait_for_state(http, cluster.first, held))["state"] == "cancelled"
        for worker in cluster.workers:
            await asyncio.to_thread(
                wait_until,
                lambda worker=worker: worker.metric("retryscope_runs_in_flight") == 0,
                "neither try goes on",
            )
            assert worker.messages("ERROR") == []


class TestEmbedded:
    async def test_sigterm_cancels_with_cleanup(
        self, http: aiohttp.ClientSession, start_service: StartService, collector: OtlpReceiver
    ) -> None:
        """There is nobody to hand a run to; who follows it is told, and the spans say why."""
        service = start_service(RETRYSCOPE_DRAIN_SECONDS="0.3", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        answer = await call(http, service, "POST", "/workflows/cancellation/runs", HELD)
        seen = []
        async for item in follow(http, service, answer.body["id"]):
            if item is None:
                continue
            seen.append(item)
            if item[1]["event"] == "task" and item[1]["phase"] == "started":
                service.signal()
        assert states_in(seen) == ["queued", "running", "cancelled"]
        cleanup = [event for _, event in seen if event["event"] == "cleanup"]
        assert cleanup[-1]["outcome"] == "completed"
        assert await asyncio.to_thread(service.wait) == 0
        spans = collector.trace(answer.body["trace_id"])
        for name in ("workflow cancellation", "task long_running_task"):
            assert one(spans, name).attributes["resilience.cancel.cause"] == "shutdown"


class TestRedis:
    async def test_stopped_for_10_s_and_started_again(
        self, http: aiohttp.ClientSession, redis: RedisServer, stack: ExitStack, tmp_path: Path
    ) -> None:
        """Runs are submitted all the time; each one that was answered with 202 ends once Redis is back."""
        cluster = stack.enter_context(cluster_on(redis, tmp_path, apis=2, workers=2))
        taken = await run_for(http, cluster.first, 4, 50)
        held = await submit(http, cluster.first, "cancellation", HELD)
        refused: list[Any] = []
        over = asyncio.Event()

        async def keep_submitting(service: Service) -> None:
            while not over.is_set():
                answer = await call(http, service, "POST", "/workflows/sequential/runs", QUICK)
                if answer.status == 202:
                    taken.append(answer.body["id"])
                else:
                    refused.append(answer)
                await asyncio.sleep(0.01)

        submitting = [asyncio.create_task(keep_submitting(each)) for each in cluster.apis for _ in range(4)]
        await wait_for_state(http, cluster.first, held, {"running"})
        await asyncio.to_thread(redis.stop)
        end = time.monotonic() + DOWN_SECONDS
        for service in cluster.apis:
            for method, path in (
                ("GET", f"/runs/{held}"),
                ("GET", "/runs"),
                ("GET", f"/runs/{held}/events"),
                ("POST", f"/runs/{held}/cancel"),
            ):
                answer = await call(http, service, method, path)
                refused.append(answer)
            assert (await call(http, service, "GET", "/health/live")).status == 200
        await asyncio.sleep(end - time.monotonic())
        await asyncio.to_thread(redis.start)
        before = len(taken)
        await asyncio.to_thread(wait_until, lambda: len(taken) >= before + 20, "runs are taken again")
        over.set()
        await asyncio.gather(*submitting)

        assert {answer.status for answer in refused} == {503}
        for answer in refused:
            assert answer.headers["Content-Type"].startswith("application/problem+json")
            assert answer.body["type"] == "urn:retryscope:problem:engine-unavailable"
            assert answer.headers["Retry-After"]
        # The run that is held must not keep the workers from working, nor has anybody cancelled it.
        ended = await wait_for_all(http, cluster.second, taken)
        assert Counter(each["state"] for each in ended) == {"succeeded": len(taken)}
        await check_final_once(http, cluster.second, taken[:60])
        assert (await record(http, cluster.second, held))["state"] == "running"
        assert (await call(http, cluster.second, "POST", f"/runs/{held}/cancel")).status == 202
        assert (await wait_for_state(http, cluster.second, held))["state"] == "cancelled"

    async def test_sigterm_while_it_is_stopped(
        self, http: aiohttp.ClientSession, redis: RedisServer, stack: ExitStack, tmp_path: Path
    ) -> None:
        """The worker ends soon after its drain; once Redis is back, another one runs what it had."""
        variables = {"RETRYSCOPE_DRAIN_SECONDS": "1"}
        cluster = stack.enter_context(cluster_on(redis, tmp_path, variables=variables))
        worker = cluster.workers[0]
        held = await submit(http, cluster.first, "cancellation", HELD)
        await wait_for_state(http, cluster.first, held, {"running"})
        (quick,), _ = await together(http, cluster, worker, 1, 3)
        await asyncio.to_thread(redis.stop)
        worker.signal()
        assert await asyncio.to_thread(worker.wait) == 0
        for run_id in (quick, held):
            assert f"run {run_id} is left to another worker" in worker.output
        await asyncio.to_thread(redis.start)
        start_worker(cluster, stack)
        (ended,) = await wait_for_all(http, cluster.first, [quick])
        assert (ended["state"], ended["delivery"]) == ("succeeded", 2)
        assert (await wait_for_delivery(http, cluster.first, held, 2))["state"] == "running"
