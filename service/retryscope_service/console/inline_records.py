"""What inline runs were started with and what they answered; of background runs their records say it."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.trace import SpanContext

from retryscope_service.console.run_summary import inline_run_id
from retryscope_service.traces.retention import first_to_go

MAX_KEPT: Final = 500
"""As many runs as traces, by default: what can be looked at can be run again."""
MAX_ANSWER: Final = 16_384
"""Characters of an answer, as JSON; of a longer one the first tasks are kept."""
MAX_MESSAGE: Final = 1000
"""Characters of the error's message in such an answer."""


@dataclass(slots=True)
class _Record:
    """What went into an inline run, and what came out; ``params`` and ``answer`` are JSON."""

    trace_id: int
    workflow: str
    params: str
    answer: str = "{}"


class InlineRecords:
    """The records of the last inline runs, by the ids that the summaries give them.

    Args:
        has_trace: Whether a trace is kept: the records of its runs stay as long, within ``MAX_KEPT``.
    """

    def __init__(self, has_trace: Callable[[int], bool] = lambda _: False) -> None:
        self._has_trace = has_trace
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def started(self, span: SpanContext, workflow: str, params: str) -> None:
        """A run has started with these parameters, which are JSON; one that is not traced has no summary."""
        if not span.trace_flags.sampled:
            return
        self._records[inline_run_id(span)] = _Record(span.trace_id, workflow, params)
        if len(self._records) > MAX_KEPT:
            del self._records[first_to_go(self._records, lambda each: each.trace_id, self._has_trace)]

    def answered(self, run_id: str, result: Mapping[str, Any], error: Mapping[str, str] | None) -> None:
        """A run has ended with this result, and failed because of the error."""
        record = self._records.get(run_id)
        if record is not None:
            record.answer = _bounded(result, error)

    def get(self, run_id: str) -> dict[str, Any] | None:
        """The record as JSON, or None if it is not known (any more).

        It has ``workflow`` and ``params``; once the run has answered also ``result``, and ``error`` if it
        failed. ``total_tasks`` says how many tasks the result had if it has fewer now.
        """
        record = self._records.get(run_id)
        if record is None:
            return None
        started = {"workflow": record.workflow, "params": json.loads(record.params)}
        return {**started, **json.loads(record.answer)}


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
