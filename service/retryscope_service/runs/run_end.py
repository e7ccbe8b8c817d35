"""Writing down what a run came to: its record, its events before it, the metrics after it."""

import json
import logging
from collections.abc import Mapping

from retryscope import message_of
from retryscope_service import semconv
from retryscope_service.runs.engine_retry import RunRetry
from retryscope_service.runs.events import RunEvents
from retryscope_service.runs.held import HeldRun
from retryscope_service.runs.message import RunMessage
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.run import WorkflowRun
from retryscope_service.runs.state import STATE_OF
from retryscope_service.runs.store import RunStore
from retryscope_service.runs.verdicts import Started

_log = logging.getLogger("retryscope_service")


class RunEnd:
    """Each way in which a run may end here; the engine is waited for.

    Args:
        store: Where the records are.
        events: Collects what happens inside the runs.
        metrics: Counts.
        engine_retry: How long the engine is waited for.
    """

    def __init__(
        self, store: RunStore, events: RunEvents, metrics: RunMetrics, engine_retry: RunRetry
    ) -> None:
        self._store = store
        self._events = events
        self._metrics = metrics
        self._engine_retry = engine_retry

    async def ended(self, message: RunMessage, here: HeldRun, run: WorkflowRun) -> bool:
        """Write what the run came to; whether no other delivery had overtaken it."""
        try:
            result = run.result()
            state = STATE_OF[result.outcome]
            fields = {
                "state": state,
                "outcome": result.outcome,
                "result": json.dumps(result.members(), allow_nan=False),
            }
            if cleanups := run.cleanups():
                fields["cleanups"] = json.dumps(cleanups)
            if error := run.error_members():
                fields["error"] = json.dumps(error)
        except Exception as error:  # a result that can't be written
            return await self.broken(message, here, error)
        done = await self._finish(message.id, here, fields)
        self._metrics.ended(message.workflow, state, result, in_time=done)
        return done

    async def broken(self, message: RunMessage, here: HeldRun, error: BaseException) -> bool:
        """Write that the run ended in a way that no run should."""
        return await self.failed(message.id, message.workflow, here, error, message_of(error))

    async def failed(self, run_id: str, workflow: str, here: HeldRun, error: BaseException, why: str) -> bool:
        """Write that a run failed, and why; whether no other delivery had overtaken it."""
        members = {"type": type(error).__name__, "message": why}
        fields = {"state": "failed", "outcome": "error", "error": json.dumps(members)}
        done = await self._finish(run_id, here, fields)
        if done:
            self._metrics.reached(workflow, "failed", "error")
        _log.error("run %s failed: %s", run_id, why, extra={semconv.RUN_ID: run_id})
        return done

    async def lost(self, run_id: str, workflow: str, started: Started) -> bool:
        """Write that a run can't be ended by anybody any more."""
        why = (
            "its worker died while the run was being cancelled"
            if started.verdict == "abandoned"
            else f"it was delivered {started.delivery - 1} times and ended its worker each time"
        )
        fields = {"state": "lost", "error": json.dumps({"type": "lost", "message": why})}
        done = await self._engine_retry.call(self._store.finish, run_id, started.delivery, fields)
        if done:
            self._metrics.reached(workflow, "lost")
            _log.error("run %s is lost: %s", run_id, why, extra={semconv.RUN_ID: run_id})
        return done

    async def _finish(self, run_id: str, here: HeldRun, fields: Mapping[str, str]) -> bool:
        """Write how the run ended, as the delivery that it is by then; whether it was not overtaken."""
        if not self._events.can_take(run_id):
            await self._engine_retry.call(self._events.settle, self._store, run_id)
        events = taken = self._events.take(run_id)
        try:
            while True:
                delivery = here.delivery
                if await self._engine_retry.call(self._store.finish, run_id, delivery, fields, events):
                    return True
                if here.delivery == delivery:
                    return False
                events = ()
        finally:
            self._events.stored(taken)

    async def flush(self, run_id: str) -> None:
        """Events before the change of state that they led to."""
        await self._engine_retry.call(self._events.flush, self._store, run_id)
