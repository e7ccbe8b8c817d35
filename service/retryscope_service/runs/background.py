"""Background runs as a client sees them: submit, read, follow, cancel."""

import json
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any, Final

from opentelemetry.trace import get_current_span

from retryscope.propagation import inject
from retryscope_service import semconv
from retryscope_service.runs.cursor import Cursor
from retryscope_service.runs.engine import Engine
from retryscope_service.runs.engine_retry import for_client
from retryscope_service.runs.feed import EventFeed
from retryscope_service.runs.filter import Filter
from retryscope_service.runs.inline import TooManyRunsError
from retryscope_service.runs.message import RunMessage
from retryscope_service.runs.metrics import RunMetrics
from retryscope_service.runs.record import RunRecord
from retryscope_service.runs.store import RunStore
from retryscope_service.workflows.definition import WorkflowDefinition, WorkflowParams

SCAN_LIMIT: Final = 2_000
"""Records that one listing looks at to find those that a filter wants."""
RECONCILE_AFTER: Final = 5.0
"""Seconds after which a stored run that the engine has not got is handed to it again."""
RECONCILE_AT_ONCE: Final = 500
"""Runs that are compared with what the engine holds at a time, in one script."""

_log = logging.getLogger("retryscope_service")


class IdempotencyConflictError(Exception):
    """The idempotency key was used with another body."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"the key belongs to run {run_id}, which was submitted with another body")
        self.run_id = run_id


class BackgroundRuns:
    """The background runs of an engine.

    Args:
        engine: What delivers them.
        store: Where their records are.
        metrics: Counts.
        limit: Most runs queued and running at a time.
        retention: Seconds for which idempotency keys are remembered.
    """

    def __init__(
        self, engine: Engine, store: RunStore, metrics: RunMetrics, *, limit: int, retention: float
    ) -> None:
        self._engine = engine
        self._store = store
        self._metrics = metrics
        self._limit = limit
        self._retention = retention
        self._feed = EventFeed(store)
        self._reconciled = 0

    def warnings(self) -> Sequence[str]:
        """What is wrong with the engine though it works."""
        return self._engine.warnings

    async def submit(
        self, definition: WorkflowDefinition[Any], params: WorkflowParams, idempotency_key: str | None
    ) -> tuple[str, bool]:
        """Store a run and hand it to the engine.

        Returns:
            The run's id, and whether it is new: the same key and body before give the same run.

        Raises:
            IdempotencyConflictError: The key was used with another body.
            TooManyRunsError: Too many runs are active; nothing was stored.
            EngineError: The engine can't be reached.
        """
        run_id = str(uuid.uuid4())
        given = params.model_dump(mode="json")
        seed = params.seed_or_drawn()
        now = round(time.time(), 6)
        message = RunMessage(
            id=run_id,
            workflow=definition.name,
            params=given,
            seed=seed,
            submitted_at=now,
            traceparent=inject(),
        ).model_dump_json()
        span = get_current_span().get_span_context()
        submitted = await for_client(
            self._store.submit,
            run_id,
            {
                "id": run_id,
                "workflow": definition.name,
                "params": json.dumps({**given, "seed": seed}),
                "state": "queued",
                "submitted_at": f"{now:.6f}",
                "trace_id": f"{span.trace_id:032x}" if span.is_valid else "",
                "message": message,
            },
            limit=self._limit,
            idempotency_key=idempotency_key,
            body=f"{definition.name} {json.dumps(given, sort_keys=True)}",
            retention=self._retention,
        )
        if submitted.verdict == "full":
            raise TooManyRunsError(self._limit)
        if submitted.verdict == "conflict":
            raise IdempotencyConflictError(submitted.run_id)
        if submitted.verdict == "new":
            self._metrics.reached(definition.name, "queued")
            await for_client(self._engine.enqueue, run_id, message)
        return submitted.run_id, submitted.verdict == "new"

    async def reconcile(self) -> None:
        """Hand runs to the engine that it does not hold: nobody could, or their message got lost.

        Each call looks at some of the active runs, and the next one goes on behind them.
        """
        looked, missing = await self._store.reconcile(self._reconciled, RECONCILE_AT_ONCE)
        self._reconciled = self._reconciled + looked if looked == RECONCILE_AT_ONCE else 0
        for run_id, workflow in missing:
            self._metrics.reconciled(workflow)
            extra = {semconv.RUN_ID: run_id}
            _log.warning(
                "run %s has not ended, but the engine lost it: handed over again", run_id, extra=extra
            )
        start: int | None = 0
        while start is not None:
            unheld, start = await self._store.unheld(RECONCILE_AFTER, start, RECONCILE_AT_ONCE)
            for run_id, message in unheld:
                await for_client(self._engine.enqueue, run_id, message)

    async def get(self, run_id: str) -> RunRecord | None:
        """One run."""
        return await for_client(self._store.get, run_id)

    async def list(
        self, wanted: Filter, cursor: Cursor | None, limit: int
    ) -> tuple[list[RunRecord], Cursor | None]:
        """Runs, the newest first, and where to go on; a page may be short and still not be the last."""
        found: list[RunRecord] = []
        looked = 0
        if cursor is None and wanted.until is not None:
            cursor = _cursor_of(wanted.until, "")
        while looked < SCAN_LIMIT:
            page, behind = await for_client(self._store.page, cursor, limit)
            for record in page:
                looked += 1
                cursor = _cursor_of(record.submitted_at, record.id)
                if wanted.since is not None and record.submitted_at < wanted.since:
                    return found, None
                if wanted.takes(record):
                    found.append(record)
                    if len(found) == limit:
                        return found, cursor
            if behind is None:
                return found, None
            cursor = behind
        return found, cursor

    async def cancel(self, run_id: str) -> tuple[str, str]:
        """Ask for a run to be cancelled, wherever it runs.

        Returns:
            ``unknown``, ``ended``, ``cancelled`` (it was still waiting) or ``cancelling``; and the state
            in which it was.
        """
        verdict, state = await for_client(self._store.request_cancel, run_id)
        if verdict == "cancelling":
            await for_client(self._engine.cancel, run_id)
        if verdict == "cancelled":
            await for_client(self._engine.take_back, run_id)
            record = await self.get(run_id)
            if record is not None:
                self._metrics.reached(record.workflow, "cancelled", "cancelled")
        return verdict, state

    async def event_count(self, run_id: str) -> int:
        """How many events a run has so far."""
        return await for_client(self._store.event_count, run_id)

    def follow(
        self, run_id: str, after: int, heartbeat: float
    ) -> AsyncGenerator[tuple[int, dict[str, Any]] | None]:
        """The events of a run; see :meth:`EventFeed.follow`."""
        return self._feed.follow(run_id, after, heartbeat)


def _cursor_of(submitted_at: datetime, run_id: str) -> Cursor:
    return Cursor(f"-{max(0.0, submitted_at.timestamp()):.6f}", run_id)
