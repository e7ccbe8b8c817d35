"""Where run records, their events and their history live: beside the engine's own data.

Every change of state is one script (:mod:`retryscope_service.runs.scripts`), so that it happens whole or not
at all.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from retryscope_service.runs import scripts
from retryscope_service.runs.cursor import Cursor
from retryscope_service.runs.engine import Engine
from retryscope_service.runs.record import RunRecord
from retryscope_service.runs.verdicts import HandedBack, Started, Submitted

MAX_DELIVERIES: Final = 5
"""A run that has been delivered this often and never ended kills its workers: it is lost."""
MAX_EVENTS: Final = 10_000
"""Events kept of one run."""
EVENTS_AT_ONCE: Final = 1_000
"""Events that one script takes; Lua has no room for more than some thousand arguments."""
UNSTARTED_SECONDS: Final = 60.0
"""A run that was delivered so long ago, and has not started, may have lost its message."""


class RunStore:
    """Run records on the engine's Redis."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._active = engine.key("active")
        self._index = engine.key("index")
        self._finished = engine.key("finished")
        self._pending = engine.key("pending")
        self._running = engine.key("running")

    def _record(self, run_id: str) -> str:
        return self._engine.key(f"run:{run_id}")

    def _events(self, run_id: str) -> str:
        return self._engine.key(f"events:{run_id}")

    async def _script(self, source: str, keys: Sequence[str], arguments: Sequence[str]) -> Any:
        async with self._engine.redis() as redis:
            return await redis.register_script(source)(keys=keys, args=arguments)

    async def submit(
        self,
        run_id: str,
        fields: Mapping[str, str],
        *,
        limit: int,
        idempotency_key: str | None,
        body: str,
        retention: float,
    ) -> Submitted:
        """Store a new run, unless its idempotency key is known or too many runs are active."""
        digest = "" if idempotency_key is None else hashlib.sha256(body.encode()).hexdigest()
        same = hashlib.sha256((idempotency_key or run_id).encode()).hexdigest()
        keys = (
            self._record(run_id),
            self._engine.key(f"idempotency:{same}"),
            self._active,
            self._index,
            self._pending,
            self._events(run_id),
        )
        flat = [text for pair in fields.items() for text in pair]
        arguments = (run_id, fields["submitted_at"], str(limit), digest, str(int(retention)), *flat)
        verdict, known = await self._script(scripts.SUBMIT, keys, arguments)
        return Submitted(verdict.decode(), known.decode())

    async def unheld(
        self, older_than: float, start: int, number: int
    ) -> tuple[list[tuple[str, str]], int | None]:
        """Look at runs that have waited for so long to start: of those that the engine holds, note by what.

        Args:
            older_than: Seconds since they were submitted.
            start: The first of them, from 0.
            number: How many.

        Returns:
            Id and message of those that the engine does not hold: their submitter died, or the engine lost
            them. And where to go on; None after the last one.
        """
        now = time.time()
        times = (f"{now:.6f}", f"{now - older_than:.6f}", str(UNSTARTED_SECONDS))
        arguments = (*times, str(start), str(number), self._record(""), self._engine.task(""))
        keys = (self._pending, self._engine.stream)
        looked, left, found = await self._script(scripts.UNHELD, keys, arguments)
        texts = [each.decode() for each in found]
        missing = list(zip(texts[::2], texts[1::2], strict=True))
        return missing, start + left if looked == number else None

    async def reconcile(self, start: int, number: int) -> tuple[int, list[tuple[str, str]]]:
        """Look at some of the active runs; one that the engine does not hold waits to be handed to it again.

        Args:
            start: The first, in the order of submission, from 0.
            number: How many.

        Returns:
            How many there were, and of those that the engine does not hold id and workflow.
        """
        keys = (self._active, self._running, self._pending, self._index, self._engine.stream)
        arguments = (str(start), str(start + number - 1), self._record(""), self._engine.task(""))
        looked, *found = await self._script(scripts.RECONCILE, keys, arguments)
        texts = [each.decode() for each in found]
        return int(looked), list(zip(texts[::2], texts[1::2], strict=True))

    async def start(
        self, run_id: str, worker: str, call: str, message_id: str = "", here: int | None = None
    ) -> Started:
        """Count a delivery and say whether the run may start; again with the same ``call``, say it again.

        Args:
            run_id: The run.
            worker: Who got it.
            call: Something that no other call has.
            message_id: Of the delivery; without one it is not asked whether it is still the worker's.
            here: The delivery as which the run runs in this worker already. If none overtook it, the run
                goes on as that; else as the new one.
        """
        keys = (
            self._record(run_id),
            self._running,
            self._pending,
            self._events(run_id),
            self._engine.stream,
        )
        own = "" if here is None else str(here)
        arguments = (
            f"{time.time():.6f}",
            worker,
            str(MAX_DELIVERIES),
            run_id,
            call,
            message_id,
            self._engine.group,
            own,
        )
        verdict, delivery = await self._script(scripts.START, keys, arguments)
        return Started(verdict.decode(), int(delivery))

    async def finish(
        self,
        run_id: str,
        delivery: int,
        fields: Mapping[str, str],
        events: Sequence[Mapping[str, Any]] = (),
    ) -> bool:
        """Write the final state, and before it the last events; False if another delivery was first."""
        keys = (
            self._record(run_id),
            self._active,
            self._finished,
            self._running,
            self._pending,
            self._events(run_id),
        )
        flat = [text for pair in fields.items() for text in pair]
        arguments = (
            run_id,
            f"{time.time():.6f}",
            str(delivery),
            str(MAX_EVENTS),
            str(len(flat)),
            *flat,
            *map(json.dumps, events),
        )
        return bool(await self._script(scripts.FINISH, keys, arguments) == b"done")

    async def hand_back(self, run_id: str, delivery: int) -> HandedBack:
        """Let the run wait for another worker, unless somebody wants it cancelled."""
        keys = (self._record(run_id), self._running, self._events(run_id))
        verdict = await self._script(scripts.HAND_BACK, keys, (f"{time.time():.6f}", str(delivery), run_id))
        handed_back: HandedBack = verdict.decode()
        return handed_back

    async def request_cancel(self, run_id: str) -> tuple[str, str]:
        """Note a cancel: ``unknown``, ``ended``, ``cancelled`` (it was waiting) or ``cancelling``.

        Returns:
            The verdict, and the state in which the run was.
        """
        keys = (
            self._record(run_id),
            self._active,
            self._finished,
            self._pending,
            self._events(run_id),
        )
        verdict, state = await self._script(scripts.CANCEL, keys, (run_id, f"{time.time():.6f}"))
        return verdict.decode(), state.decode()

    async def get_field(self, run_id: str, field: str) -> str | None:
        """One field of a record that is not part of what is shown."""
        async with self._engine.redis() as redis:
            value = await redis.hget(self._record(run_id), field)
        return None if value is None else value.decode()

    async def get(self, run_id: str) -> RunRecord | None:
        """One record."""
        async with self._engine.redis() as redis:
            fields = await redis.hgetall(self._record(run_id))
        return RunRecord.of_hash(fields) if fields else None

    async def page(self, cursor: Cursor | None, size: int) -> tuple[list[RunRecord], Cursor | None]:
        """Up to ``size`` records after the cursor, the newest first, and the cursor behind them."""
        start = "-inf" if cursor is None else cursor.score
        found: list[Cursor] = []
        offset = 0
        while len(found) < size:
            flat = await self._script(scripts.PAGE, (self._index,), (start, str(offset), str(size + 1)))
            rows = [
                Cursor(score.decode(), run_id.decode())
                for run_id, score in zip(flat[::2], flat[1::2], strict=True)
            ]
            found += [each for each in rows if cursor is None or each.is_behind(cursor)]
            if len(rows) <= size:
                break
            offset += len(rows)
        found = found[:size]
        async with self._engine.redis() as redis:
            pipeline = redis.pipeline()
            for each in found:
                pipeline.hgetall(self._record(each.run_id))
            records = await pipeline.execute() if found else []
        behind = found[-1] if len(found) == size else None
        return [RunRecord.of_hash(each) for each in records if each], behind

    async def counts(self) -> tuple[int, int]:
        """Runs that have not ended, and those of them that a worker has."""
        async with self._engine.redis() as redis:
            return int(await redis.zcard(self._active)), int(await redis.zcard(self._running))

    async def unwanted(self, tries: Mapping[str, int]) -> dict[str, Literal["cancelled", "overtaken"]]:
        """What nobody wants to go on, by run, of the deliveries that run: and why.

        A cancel was requested and has not been carried out, or a later delivery has the run.
        """
        async with self._engine.redis() as redis:
            pipeline = redis.pipeline()
            for run_id in tries:
                pipeline.hget(self._record(run_id), "delivery")
                pipeline.hget(self._record(run_id), "state")
            found = await pipeline.execute() if tries else []
        unwanted: dict[str, Literal["cancelled", "overtaken"]] = {}
        for (run_id, delivery), (last, state) in zip(
            tries.items(), zip(found[::2], found[1::2], strict=True), strict=True
        ):
            if last is None or int(last) != delivery:
                unwanted[run_id] = "overtaken"
            elif state == b"cancelling":
                unwanted[run_id] = "cancelled"
        return unwanted

    async def add_events(self, events: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Append events to those of their runs, up to ``MAX_EVENTS``; changes of state are always kept.

        Args:
            events: By run; ``EVENTS_AT_ONCE`` of them at most.
        """
        arguments = [str(MAX_EVENTS)]
        for each in events.values():
            arguments += [str(len(each)), *map(json.dumps, each)]
        await self._script(scripts.ADD_EVENTS, [self._events(run_id) for run_id in events], arguments)

    async def events(self, run_id: str, after: int) -> list[dict[str, Any]]:
        """Events from position ``after`` on, counted from 0."""
        async with self._engine.redis() as redis:
            rows = await redis.lrange(self._events(run_id), after, -1)
        return [json.loads(row) for row in rows]

    async def event_count(self, run_id: str) -> int:
        """How many events a run has."""
        async with self._engine.redis() as redis:
            return int(await redis.llen(self._events(run_id)))

    async def forget(self, *, older_than: float, keep: int) -> int:
        """Remove finished runs beyond a time (seconds) and a number; returns how many."""
        async with self._engine.redis() as redis:
            stale = await redis.zrangebyscore(self._finished, 0, time.time() - older_than)
            surplus = await redis.zcard(self._finished) - keep
            excess = await redis.zrange(self._finished, 0, surplus - 1) if surplus > 0 else []
        gone = sorted({each.decode() for each in (*stale, *excess)})
        for run_id in gone:
            keys = (self._record(run_id), self._events(run_id), self._index, self._finished)
            await self._script(scripts.FORGET, keys, (run_id,))
        return len(gone)
