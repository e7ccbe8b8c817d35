"""What inline runs were started with and what they answered; of background runs their records say it."""

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor

from instrumentation import semconv
from service.console.retention import first_to_go
from service.console.run_summary import inline_run_id
from service.console.span_json import kind_of

MAX_KEPT: Final = 500
"""As many runs as traces, by default: what can be looked at can be run again."""
MAX_ANSWER: Final = 16_384
"""Characters of an answer, as JSON; of a longer one the first tasks are kept."""
MAX_MESSAGE: Final = 1000
"""Characters of the error's message in such an answer."""


class InlineRecord:
    """What went into an inline run, and what came out.

    Args:
        params: Its parameters, as JSON.
    """

    __slots__ = ("_answer", "_params", "trace_id", "workflow")

    def __init__(self, params: str) -> None:
        self._params = params
        self._answer = "{}"
        self.trace_id = 0
        self.workflow = semconv.OTHER

    def answered(self, result: Mapping[str, Any], error: Mapping[str, str] | None) -> None:
        """It has ended with this result, and failed because of the error."""
        self._answer = _bounded(result, error)

    def as_json(self) -> dict[str, Any]:
        """``workflow`` and ``params``; once it has answered also ``result``, and ``error`` if it failed.

        ``total_tasks`` says how many tasks the result had if it has fewer now.
        """
        return {"workflow": self.workflow, "params": json.loads(self._params), **json.loads(self._answer)}


_asked: ContextVar[InlineRecord | None] = ContextVar("asked", default=None)


@contextmanager
def asked_for(params: str) -> Iterator[InlineRecord]:
    """The first workflow that starts inside, or in a task of it, has these parameters, which are JSON."""
    record = InlineRecord(params)
    token = _asked.set(record)
    try:
        yield record
    finally:
        _asked.reset(token)


class InlineRecords(SpanProcessor):
    """The records of the last inline runs, by the ids that the summaries give them. Thread-safe.

    Args:
        has_trace: Whether a trace is kept: the records of its runs stay as long, within ``MAX_KEPT``.
    """

    def __init__(self, has_trace: Callable[[int], bool] = lambda _: False) -> None:
        self._has_trace = has_trace
        self._records: OrderedDict[str, InlineRecord] = OrderedDict()
        self._lock = Lock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Keep what a workflow was started with."""
        record = _asked.get()
        if record is None or kind_of(span) != semconv.SPAN_WORKFLOW:
            return
        _asked.set(None)  # for this run's task: what runs inside was given something else
        context = span.get_span_context()
        record.trace_id = context.trace_id
        record.workflow = str((span.attributes or {}).get(semconv.WORKFLOW, semconv.OTHER))
        with self._lock:
            self._records[inline_run_id(context)] = record
            if len(self._records) > MAX_KEPT:
                del self._records[first_to_go(self._records, lambda each: each.trace_id, self._has_trace)]

    def get(self, run_id: str) -> dict[str, Any] | None:
        """The record as JSON, or None if it is not known (any more)."""
        with self._lock:
            record = self._records.get(run_id)
        return None if record is None else record.as_json()


def _bounded(result: Mapping[str, Any], error: Mapping[str, str] | None) -> str:
    """The answer as JSON; if it is too long, with as many of the first tasks as fit."""
    answer: dict[str, Any] = {"result": result}
    if error is not None:
        answer["error"] = error
    text = json.dumps(answer)
    if len(text) <= MAX_ANSWER:
        return text
    if error is not None:
        message = error["message"]
        cut = message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"
        answer["error"] = {**error, "message": cut}
    tasks = result["tasks"]
    kept: list[Any] = []
    answer["result"] = {**result, "tasks": kept}
    room = MAX_ANSWER - len(json.dumps({**answer, "total_tasks": len(tasks)}))
    for task in tasks:
        room -= len(json.dumps(task)) + len(", ")
        if room < 0:
            break
        kept.append(task)
    if len(kept) < len(tasks):
        answer["total_tasks"] = len(tasks)
    return json.dumps(answer)
