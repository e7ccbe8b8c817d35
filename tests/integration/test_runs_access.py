"""Who and how much: bounds on background runs, the API token, and the rights that Redis has to give."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import ROOT
from tests.integration.conftest import StartService
from tests.support.otlp_receiver import OtlpReceiver
from tests.support.process import Service, serve_in_vain
from tests.support.redis import RedisServer, redis_server
from tests.support.runs import (
    HELD,
    Cluster,
    call,
    cluster_on,
    events_of,
    record,
    states_in,
    submit,
    wait_for_all,
    wait_for_delivery,
    wait_for_state,
)

BOUND = 5
TOKEN = "a-token-that-must-not-be-seen"  # noqa: S105
BEARER = {"Authorization": f"Bearer {TOKEN}"}
QUICK = {"tasks": 1, "duration": 0, "failure_rate": 0}


@pytest.fixture(params=["memory", "redis"])
def narrow(
    request: pytest.FixtureRequest, start_service: StartService, redis: RedisServer, tmp_path: Path
) -> Iterator[Cluster]:
    """A service that takes five runs, and runs one at a time."""
    variables = {"RETRYSCOPE_MAX_ACTIVE_RUNS": str(BOUND), "RETRYSCOPE_DRAIN_SECONDS": "0"}
    if request.param == "memory":
        service = start_service(**variables, RETRYSCOPE_WORKER_CONCURRENCY="1")
        yield Cluster([service], [service], tmp_path)
    else:
        with cluster_on(redis, tmp_path, apis=2, concurrency=1, variables=variables) as cluster:
            yield cluster


class TestAdmission:
    async def test_beyond_the_bound_nothing_is_started_and_what_is_cancelled_while_queued_never_starts(
        self, http: aiohttp.ClientSession, narrow: Cluster
    ) -> None:
        """Twenty submissions at once at both APIs."""
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        services = (narrow.first, narrow.second)
        path = "/workflows/cancellation/runs"
        answers = await asyncio.gather(
            *(
                call(http, services[number % 2], "POST", path, HELD, {"Idempotency-Key": f"{since} {number}"})
                for number in range(20)
            )
        )
        taken = [answer.body["id"] for answer in answers if answer.status == 202]
        refused = [answer for answer in answers if answer.status != 202]
        assert (len(taken), len(refused)) == (BOUND, 20 - BOUND)
        for answer in refused:
            assert (answer.status, answer.body["bound"]) == (429, BOUND)
            assert answer.body["type"] == "urn:retryscope:problem:too-many-runs"
            assert answer.headers["Retry-After"]
        listed = await call(http, narrow.second, "GET", f"/runs?since={since}")
        assert {each["id"] for each in listed.body["runs"]} == set(taken)

        (running,) = [
            each["id"]
            for each in await wait_for_all(http, narrow.first, taken, {"queued", "running"})
            if each["state"] == "running"
        ] or [await first_running(http, narrow.first, taken)]
        queued = [run_id for run_id in taken if run_id != running]
        for run_id in queued:
            answer = await call(http, narrow.second, "POST", f"/runs/{run_id}/cancel")
            assert (answer.status, answer.body["state"]) == (202, "cancelled")
        assert (await call(http, narrow.second, "POST", f"/runs/{running}/cancel")).status == 202
        assert (await wait_for_state(http, narrow.first, running))["state"] == "cancelled"
        # There is room again, also under a key that was refused; and those that waited are passed over.
        key = {"Idempotency-Key": f"{since} 0"} if answers[0].status == 429 else {}
        again = await call(http, narrow.first, "POST", "/workflows/sequential/runs", QUICK, key)
        assert again.status == 202
        assert (await wait_for_state(http, narrow.first, again.body["id"]))["state"] == "succeeded"
        for run_id in queued:
            found = await record(http, narrow.first, run_id)
            assert (found["state"], found["delivery"]) == ("cancelled", 0)
            assert "started_at" not in found
            assert states_in(await events_of(http, narrow.second, run_id)) == ["queued", "cancelled"]


async def first_running(http: aiohttp.ClientSession, service: Service, run_ids: list[str]) -> str:
    """Wait until one of the runs is running."""
    while True:
        for run_id in run_ids:
            if (await record(http, service, run_id))["state"] == "running":
                return run_id
        await asyncio.sleep(0.02)


class TestToken:
    async def test_it_is_needed_and_never_shown(
        self,
        http: aiohttp.ClientSession,
        redis: RedisServer,
        collector: OtlpReceiver,
        tmp_path: Path,
    ) -> None:
        variables = {
            "RETRYSCOPE_API_TOKEN": TOKEN,
            "RETRYSCOPE_LOG_LEVEL": "DEBUG",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        }
        with cluster_on(redis, tmp_path, variables=variables) as cluster:
            service, worker = cluster.first, cluster.workers[0]
            for path in ("/workflows", "/runs", "/runs/x", "/runs/x/events", "/traces", "/metrics"):
                for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}):
                    answer = await call(http, service, "GET", path, headers=headers)
                    assert answer.status == 401, path
                    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
                    assert answer.headers["Content-Type"].startswith("application/problem+json")
                    assert TOKEN not in str(answer)
                assert (await call(http, service, "GET", path, headers=BEARER)).status in {200, 404}
            for path in ("/workflows/sequential/runs", "/workflows/sequential", "/runs/x/cancel"):
                assert (await call(http, service, "POST", path, QUICK)).status == 401
            answer = await call(http, service, "POST", "/workflows/sequential/runs", QUICK, BEARER)
            assert answer.status == 202
            http.headers.update(BEARER)
            assert (await wait_for_state(http, service, answer.body["id"]))["state"] == "succeeded"
            http.headers.clear()
            pages = []
            for each in (service, worker):
                for path in ("/health/live", "/health/ready"):
                    assert (await call(http, each, "GET", path)).status == 200
                assert (await call(http, each, "GET", "/metrics")).status == 401
                answer = await call(http, each, "GET", "/metrics", headers=BEARER)
                assert "retryscope_runs_total" in answer.body
                pages.append(answer.body)
            pages.append(str((await call(http, service, "GET", "/traces", headers=BEARER)).body))
        shown = [*pages, service.output, worker.output, str(collector.spans())]
        assert len(collector.spans()) > 3
        assert not any(TOKEN in each for each in shown)

    @pytest.mark.parametrize("command", ["serve", "worker"])
    def test_without_one_nobody_else_may_reach_it(self, command: str) -> None:
        variables = {"RETRYSCOPE_ENGINE_URL": "redis://127.0.0.1:1/0"}
        ended = serve_in_vain("--host", "0.0.0.0", "--port", "0", command=command, **variables)  # noqa: S104
        assert ended.status == 2
        assert re.match(r"retryscope: .*0\.0\.0\.0.*RETRYSCOPE_API_TOKEN", ended.stderr), ended.stderr

    def test_a_short_one_is_refused_and_not_repeated(self) -> None:
        ended = serve_in_vain("--port", "0", RETRYSCOPE_API_TOKEN="too-short")  # noqa: S106
        assert ended.status == 2
        assert "RETRYSCOPE_API_TOKEN" in ended.stderr
        assert "too-short" not in ended.stderr + ended.stdout


class TestWorker:
    async def test_its_port_offers_metrics_and_health_only(
        self, http: aiohttp.ClientSession, redis: RedisServer, tmp_path: Path
    ) -> None:
        with cluster_on(redis, tmp_path) as cluster:
            worker = cluster.workers[0]
            run_id = await submit(http, cluster.first, "sequential", QUICK)
            await wait_for_state(http, cluster.first, run_id)
            assert worker.get("/health/live").body == {"status": "live"}
            assert worker.get("/health/ready").status == 200
            assert worker.metric("retryscope_runs_total", workflow="sequential", state="succeeded") == 1
            assert worker.metric("retryscope_run_duration_seconds_count", workflow="sequential") == 1
            assert worker.metric("retryscope_run_queue_wait_seconds_count", workflow="sequential") == 1
            for path in ("/runs", "/workflows", "/traces", "/docs"):
                assert worker.get(path).status == 404

    def test_it_needs_an_engine_that_it_shares(self) -> None:
        ended = serve_in_vain("--port", "0", command="worker")
        assert ended.status == 2
        assert re.match(r"retryscope: .*RETRYSCOPE_ENGINE_URL", ended.stderr), ended.stderr


class TestRedisRights:
    async def test_those_that_the_document_names_suffice(
        self,
        http: aiohttp.ClientSession,
        system_tool: Callable[[str], Path],
        tmp_path: Path,
    ) -> None:
        """Submitting, following, cancelling, redelivery on a Redis whose default user is off."""
        text = (ROOT / "docs" / "security.md").read_text()
        block = re.search(r"^user default off\n(user retryscope on .*)$", text, re.MULTILINE)
        assert block
        words = block[1].replace("CHANGE-ME", "word").split()[1:]
        with ExitStack() as stack:
            redis = stack.enter_context(redis_server(system_tool("redis-server"), tmp_path / "redis"))
            assert redis.command("ACL", "SETUSER", *words) == "+OK"
            assert redis.command("ACL", "SETUSER", "default", "off") == "+OK"
            url = {"RETRYSCOPE_ENGINE_URL": redis.url.replace("//", "//retryscope:word@")}
            cluster = stack.enter_context(cluster_on(redis, tmp_path, workers=2, variables=url))
            run_ids = [await submit(http, cluster.first, "cancellation", HELD) for _ in range(6)]
            started = await wait_for_all(http, cluster.first, run_ids, {"running"})
            victim = next(
                each for each in cluster.workers if started[0]["worker"].endswith(f"#{each.process.pid}")
            )
            victim.kill()
            for each in started:
                if each["worker"] == started[0]["worker"]:
                    await wait_for_delivery(http, cluster.first, each["id"], 2)
            for run_id in run_ids:
                assert (await call(http, cluster.first, "POST", f"/runs/{run_id}/cancel")).status == 202
            for each in await wait_for_all(http, cluster.first, run_ids):
                assert each["state"] == "cancelled"
            listed = await call(http, cluster.first, "GET", "/runs?state=cancelled")
            assert {each["id"] for each in listed.body["runs"]} == set(run_ids)
            for process in (cluster.first, *cluster.workers):
                assert "NOPERM" not in process.output
                assert process.messages("ERROR") + process.messages("WARNING") == []
