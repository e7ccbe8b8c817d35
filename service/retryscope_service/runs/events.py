"""What happens inside a background run, as events: made from its spans where it runs."""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from retryscope import semconv
from retryscope_service.runs.engine import EngineError
from retryscope_service.runs.store import EVENTS_AT_ONCE, RunStore

current_run: ContextVar[str | None] = ContextVar("current_run", default=None)
"""Id of the background run that this code belongs to."""

FLUSH_SECONDS: Final = 0.05
MAX_WAITING: Final = 50_000
"""Events that wait for the engine at most, of all runs; more are dropped while it can't be reached."""

_log = logging.getLogger("retryscope_service")

_SHOWN: Final = {
    semconv.OPERATION: "operation",
    semconv.TASK_NAME: "task",
    semconv.ATTEMPT_NUMBER: "attempt",
    semconv.RETRY_DELAY: "delay",
    semconv.TIMEOUT_LIMIT: "limit",
    semconv.CLEANUP_DEADLINE: "deadline",
    semconv.OUTCOME: "outcome",
    semconv.CLEANUP_OUTCOME: "outcome",
    semconv.ERROR_TYPE: "error_type",
    semconv.CANCEL_CAUSE: "cause",
    semconv.CANCEL_REASON: "reason",
    semconv.CANCEL_TASK: "by_task",
    semconv.CANCEL_LOCATION: "by_code",
}
_MARKS: Final = {
    semconv.EVENT_ATTEMPT: semconv.SPAN_ATTEMPT,
    semconv.EVENT_TIMEOUT: "timed_out",
    semconv.EVENT_CANCEL_REQUESTED: "cancel_requested",
}
_KINDS: Final = frozenset(
    {
        semconv.SPAN_WORKFLOW,
        semconv.SPAN_TASK,
        semconv.SPAN_RETRY,
        semconv.SPAN_ATTEMPT,
        semconv.SPAN_BACKOFF,
        semconv.SPAN_TIMEOUT,
        semconv.SPAN_CLEANUP,
    }
)

_Batch = dict[str, list[Mapping[str, Any]]]


class RunEvents(SpanProcessor):
    """Collects the events of this process's runs and appends them to the store in the background."""

    def __init__(self) -> None:
        self._runs: dict[int, str] = {}
        self._waiting: dict[str, list[Mapping[str, Any]]] = {}
        self._count = 0
        self._flushing = asyncio.Lock()
        self._under_way: set[str] = set()
        self.dropped = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A span of a run has started."""
        run_id = current_run.get()
        if run_id is not None and _kind(span) in _KINDS:
            self._runs[span.get_span_context().span_id] = run_id
            self._add_span(run_id, span, "started")

    def on_end(self, span: ReadableSpan) -> None:
        """A span of a run has ended."""
        assert span.context is not None
        run_id = self._runs.pop(span.context.span_id, None)
        if run_id is None:
            return
        for event in span.events:
            if event.name in _MARKS:
                around = {} if event.name == semconv.EVENT_ATTEMPT else span.attributes or {}
                shown = _shown({**around, **(event.attributes or {})})
                self._add(run_id, {"event": _MARKS[event.name], "time": event.timestamp / 1e9, **shown})
        self._add_span(run_id, span, "ended")

    def _add_span(self, run_id: str, span: ReadableSpan, phase: str) -> None:
        assert span.context is not None
        event = {
            "event": _kind(span),
            "phase": phase,
            "time": time.time(),
            "span_id": f"{span.context.span_id:016x}",
            "trace_id": f"{span.context.trace_id:032x}",
            **_shown(span.attributes or {}),
        }
        self._add(run_id, event)

    def _add(self, run_id: str, event: dict[str, Any]) -> None:
        if self._count >= MAX_WAITING:
            self.dropped += 1
            return
        event["time"] = round(event["time"], 6)
        self._waiting.setdefault(run_id, []).append(event)
        self._count += 1

    async def flush(self, store: RunStore, run_id: str | None = None) -> None:
        """Append what waits, of one run or of all, to the store."""
        async with self._flushing:
            await self._append(store, self._batches(list(self._waiting) if run_id is None else [run_id]))

    def can_take(self, run_id: str) -> bool:
        """Whether nothing of the run is on its way to the store, and what waits is little enough."""
        return run_id not in self._under_way and len(self._waiting.get(run_id, ())) <= EVENTS_AT_ONCE

    async def settle(self, store: RunStore, run_id: str) -> None:
        """Wait for what is on its way; append what is too much: then the rest of the run can be taken."""
        async with self._flushing:
            await self._append(store, self._batches([run_id])[:-1])

    def take(self, run_id: str) -> Sequence[Mapping[str, Any]]:
        """What still waits of a run that has ended: whoever stores its end stores this with it.

        Until :meth:`stored` it counts as waiting.
        """
        return self._waiting.pop(run_id, ())

    def stored(self, events: Sequence[Mapping[str, Any]]) -> None:
        """What was taken waits no longer."""
        self._count -= len(events)

    async def _append(self, store: RunStore, batches: Sequence[_Batch]) -> None:
        self._under_way = {run_id for batch in batches for run_id in batch}
        try:
            for batch in batches:
                await store.add_events(batch)
                for run_id, taken in batch.items():
                    events = self._waiting[run_id]
                    del events[: len(taken)]
                    self._count -= len(taken)
                    if not events:
                        del self._waiting[run_id]
        finally:
            self._under_way = set()

    def _batches(self, run_ids: Iterable[str]) -> list[_Batch]:
        """What waits of these runs now, in parts that the store takes at once."""
        batches: list[_Batch] = []
        room = 0
        for run_id in run_ids:
            events = self._waiting.get(run_id, [])
            start = 0
            while start < len(events):
                if room == 0:
                    batches.append({})
                    room = EVENTS_AT_ONCE
                part = batches[-1][run_id] = events[start : start + room]
                start += len(part)
                room -= len(part)
        return batches

    async def keep_flushing(self, store: RunStore) -> None:
        """Flush again and again, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            with suppress(EngineError, OSError):  # what can't be stored now waits for the next time
                await self.flush(store)


def _shown(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {_SHOWN[key]: value for key, value in attributes.items() if key in _SHOWN}


def _kind(span: ReadableSpan) -> str:
    return span.name.partition(" ")[0]
