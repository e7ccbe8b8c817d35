"""Running what the engine delivers."""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Awaitable
from typing import Any, TypeVar

from opentelemetry.context import attach, detach
from opentelemetry.trace import SpanContext, TraceFlags

from instrumentation import request_cancel, semconv
from instrumentation.propagation import extract
from service.runs.engine import Engine, EngineError, Intake
from service.runs.events import RunEvents, current_run
from service.runs.message import RunMessage
from service.runs.metrics import RunMetrics
from service.runs.patience import RunPatience
from service.runs.run import WorkflowRun
from service.runs.store import RunStore, Started
from service.workflows import WORKFLOWS

T = TypeVar("T")

_log = logging.getLogger("service")

_STATES = {"success": "succeeded", "cancelled": "cancelled"}


class RunWorker:
    """Runs deliveries, writes their results, and gives them back or cancels them at a shutdown.

    Args:
        name: Shown in the records of its runs.
        engine: Where the deliveries come from.
        store: Where the records are.
        events: Collects what happens inside the runs.
        metrics: Counts.
    """

    def __init__(
        self, name: str, engine: Engine, store: RunStore, events: RunEvents, metrics: RunMetrics
    ) -> None:
        self.name = name
        self._engine = engine
        self._store = store
        self._events = events
        self._metrics = metrics
        self._tasks: dict[asyncio.Task[Any], str] = {}
        self._patience = RunPatience()
        self._shutting_down = False

    @property
    def in_flight(self) -> int:
        """Runs of this worker that have started and not ended."""
        return len(self._tasks)

    async def handle(self, text: str) -> None:
        """Run one delivery; the engine calls this, and cancels it when somebody cancels the run."""
        message = RunMessage.model_validate_json(text)
        if self._shutting_down:  # it came too late to be drained
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = message.id
        try:
            await self._deliver_or_leave(message, task)
        finally:
            del self._tasks[task]

    async def drain(self, limit: float, intake: Intake) -> None:
        """Wait up to ``limit`` seconds for what runs, then cancel it: a shared engine gets it back.

        If that can't be reached, it finds out by itself that this worker has gone.
        """
        intake.pause()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=limit)
        self._shutting_down = True
        intake.stop()
        self._patience.end()
        running = set(self._tasks)
        for task in running:
            request_cancel(task, "shutdown")
        if running:
            await asyncio.wait(running)

    async def carry_out_cancels(self) -> None:
        """Cancel the runs here whose cancel was requested while the message about it was lost."""
        wanted = set(await self._store.to_cancel(list(self._tasks.values())))
        for task, run_id in list(self._tasks.items()):
            if run_id in wanted and not task.cancelling():
                request_cancel(task, "request")

    async def _deliver_or_leave(self, message: RunMessage, task: asyncio.Task[Any]) -> None:
        try:
            await self._deliver(message, task)
        except (EngineError, OSError) as error:
            if not self._shutting_down:
                raise
            _log.warning(
                "run %s is left to another worker: the engine can't be told what became of it (%s)",
                message.id,
                error,
                extra={semconv.RUN_ID: message.id},
            )
            raise asyncio.CancelledError from error

    async def _deliver(self, message: RunMessage, task: asyncio.Task[Any]) -> None:
        (started, first_try), cancel = await _despite_cancels(self._start(message))
        if started.verdict != "run":
            if started.verdict != "ended":
                await _to_the_end(self._mark_lost(message, started))
            if cancel is not None:
                raise cancel
            return
        if cancel is not None:  # meant for the run, which has to write down what became of it
            task.cancel(*cancel.args)
        self._metrics.started(message, started.delivery)
        try:
            await self._run(message, started.delivery, first_try)
        finally:
            self._metrics.left(message.workflow)

    async def _start(self, message: RunMessage) -> tuple[Started, SpanContext | None]:
        started = await self._patience.call(self._store.start, message.id, self.name, uuid.uuid4().hex)
        again = started.verdict == "run" and started.delivery > 1
        return started, await self._first_try(message.id) if again else None

    async def _run(self, message: RunMessage, delivery: int, first_try: SpanContext | None) -> None:
        try:
            definition = WORKFLOWS[message.workflow]
            params = definition.params.model_validate(message.params)
        except (KeyError, ValueError) as error:  # submitted to another version of the service
            await _to_the_end(self._mark_refused(message, delivery, error))
            return
        run = WorkflowRun(
            definition,
            params,
            message.seed,
            attributes={
                semconv.RUN_ID: message.id,
                semconv.RUN_DELIVERY: delivery,
                semconv.RUN_QUEUE_WAIT: round(time.time() - message.submitted_at, 6),
            },
            redelivery_of=first_try,
        )
        context = attach(extract(message.traceparent))
        token = current_run.set(message.id)
        try:
            await run.execute()
        except asyncio.CancelledError:
            await _to_the_end(self._cancelled(message, delivery, run))
            raise
        finally:
            current_run.reset(token)
            detach(context)
        await _to_the_end(self._ended(message, delivery, run))

    async def _cancelled(self, message: RunMessage, delivery: int, run: WorkflowRun) -> None:
        if self._shutting_down and self._engine.shared:
            await self._flush(message.id)
            handed_back = await self._patience.call(self._store.hand_back, message.id, delivery)
            if handed_back == "done":
                self._metrics.reached(message.workflow, "queued")
            if handed_back != "cancelling":
                return
        await self._ended(message, delivery, run)

    async def _ended(self, message: RunMessage, delivery: int, run: WorkflowRun) -> None:
        result = run.result()
        state = _STATES.get(result.outcome, "failed")
        fields = {
            "state": state,
            "outcome": result.outcome,
            "result": json.dumps(result.members()),
        }
        if cleanups := run.cleanups():
            fields["cleanups"] = json.dumps(cleanups)
        if error := run.error_members():
            fields["error"] = json.dumps(error)
        await self._flush(message.id)
        done = await self._patience.call(self._store.finish, message.id, delivery, fields)
        self._metrics.ended(message.workflow, state, result, in_time=done)

    async def _mark_lost(self, message: RunMessage, started: Started) -> None:
        why = (
            "its worker died while the run was being cancelled"
            if started.verdict == "abandoned"
            else f"it was delivered {started.delivery - 1} times and ended its worker each time"
        )
        error = {"type": "lost", "message": why}
        fields = {"state": "lost", "error": json.dumps(error)}
        if await self._patience.call(self._store.finish, message.id, started.delivery, fields):
            self._metrics.reached(message.workflow, "lost")
        _log.error("run %s is lost: %s", message.id, why, extra={semconv.RUN_ID: message.id})

    async def _mark_refused(self, message: RunMessage, delivery: int, error: Exception) -> None:
        why = {"type": type(error).__name__, "message": f"this version of the service can't run it: {error}"}
        fields = {"state": "failed", "outcome": "error", "error": json.dumps(why)}
        if await self._patience.call(self._store.finish, message.id, delivery, fields):
            self._metrics.reached(message.workflow, "failed", "error")
        _log.error("run %s: %s", message.id, why["message"], extra={semconv.RUN_ID: message.id})

    async def _flush(self, run_id: str) -> None:
        """Events before the change of state that they led to."""
        await self._patience.call(self._events.flush, self._store, run_id)

    async def _first_try(self, run_id: str) -> SpanContext | None:
        for event in await self._patience.call(self._store.events, run_id, 0):
            if event["event"] == semconv.SPAN_WORKFLOW:
                return SpanContext(
                    int(event["trace_id"], 16),
                    int(event["span_id"], 16),
                    True,
                    TraceFlags(TraceFlags.SAMPLED),
                )
        return None


async def _to_the_end(coroutine: Awaitable[T]) -> T:
    """Await to the end even if cancels arrive: what a run came to must be written down."""
    result, cancel = await _despite_cancels(coroutine)
    if cancel is not None:
        raise cancel
    return result


async def _despite_cancels(coroutine: Awaitable[T]) -> tuple[T, asyncio.CancelledError | None]:
    """Await to the end; returns also the first cancel that arrived meanwhile."""
    task = asyncio.ensure_future(coroutine)
    cancel: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as arrived:
            cancel = cancel or arrived
    return task.result(), cancel
