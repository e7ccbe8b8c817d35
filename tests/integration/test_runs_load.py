"""Many background runs on one worker: all at once, and one after the other for as long as it takes."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest

from tests.support.polling import wait_until
from tests.support.redis import RedisServer
from tests.support.runs import Cluster, call, cluster_on, submit, together, wait_for_all

ASLEEP = 1_000
SUBMISSIONS = int(os.environ.get("TEST_SUBMISSIONS", "3000"))
WARM_UP = 1_000
CLIENTS = 16
MORE_MEMORY = 150.0
"""Megabytes that a process may have grown by; it keeps 500 traces, and Redis keeps the records."""


@pytest.fixture
def cluster(redis: RedisServer, tmp_path: Path) -> Iterator[Cluster]:
    """One API and one worker."""
    with cluster_on(redis, tmp_path, variables={"RETRYSCOPE_LOG_LEVEL": "WARNING"}) as found:
        yield found


async def test_1000_runs_asleep_at_once_end_in_the_same_second(
    http: aiohttp.ClientSession, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are submitted over some seconds, with what is left until the same moment as their duration."""
    worker = cluster.workers[0]
    run_ids, moment = await together(http, cluster, worker, ASLEEP, 12)
    ended = await wait_for_all(http, cluster.first, run_ids)
    assert Counter((each["state"], each["delivery"]) for each in ended) == {("succeeded", 1): ASLEEP}
    last = max(datetime.fromisoformat(each["ended_at"]).timestamp() for each in ended)
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{ASLEEP} runs asleep at once; the last was recorded {last - moment:.1f} s after it was due"
        )
    assert cluster.first.messages("ERROR") + worker.messages("ERROR") == []


async def test_thousands_of_submissions_are_all_accounted_for_and_memory_is_bounded(
    http: aiohttp.ClientSession, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """3,000; with TEST_SUBMISSIONS=10000 two minutes on two cores and a disk that syncs each write."""
    service, worker = cluster.first, cluster.workers[0]
    params = {"tasks": 1, "failure_rate": 0, "duration": 0}
    run_ids: list[str] = []

    async def client(numbers: Iterator[int]) -> None:
        for _ in numbers:  # which the clients share
            run_ids.append(await submit(http, service, "sequential", params))  # noqa: PERF401

    async def submit_many(number: int) -> None:
        numbers = iter(range(number))
        await asyncio.gather(*(client(numbers) for _ in range(CLIENTS)))
        await asyncio.to_thread(
            wait_until,
            lambda: worker.metric("retryscope_runs_total", state="succeeded") == len(run_ids),
            "every run has succeeded",
        )

    await submit_many(WARM_UP)  # caches are filled, and so are the 500 traces
    before = {each: each.memory() for each in (service, worker)}
    start = time.monotonic()
    await submit_many(SUBMISSIONS - WARM_UP)
    seconds = time.monotonic() - start
    grown = {each: each.memory() - before[each] for each in before}

    assert len(set(run_ids)) == SUBMISSIONS
    assert service.metric("retryscope_runs_total", state="queued") == SUBMISSIONS
    wanted = set(run_ids)
    states: Counter[tuple[str, int]] = Counter()
    cursor = ""
    while wanted:
        answer = await call(http, service, "GET", f"/runs?limit=100{cursor}")
        for each in answer.body["runs"]:
            if each["id"] in wanted:  # and only once
                wanted.remove(each["id"])
                states[each["state"], each["delivery"]] += 1
        cursor = f"&cursor={answer.body['cursor']}"
    assert states == {("succeeded", 1): SUBMISSIONS}
    with capsys.disabled():
        rate = (SUBMISSIONS - WARM_UP) / seconds
        print(  # noqa: T201
            f"\n{SUBMISSIONS} runs: {rate:.0f} a second; memory of API and worker grew by"
            f" {grown[service]:.0f} and {grown[worker]:.0f} MB from {before[service]:.0f} and"
            f" {before[worker]:.0f} MB"
        )
    assert all(each < MORE_MEMORY for each in grown.values())
    assert service.messages("ERROR") + worker.messages("ERROR") == []
