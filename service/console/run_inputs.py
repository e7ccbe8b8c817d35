"""With which parameters inline runs were started; those of background runs are in their records."""

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor

from instrumentation import semconv
from service.console.run_summary import inline_run_id
from service.console.span_json import kind_of

MAX_KEPT: Final = 500
"""As many runs as traces, by default: what can be looked at can be run again."""

_given: ContextVar[str | None] = ContextVar("given", default=None)


@contextmanager
def started_with(params: str) -> Iterator[None]:
    """The first workflow that starts inside, or in a task of it, has these parameters, which are JSON."""
    token = _given.set(params)
    try:
        yield
    finally:
        _given.reset(token)


@dataclass(frozen=True, slots=True)
class _Input:
    trace_id: int
    workflow: str
    params: str


class RunInputs(SpanProcessor):
    """The inputs of the last inline runs, by the ids that the summaries give them. Thread-safe.

    Args:
        has_trace: Whether a trace is kept: the inputs of its runs stay as long, within ``MAX_KEPT``.
    """

    def __init__(self, has_trace: Callable[[int], bool] = lambda _: False) -> None:
        self._has_trace = has_trace
        self._inputs: OrderedDict[str, _Input] = OrderedDict()
        self._lock = Lock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Keep what a workflow was started with."""
        params = _given.get()
        if params is None or kind_of(span) != semconv.SPAN_WORKFLOW:
            return
        _given.set(None)  # for this run's task: what runs inside was given something else
        workflow = str((span.attributes or {}).get(semconv.WORKFLOW, semconv.OTHER))
        with self._lock:
            context = span.get_span_context()
            self._inputs[inline_run_id(context)] = _Input(context.trace_id, workflow, params)
            if len(self._inputs) > MAX_KEPT:
                gone = (each for each, known in self._inputs.items() if not self._has_trace(known.trace_id))
                del self._inputs[next(gone, next(iter(self._inputs)))]

    def get(self, run_id: str) -> dict[str, Any] | None:
        """``workflow`` and ``params`` as JSON, or None if they are not known (any more)."""
        with self._lock:
            known = self._inputs.get(run_id)
        return None if known is None else {"workflow": known.workflow, "params": json.loads(known.params)}
