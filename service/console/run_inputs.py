"""With which parameters inline runs were started; those of background runs are in their records."""

import json
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
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


class RunInputs(SpanProcessor):
    """The inputs of the last inline runs, by the ids that the summaries give them. Thread-safe."""

    def __init__(self) -> None:
        self._inputs: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._lock = Lock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Keep what a workflow was started with."""
        params = _given.get()
        if params is None or kind_of(span) != semconv.SPAN_WORKFLOW:
            return
        _given.set(None)  # for this run's task: what runs inside was given something else
        workflow = str((span.attributes or {}).get(semconv.WORKFLOW, semconv.OTHER))
        with self._lock:
            self._inputs[inline_run_id(span.get_span_context())] = workflow, params
            if len(self._inputs) > MAX_KEPT:
                self._inputs.popitem(last=False)

    def get(self, run_id: str) -> dict[str, Any] | None:
        """``workflow`` and ``params`` as JSON, or None if they are not known (any more)."""
        with self._lock:
            known = self._inputs.get(run_id)
        return None if known is None else {"workflow": known[0], "params": json.loads(known[1])}
