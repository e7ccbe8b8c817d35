"""Running what the engine delivers."""

import asyncio
import logging
import time
import uuid

from opentelemetry.context import attach, detach
from opentelemetry.trace import SpanContext, TraceFlags

from retryscope import message_of, request_cancel, semconv
from retryscope.propagation import extract
from retryscope_service import semconv as service_semconv
from retryscope_service.operations.operations import Operations
from retryscope_service.runs.cancels import despite_cancels, to_the_end
from retryscope_service.runs.engine import Delivery, Engine, EngineError, Intake
from retryscope_service.runs.engine_retry import RunRetry
from retryscope_service.runs.events import RunEvents, current_run
from retryscope_service.runs.held import HeldRun
from retryscope_service.runs.message import RunMessage
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.run import WorkflowRun
from retryscope_service.runs.run_end import RunEnd
from retryscope_service.runs.store import RunStore
from retryscope_service.runs.verdicts import Started
from retryscope_service.workflows import WORKFLOWS

_log = logging.getLogger("retryscope_service")


class RunWorker:
    """Runs deliveries, writes their results, and gives them back or cancels them at a shutdown.

    Args:
        name: Shown in the records of its runs.
        engine: Where the deliveries come from.
        store: Where the records are.
        events: Collects what happens inside the runs.
        metrics: Counts.
        operations: What the runs can call; by default only what is simulated.
    """

    def __init__(
        self,
        name: str,
        engine: Engine,
        store: RunStore,
        events: RunEvents,
        metrics: RunMetrics,
        operations: Operations | None = None,
    ) -> None:
        self.name = name
        self._operations = operations or Operations()
        self._engine = engine
        self._store = store
        self._metrics = metrics
        self._here: dict[str, HeldRun] = {}
        self._engine_retry = RunRetry()
        self._end = RunEnd(store, events, metrics, self._engine_retry)
        self._shutting_down = False

    @property
    def in_flight(self) -> int:
        """Runs of this worker that have started and not ended."""
        return len(self._here)

    async def handle(self, delivery: Delivery) -> bool:
        """Run one delivery; the engine calls this, and cancels it when somebody cancels the run.

        Returns:
            Whether the run is over. Otherwise the message stays with the engine, for somebody else.
        """
        if self._shutting_down:  # it came too late to be drained
            return False
        here = self._here.get(delivery.run_id)
        if here is not None and here.given_up:  # its end is no end of the run, which comes again
            await here.ended.wait()
            return False
        if here is not None:
            return await self._join(here, delivery)
        task = asyncio.current_task()
        assert task is not None
        here = self._here[delivery.run_id] = HeldRun(task)
        try:
            here.over = await self._deliver_or_leave(delivery, here)
            return here.over
        finally:
            del self._here[delivery.run_id]
            here.ended.set()

    async def drain(self, limit: float, intake: Intake) -> None:
        """Wait up to ``limit`` seconds for what runs, then cancel it: a shared engine gets it back.

        If that can't be reached, it finds out by itself that this worker has gone.
        """
        intake.pause()
        if self._here:
            await asyncio.wait([here.task for here in self._here.values()], timeout=limit)
        self._shutting_down = True
        intake.stop()
        self._engine_retry.end()
        running = {here.task for here in self._here.values()}
        for task in running:
            request_cancel(task, "shutdown")
        if running:
            await asyncio.wait(running)

    async def carry_out_cancels(self) -> None:
        """Cancel the runs here whose cancel was requested while the message about it was lost.

        Also those that another worker has by now, because this one could not be heard: it would only do once
        more what somebody else does, and nobody could cancel it once that one has ended.
        """
        asked = {run_id: here.delivery for run_id, here in self._here.items() if here.delivery}
        for run_id, why in (await self._store.unwanted(asked)).items():
            here = self._here.get(run_id)
            # A delivery may have joined it meanwhile, or be about to.
            if here is None or here.delivery != asked[run_id] or here.starting.locked():
                continue
            if here.task.cancelling():  # it was told already
                continue
            if why == "cancelled":
                request_cancel(here.task, "request")
            else:
                here.given_up = True
                here.task.cancel("another worker has the run")

    async def _deliver_or_leave(self, delivery: Delivery, here: HeldRun) -> bool:
        try:
            return await self._deliver(delivery, here)
        except (EngineError, OSError) as error:
            if not self._shutting_down:
                raise
            _log.warning(
                "run %s is left to another worker: the engine can't be told what became of it (%s)",
                delivery.run_id,
                error,
                extra={service_semconv.RUN_ID: delivery.run_id},
            )
            return False

    async def _deliver(self, delivery: Delivery, here: HeldRun) -> bool:
        try:
            message = RunMessage.model_validate_json(delivery.text)
        except ValueError as error:  # submitted to another version of the service
            return await self._refuse(delivery, here, error)
        (started, first_try), cancel = await despite_cancels(self._begin(delivery, here))
        if started.verdict in ("abandoned", "lost"):
            return await to_the_end(self._end.lost(message.id, message.workflow, started))
        if started.verdict != "run":
            return started.verdict == "ended"
        if cancel is not None:  # meant for the run, which has to write down what became of it
            here.task.cancel(*cancel.args)
        self._metrics.started(message, started.delivery)
        try:
            return await self._run(message, here, first_try)
        finally:
            self._metrics.left(message.workflow)

    async def _join(self, here: HeldRun, delivery: Delivery) -> bool:
        """A delivery of what runs here: it becomes that run's, and is over when that is."""
        started, cancel = await despite_cancels(self._start(delivery, here))
        if started.verdict in ("ended", "overtaken"):
            return started.verdict == "ended"
        workflow = await self._engine_retry.call(self._store.get_field, delivery.run_id, "workflow") or ""
        if started.verdict in ("abandoned", "lost"):
            here.task.cancel()
            return await to_the_end(self._end.lost(delivery.run_id, workflow, started))
        self._metrics.joined(workflow)
        if cancel is not None:
            here.task.cancel()
        while not here.ended.is_set():
            try:
                await here.ended.wait()
            except asyncio.CancelledError:
                here.task.cancel()
        return here.over

    async def _start(self, delivery: Delivery, here: HeldRun) -> Started:
        async with here.starting:
            started = await self._engine_retry.call(
                self._store.start,
                delivery.run_id,
                self.name,
                uuid.uuid4().hex,
                delivery.message_id,
                here.delivery or None,
            )
            if started.verdict == "run":
                here.delivery = started.delivery
            return started

    async def _begin(self, delivery: Delivery, here: HeldRun) -> tuple[Started, SpanContext | None]:
        started = await self._start(delivery, here)
        again = started.verdict == "run" and started.delivery > 1
        return started, await self._first_try(delivery.run_id) if again else None

    async def _run(self, message: RunMessage, here: HeldRun, first_try: SpanContext | None) -> bool:
        """Run it, whatever it raises, and write down what it came to."""
        try:
            definition = WORKFLOWS[message.workflow]
            run = WorkflowRun(
                definition,
                definition.params.model_validate({**message.params, "seed": message.seed}),
                self._operations,
                run_id=message.id,
                attributes={
                    service_semconv.RUN_DELIVERY: here.delivery,
                    service_semconv.RUN_QUEUE_WAIT: round(time.time() - message.submitted_at, 6),
                },
                redelivery_of=first_try,
            )
            context = extract(message.traceparent)
        except Exception as error:  # submitted to another version of the service, perhaps
            why = f"this version of the service can't run it: {message_of(error)}"
            return await to_the_end(self._end.failed(message.id, message.workflow, here, error, why))
        attached = attach(context)
        token = current_run.set(message.id)
        try:
            await run.execute()
        except asyncio.CancelledError:
            return await to_the_end(self._cancelled(message, here, run))
        except BaseException as error:  # not even SystemExit of a run may end its worker
            return await to_the_end(self._end.broken(message, here, error))
        finally:
            current_run.reset(token)
            detach(attached)
        return await to_the_end(self._end.ended(message, here, run))

    async def _cancelled(self, message: RunMessage, here: HeldRun, run: WorkflowRun) -> bool:
        if self._shutting_down and self._engine.shared:
            await self._end.flush(message.id)
            handed_back = await self._engine_retry.call(self._store.hand_back, message.id, here.delivery)
            if handed_back == "done":
                self._metrics.reached(message.workflow, "queued")
            if handed_back != "cancelling":
                return False
        return await self._end.ended(message, here, run)

    async def _refuse(self, delivery: Delivery, here: HeldRun, error: Exception) -> bool:
        """End a run whose message can't be read."""
        started = await to_the_end(self._start(delivery, here))
        if started.verdict != "run":
            return started.verdict == "ended"
        workflow = await self._engine_retry.call(self._store.get_field, delivery.run_id, "workflow") or ""
        why = f"this version of the service can't read its message: {message_of(error)}"
        return await to_the_end(self._end.failed(delivery.run_id, workflow, here, error, why))

    async def _first_try(self, run_id: str) -> SpanContext | None:
        for event in await self._engine_retry.call(self._store.events, run_id, 0):
            if event["event"] == semconv.SPAN_WORKFLOW:
                return SpanContext(
                    int(event["trace_id"], 16),
                    int(event["span_id"], 16),
                    True,
                    TraceFlags(TraceFlags.SAMPLED),
                )
        return None
