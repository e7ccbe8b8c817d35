"""Several workers in one process, on one Redis, that a test stops, kills, starves and ends as it likes.

Leases last an hour, and run out when the test says so: nothing depends on how fast the machine is.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any

import docket.worker
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from retryscope_service.runs import background as background_module
from retryscope_service.runs import engine_retry
from retryscope_service.runs import worker as worker_module
from retryscope_service.runs.background import BackgroundRuns
from retryscope_service.runs.engine import Delivery, Engine, Intake, leases
from retryscope_service.runs.events import RunEvents, current_run
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.record import RunRecord
from retryscope_service.runs.state import FINAL_STATES
from retryscope_service.runs.store import RunStore
from retryscope_service.runs.worker import RunWorker
from retryscope_service.workflows.definition import RunContext, WorkflowDefinition, WorkflowParams
from tests.support.recorded import Recorded, recording
from tests.unit.retryscope_service.runs.helpers import pending, states

LEASE = 3600.0
LIMIT = 30.0
"""Seconds after which a run that has not ended never will."""

_at: ContextVar["Member"] = ContextVar("_at")


class QuickSweep(leases._Sweep):
    """Looks for what can be taken over all the time, not once in a quarter of an hour."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.interval = 0.02


class Member:
    """A worker of the fleet.

    Attributes:
        state: ``live``; ``stopped``: nothing that it does reaches Redis; ``dead``: nor will it ever.
    """

    def __init__(self, name: str, engine: Engine, worker: RunWorker) -> None:
        self.name = name
        self.engine = engine
        self.worker = worker
        self.state = "live"
        self.intake: Intake | None = None
        self.ended = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._going = asyncio.Event()
        self._going.set()
        for each in (engine._docket, engine._worker_docket):
            each.redis = self._gated(each.redis)  # type: ignore[method-assign]

    def _gated(self, redis: Any) -> Any:
        @asynccontextmanager
        async def gated() -> AsyncIterator[Any]:
            await self._going.wait()
            if self.state == "dead":
                raise RedisConnectionError("this worker is dead")
            async with redis() as client:
                yield client

        return gated

    def stop(self) -> None:
        self.state = "stopped"
        self._going.clear()
        self._take(0)

    def go_on(self) -> None:
        self.state = "live"
        self._going.set()
        self._take(100)

    def kill(self) -> None:
        self.state = "dead"
        self._take(0)

    def _take(self, concurrency: int) -> None:
        if self.intake is not None:
            self.intake._worker.concurrency = concurrency

    async def work(self) -> None:
        """Take runs until told to end."""
        async with self.engine.working(self.name, 100) as self.intake:
            if self.state != "live":
                self._take(0)
            await self.ended.wait()

    async def end(self) -> None:
        """End it as SIGTERM does, without a drain; or get rid of a dead one."""
        self._going.set()
        assert self.intake is not None
        await self.worker.drain(0, self.intake)
        self.ended.set()
        assert self.task is not None
        await self.task


class Fleet:
    """Workers, and an API beside them.

    Attributes:
        executions: How often each run was executed at which worker.
        together: The most executions of one run at one time in one worker.
        excused: Runs whose worker was stopped for too long, killed or ended, or whose message was lost.
    """

    def __init__(self, url: str, recorded: Recorded, stack: AsyncExitStack) -> None:
        self.url = url
        self.metrics = RunMetrics(recorded.registry)
        self.events = RunEvents()
        self.members: list[Member] = []
        self.runs: list[str] = []
        self.executions: Counter[tuple[str, str]] = Counter()
        self.together = 0
        self.excused: set[str] = set()
        self._recorded = recorded
        self._stack = stack
        self._now: Counter[tuple[str, str]] = Counter()
        self._may_end: defaultdict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)
        self._everything_may_end = False
        self._added = 0

    async def start(self, workers: int) -> None:
        self.engine = await self._stack.enter_async_context(
            Engine(self.url, connections=50, redelivery_seconds=LEASE)
        )
        self.engine.register(self._nowhere)
        self.store = RunStore(self.engine)
        self.background = BackgroundRuns(self.engine, self.store, self.metrics, limit=1000, retention=60)
        async with self.engine.redis() as redis:  # it could always be reached, and for an hour
            beat = {"since": 0, "last": int(time.time() * 1000)}
            await redis.hset(leases.beat_key(self.engine._docket), mapping=beat)
        for _ in range(workers):
            await self.add()

    async def _nowhere(self, delivery: Delivery) -> bool:
        raise AssertionError("the API runs nothing")

    async def add(self) -> None:
        """One more worker."""
        self._added += 1
        name = f"w{self._added}"
        engine = await self._stack.enter_async_context(
            Engine(self.url, connections=50, redelivery_seconds=LEASE)
        )
        worker = RunWorker(name, engine, RunStore(engine), self.events, self.metrics)
        member = Member(name, engine, worker)

        async def handle(delivery: Delivery) -> bool:
            _at.set(member)
            return await worker.handle(delivery)

        engine.register(handle)
        self.members.append(member)
        member.task = asyncio.create_task(member.work())
        await self.wait_for(lambda: member.intake is not None, "a worker starts")

    async def run(self, params: WorkflowParams, context: RunContext) -> None:
        """What the runs do: last until the test lets them end."""
        run_id = current_run.get()
        assert run_id is not None
        here = (run_id, _at.get().name)
        self.executions[here] += 1
        self._now[here] += 1
        self.together = max(self.together, self._now[here])
        try:
            if not self._everything_may_end:
                await self._may_end[here].wait()
        finally:
            self._now[here] -= 1

    # what a schedule is made of

    async def submit(self) -> None:
        """One more run; wait for it to start if there is a live worker."""
        definition = WorkflowDefinition("retry", "", WorkflowParams, self.run)
        run_id, _ = await self.background.submit(definition, WorkflowParams(), None)
        self.runs.append(run_id)
        if all(member.state == "live" for member in self.members):
            await self.wait_for(lambda: any(run == run_id for run, _ in self.executions), "it starts")

    async def finish(self, run_id: str, member: Member) -> None:
        """Let it end where it runs at this worker."""
        self._may_end[run_id, member.name].set()
        await asyncio.sleep(0.01)

    async def cancel(self, run_id: str) -> None:
        """As a client does."""
        await self.background.cancel(run_id)

    async def pending(self, member: Member) -> list[tuple[bytes, str]]:
        """The messages that belong to a worker, and their runs."""
        async with self.engine.redis() as redis:
            rows = await redis.xpending_range(
                self.engine.stream, self.engine.group, "-", "+", 1000, consumername=member.name
            )
            found = []
            for row in rows:
                for number, fields in await redis.xrange(
                    self.engine.stream, row["message_id"], row["message_id"]
                ):
                    found.append((number, fields[b"key"].decode()))
        return found

    async def expire(self, member: Member) -> None:
        """The leases of a worker run out; whoever finds its messages takes them over."""
        messages = await self.pending(member)
        self.excused |= {run_id for _, run_id in messages}
        async with self.engine.redis() as redis:
            for number, _ in messages:
                await redis.xclaim(
                    self.engine.stream,
                    self.engine.group,
                    member.name,
                    0,
                    [number],
                    idle=int(LEASE * 1000) + 1000,
                    justid=True,
                )
        if messages and any(other.state == "live" for other in self.members):

            async def taken() -> bool:
                left = await self.pending(member)
                return member.state == "live" or not set(left) & set(messages)

            await self.wait_for(taken, "somebody takes them over")

    async def deliver_twice(self, member: Member) -> None:
        """A starved worker gets its own runs again."""
        for number, run_id in await self.pending(member):
            if run_id in member.worker._here:
                text = await self.store.get_field(run_id, "message")
                assert text is not None
                again = member.worker.handle(Delivery(run_id, text, number.decode()))
                self._stack.push_async_callback(asyncio.wait, [asyncio.create_task(again)])
        await asyncio.sleep(0.01)

    async def lose(self, run_id: str) -> None:
        """Its message disappears from the engine, whoever deleted it."""
        self.excused.add(run_id)
        message = await self.store.get_field(run_id, "message_id")
        if message is not None:
            async with self.engine.redis() as redis:
                await redis.xack(self.engine.stream, self.engine.group, message)
                await redis.xdel(self.engine.stream, message)

    async def hand_back(self, member: Member) -> None:
        """SIGTERM; another worker takes its place."""
        self.excused |= {run_id for _, run_id in await self.pending(member)}
        await member.end()
        self.members.remove(member)
        await self.expire(member)
        await self.add()

    async def kill(self, member: Member) -> None:
        """``kill -9``; another worker takes its place."""
        member.kill()
        await member.end()
        self.members.remove(member)
        await self.add()
        await self.expire(member)

    # what must hold

    async def settle(self) -> list[RunRecord]:
        """Everybody goes on, everything may end: wait for it, and for nothing to be left behind."""
        self._everything_may_end = True
        for event in self._may_end.values():
            event.set()
        for member in self.members:
            if member.state == "stopped":
                member.go_on()
        end = time.monotonic() + LIMIT
        while True:
            # Several processes reconcile at once.
            await asyncio.gather(self.background.reconcile(), self.background.reconcile())
            for member in self.members:
                await member.worker.carry_out_cancels()
                if await self._forgotten(member):
                    await self.expire(member)
            records = [await self.store.get(run_id) for run_id in self.runs]
            async with self.engine.redis() as redis:
                left = await redis.xlen(self.engine.stream)
            ended = all(record is not None and record.state in FINAL_STATES for record in records)
            if ended and left == 0 and all(member.worker.in_flight == 0 for member in self.members):
                return [record for record in records if record is not None]
            assert time.monotonic() < end, [(r.id, r.state, r.delivery) for r in records if r]
            await asyncio.sleep(0.02)

    async def _forgotten(self, member: Member) -> bool:
        """Whether it has messages that it does not run: they were left, and their leases run out."""
        return any(run_id not in member.worker._here for _, run_id in await self.pending(member))

    async def check(self) -> None:
        """Each run has ended exactly once, nothing was executed twice without a reason, no place is taken."""
        records = await self.settle()
        for record in records:
            told = [state in FINAL_STATES for state in await states(self.store, record.id)]
            assert told == [False] * (len(told) - 1) + [True], await states(self.store, record.id)
        assert await self.store.counts() == (0, 0)
        assert await pending(self.store) == []
        assert self.together <= 1
        often = Counter(run_id for run_id, _ in self.executions.elements())
        assert {run_id for run_id, number in often.items() if number > 1} <= self.excused
        samples = self._recorded.samples()
        ended = sum(
            value
            for (name, labels), value in samples.items()
            if name == "retryscope_runs_total" and dict(labels)["state"] in FINAL_STATES
        )
        assert ended == len(records)
        assert all(v == 0 for (name, _), v in samples.items() if name == "retryscope_runs_in_flight")

    async def wait_for(self, condition: Any, what: str) -> None:
        end = time.monotonic() + LIMIT
        while True:
            so = condition()
            if await so if asyncio.iscoroutine(so) else so:
                return
            assert time.monotonic() < end, f"waited in vain: {what}"
            await asyncio.sleep(0.005)


@contextmanager
def quick(fleet_run: Any) -> Iterator[None]:
    """What a fleet needs of the modules: quick sweeps, no patience with the dead, and its own workflow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(docket.worker, "RedeliverySweep", QuickSweep)
        patch.setattr(engine_retry, "LAST_SECONDS", 0.01)
        patch.setattr(background_module, "RECONCILE_AFTER", 0.0)
        patch.setattr(
            worker_module, "WORKFLOWS", {"retry": WorkflowDefinition("retry", "", WorkflowParams, fleet_run)}
        )
        yield


@asynccontextmanager
async def fleet(url: str, workers: int) -> AsyncIterator[Fleet]:
    """Workers that run during the block."""
    with recording(time_ns=time.time_ns) as recorded:
        async with AsyncExitStack() as stack:
            found = Fleet(url, recorded, stack)
            with quick(found.run):
                await found.start(workers)
                try:
                    yield found
                finally:
                    for member in found.members:
                        await member.end()
