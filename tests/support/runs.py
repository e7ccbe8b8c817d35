"""Background runs as a client sees them: submitting, reading, following and cancelling them over HTTP."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.polling import LIMIT, until
from tests.support.process import Answer, Service
from tests.support.redis import RedisServer

FINAL = frozenset({"succeeded", "failed", "cancelled", "lost"})
FOREVER = 3600.0
HELD = {"durations": [FOREVER], "cancel_after": FOREVER, "cleanup": 0.05}
"""Parameters of ``cancellation`` with which a run lasts until somebody cancels it, and then cleans up."""


@dataclass
class Cluster:
    """Processes that share an engine; the embedded one has a single process."""

    apis: list[Service]
    workers: list[Service]
    folder: Path
    redis: RedisServer | None = None

    @property
    def first(self) -> Service:
        """An API."""
        return self.apis[0]

    @property
    def second(self) -> Service:
        """Another API; the same one where there is only one."""
        return self.apis[-1]


def start_worker(cluster: Cluster, stack: ExitStack, *options: str, **variables: str) -> Service:
    """One more worker for the cluster, which is ready; the stack ends it."""
    assert cluster.redis is not None
    folder = cluster.folder / f"worker-{len(cluster.workers) + 1}"
    worker = Service(folder, "worker", *options, **{**_variables(cluster.redis), **variables})
    stack.callback(worker.kill)
    cluster.workers.append(worker)
    worker.wait_until_ready()
    return worker


def _show_output(cluster: Cluster) -> None:
    """Pytest shows it where the test fails."""
    for service in (*cluster.apis, *cluster.workers):
        sys.stdout.write(f"{service.name}:{service.output}\n")


def _variables(redis: RedisServer) -> dict[str, str]:
    return {"RETRYSCOPE_ENGINE_URL": redis.url, "RETRYSCOPE_REDELIVERY_SECONDS": "1.5"}


@contextmanager
def cluster_on(
    redis: RedisServer,
    folder: Path,
    *,
    apis: int = 1,
    workers: int = 1,
    concurrency: int = 1200,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """Processes of their own for API and workers; at the end they must end well, if they still run."""
    environment = {**_variables(redis), **(variables or {})}
    with ExitStack() as stack:
        stack.callback(redis.command, "FLUSHALL")  # what is left would run beside the next test
        cluster = Cluster([], [], folder, redis)
        for number in range(1, apis + 1):
            cluster.apis.append(Service(folder / f"api-{number}", "serve", "--no-worker", **environment))
            stack.callback(cluster.apis[-1].kill)
        for number in range(1, workers + 1):
            options = ("worker", "--concurrency", str(concurrency))
            cluster.workers.append(Service(folder / f"worker-{number}", *options, **environment))
            stack.callback(cluster.workers[-1].kill)
        for service in (*cluster.apis, *cluster.workers):
            service.wait_until_ready()
        stack.callback(_show_output, cluster)
        yield cluster
        running = [each for each in (*cluster.apis, *cluster.workers) if each.process.poll() is None]
        for service in running:
            service.signal()
        assert [service.wait() for service in running] == [0] * len(running)


async def call(
    http: aiohttp.ClientSession,
    service: Service,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """A request and its answer."""
    url = f"http://127.0.0.1:{service.port}{path}"
    async with http.request(method, url, json=body, headers=headers) as response:
        text = await response.text()
        content = json.loads(text) if "json" in response.content_type else text
        return Answer(response.status, dict(response.headers), content)


async def submit(
    http: aiohttp.ClientSession, service: Service, workflow: str, params: Mapping[str, object]
) -> str:
    """Submit a run, which must be taken; its id."""
    answer = await call(http, service, "POST", f"/workflows/{workflow}/runs", params)
    assert answer.status == 202, answer
    return str(answer.body["id"])


async def record(http: aiohttp.ClientSession, service: Service, run_id: str) -> Any:
    """The record of a run, which must be there."""
    answer = await call(http, service, "GET", f"/runs/{run_id}")
    assert answer.status == 200, answer
    return answer.body


async def wait_for_delivery(http: aiohttp.ClientSession, service: Service, run_id: str, number: int) -> Any:
    """Wait until a run has been delivered so often; its record."""
    return await until(
        lambda: record(http, service, run_id),
        f"run {run_id} is delivered {number} times",
        lambda found: found["delivery"] >= number,
    )


async def wait_for_state(
    http: aiohttp.ClientSession,
    service: Service,
    run_id: str,
    states: Collection[str] = FINAL,
    limit: float = LIMIT,
) -> Any:
    """Wait until a run is in one of the states; its record."""
    return await until(
        lambda: record(http, service, run_id),
        f"run {run_id} is {' or '.join(sorted(states))}",
        lambda found: found["state"] in states,
        limit,
    )


async def wait_for_all(
    http: aiohttp.ClientSession,
    service: Service,
    run_ids: Collection[str],
    states: Collection[str] = FINAL,
    limit: float = LIMIT,
) -> list[Any]:
    """Wait until each of the runs is in one of the states, one after the other; their records."""
    return [await wait_for_state(http, service, run_id, states, limit) for run_id in run_ids]


async def together(
    http: aiohttp.ClientSession,
    cluster: Cluster,
    worker: Service,
    number: int,
    seconds: float,
    workflow: str = "sequential",
    params: Callable[[float], Mapping[str, object]] = lambda left: {
        "tasks": 1,
        "duration": left,
        "failure_rate": 0,
    },
) -> tuple[list[str], float]:
    """Submit runs that all last until the same moment, and wait until a worker has all of them at once.

    Where the machine needs more than half the time for that which they last, it is tried again with runs that
    last longer: what the test does to them then has to happen in the rest.

    Args:
        worker: Who gets them.
        number: How many.
        seconds: How long that takes on a machine that has nothing else to do, and some more.
        params: Of a run that lasts so many seconds.

    Returns:
        Their ids, and the moment.
    """

    def metric(state: str) -> float:
        return worker.metric("retryscope_runs_total", state=state)

    for patience in (seconds, 4 * seconds, 16 * seconds, 64 * seconds):
        started, succeeded = metric("running"), metric("succeeded")
        moment = time.time() + patience
        free = asyncio.Semaphore(16)

        async def one(moment: float = moment, free: asyncio.Semaphore = free) -> str:
            async with free:
                return await submit(http, cluster.first, workflow, params(max(0.0, moment - time.time())))

        run_ids = await asyncio.gather(*(one() for _ in range(number)))
        while metric("succeeded") == succeeded:
            if metric("running") == started + number and time.time() < moment - patience / 2:
                return run_ids, moment
            await asyncio.sleep(0.05)
        await wait_for_all(http, cluster.first, run_ids)
    raise AssertionError(f"{number} runs were never running at once, though each lasted {patience:g} s")


async def follow(
    http: aiohttp.ClientSession, service: Service, run_id: str, last_event_id: int | None = None
) -> AsyncIterator[tuple[int, dict[str, Any]] | None]:
    """The event stream of a run to its end: id and event; None for a comment."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    url = f"http://127.0.0.1:{service.port}/runs/{run_id}/events"
    async with http.get(url, headers=headers) as response:
        if response.status == 204:  # there is nothing more to come
            return
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        fields: dict[str, str] = {}
        async for raw in response.content:
            line = raw.decode().removesuffix("\n")
            if line.startswith(":"):
                yield None
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                event = json.loads(fields["data"])
                assert fields["event"] == event["event"]
                yield int(fields["id"]), event
                fields = {}
        assert not fields, "the stream ends between two events"


async def events_of(
    http: aiohttp.ClientSession, service: Service, run_id: str, last_event_id: int | None = None
) -> list[tuple[int, dict[str, Any]]]:
    """All events of a run, once it has ended."""
    return [item async for item in follow(http, service, run_id, last_event_id) if item is not None]


def states_in(events: Collection[tuple[int, dict[str, Any]]]) -> list[str]:
    """The states that a run went through."""
    return [event["state"] for _, event in events if event["event"] == "state"]
