"""Signals to real workers in a random order: each run ends exactly once, and gives its place back."""

import asyncio
import random
import secrets
import signal
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.support.polling import until
from tests.support.process import Service
from tests.support.redis import RedisServer
from tests.support.runs import (
    FINAL,
    HELD,
    call,
    cluster_on,
    events_of,
    start_worker,
    states_in,
    submit,
    wait_for_all,
    wait_for_delivery,
    wait_for_state,
)

LEASE = 1.5
"""As ``cluster_on`` sets it."""


async def check_ended_once(http: aiohttp.ClientSession, service: Service, run_ids: list[str]) -> None:
    """Of each run, the last event but no other is a final state; none is active any more."""
    for run_id in run_ids:
        told = [state in FINAL for state in states_in(await events_of(http, service, run_id))]
        assert told == [False] * (len(told) - 1) + [True], run_id
    await until(lambda: service.metric("retryscope_runs_active") == 0, "no run is active any more")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
async def test_a_late_end_leaves_the_run_to_who_overtook_it(
    http: aiohttp.ClientSession, redis: RedisServer, tmp_path: Path, end: signal.Signals
) -> None:
    """A is stopped, B takes its run over, A wakes up and gives up, then B ends: the run comes back."""
    with ExitStack() as stack:
        variables = {"RETRYSCOPE_DRAIN_SECONDS": "0"}
        cluster = stack.enter_context(cluster_on(redis, tmp_path, variables=variables))
        (first,) = cluster.workers
        run_id = await submit(http, cluster.first, "cancellation", HELD)
        await wait_for_state(http, cluster.first, run_id, {"running"})
        first.signal(signal.SIGSTOP)
        second = await asyncio.to_thread(start_worker, cluster, stack, **variables)
        await wait_for_delivery(http, cluster.first, run_id, 2)
        first.signal(signal.SIGCONT)
        await until(lambda: first.metric("retryscope_run_late_results_total") == 1, "the first ends late")
        second.signal(end)
        assert (await wait_for_delivery(http, cluster.first, run_id, 3))["state"] == "running"
        assert (await call(http, cluster.first, "POST", f"/runs/{run_id}/cancel")).status == 202
        assert (await wait_for_state(http, cluster.first, run_id))["state"] == "cancelled"
        await check_ended_once(http, cluster.first, [run_id])


async def test_any_order_of_signals_and_cancels(
    http: aiohttp.ClientSession, redis: RedisServer, tmp_path: Path
) -> None:
    """Stopped for a while or for too long, continued, killed, ended, started; cancelled meanwhile."""
    seed = secrets.randbits(32)
    print(f"seed: {seed}")  # noqa: T201
    chance = random.Random(seed)
    with ExitStack() as stack:
        variables = {"RETRYSCOPE_DRAIN_SECONDS": "0.2"}
        cluster = stack.enter_context(cluster_on(redis, tmp_path, workers=3, variables=variables))
        run_ids: list[str] = []
        for _ in range(8):
            for _ in range(4):
                params = {"tasks": 1, "duration": chance.choice([0.1, 1.0, 3.0]), "failure_rate": 0}
                run_ids.append(await submit(http, cluster.first, "sequential", params))
            run_ids.append(await submit(http, cluster.first, "cancellation", {**HELD, "cancel_after": 4.0}))
            worker = chance.choice([each for each in cluster.workers if each.process.poll() is None])
            what = chance.choice([signal.SIGSTOP, signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM])
            worker.signal(what)
            if what != signal.SIGSTOP:
                await asyncio.to_thread(start_worker, cluster, stack, **variables)
            await asyncio.sleep(chance.choice([0.1, LEASE / 2, 1.5 * LEASE]))
            if what == signal.SIGSTOP:
                worker.signal(signal.SIGCONT)
            await call(http, cluster.first, "POST", f"/runs/{chance.choice(run_ids)}/cancel")
        ended = await wait_for_all(http, cluster.first, run_ids)
        assert {each["state"] for each in ended} <= {"succeeded", "cancelled", "lost"}
        await check_ended_once(http, cluster.first, run_ids)
