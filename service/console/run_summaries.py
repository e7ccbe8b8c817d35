"""The runs of this process in short: each in flight, and the last that have ended."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanContext
from opentelemetry.util.types import Attributes

from instrumentation import semconv
from service.console.span_json import kind_of

MAX_ENDED: Final = 500
"""As many as traces are remembered, by default: a page loaded anew has lost none that can be opened."""

_NOT_FAILED: Final = frozenset({"success", "cancelled"})


@dataclass(slots=True)
class _Run:
    """A run; its fields are the members of the JSON but for the times, which are in nanoseconds."""

    id: str
    kind: str
    workflow: str
    trace_id: str
    span_id: str
    started_at: int
    state: str = "running"
    outcome: str | None = None
    ended_at: int | None = None
    attempts: int = 0
    retries: int = 0
    failures: int = 0
    cancel_cause: str | None = None

    @classmethod
    def of(cls, span: ReadableSpan) -> "_Run":
        assert span.context is not None
        assert span.start_time is not None
        attributes = span.attributes or {}
        trace_id, span_id = f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"
        background = attributes.get(semconv.RUN_ID)
        return cls(
            id=inline_run_id(span.context) if background is None else str(background),
            kind="inline" if background is None else "background",
            workflow=str(attributes.get(semconv.WORKFLOW, semconv.OTHER)),
            trace_id=trace_id,
            span_id=span_id,
            started_at=span.start_time,
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "workflow": self.workflow,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "state": self.state,
            "outcome": self.outcome,
            "started_at": self.started_at / 1e9,
            "ended_at": None if self.ended_at is None else self.ended_at / 1e9,
            "attempts": self.attempts,
            "retries": self.retries,
            "failures": self.failures,
            "cancel_cause": self.cancel_cause,
        }


class RunSummaries(SpanProcessor):
    """Counts what happens inside each workflow span. Thread-safe.

    ``attempts`` are those of retries, spans or events; what is not retried makes none.
    """

    def __init__(self) -> None:
        self._running: dict[str, _Run] = {}
        self._ended: OrderedDict[str, _Run] = OrderedDict()
        self._run_of: dict[int, _Run] = {}
        """The run that each open span belongs to."""
        self._changed: dict[str, _Run] = {}
        self._watchers = 0
        self._lock = Lock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A workflow is a new run; anything else belongs to the run of its parent."""
        kind = kind_of(span)
        if kind == semconv.SPAN_WORKFLOW:
            self._start(span)
            return
        with self._lock:
            run = None if span.parent is None else self._run_of.get(span.parent.span_id)
            if run is None:
                return
            self._run_of[span.get_span_context().span_id] = run
            if kind == semconv.SPAN_ATTEMPT:
                run.attempts += 1
                run.retries += _is_retry(span.attributes)
                self._note(run)

    def on_end(self, span: ReadableSpan) -> None:
        """An attempt may have failed; the end of a workflow is that of its run."""
        assert span.context is not None
        kind = kind_of(span)
        with self._lock:
            run = self._run_of.pop(span.context.span_id, None)
            if run is None:
                return
            if kind == semconv.SPAN_WORKFLOW:
                self._end(run, span)
            elif kind == semconv.SPAN_ATTEMPT and _outcome(span.attributes) not in _NOT_FAILED:
                run.failures += 1
                self._note(run)
            elif kind == semconv.SPAN_RETRY:
                self._count_events(run, span)

    def cancel_requested(self, run_id: str) -> None:
        """Somebody asked for a background run to be cancelled; it need not be one of this process."""
        with self._lock:
            run = self._running.get(run_id)
            if run is not None:
                run.state = "cancelling"
                run.cancel_cause = "request"
                self._note(run)

    def latest(self) -> list[dict[str, Any]]:
        """All runs in flight and the last ``MAX_ENDED`` others as JSON, the newest first."""
        with self._lock:
            runs = sorted(
                (*self._running.values(), *self._ended.values()), key=lambda run: run.started_at, reverse=True
            )
            return [run.as_json() for run in runs]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Changes are only collected while somebody watches."""
        with self._lock:
            self._watchers += 1
        try:
            yield
        finally:
            with self._lock:
                self._watchers -= 1
                if not self._watchers:
                    self._changed.clear()

    @property
    def has_changed(self) -> bool:
        """Whether ``take_changed`` has something."""
        return bool(self._changed)

    def take_changed(self) -> list[dict[str, Any]]:
        """The runs that changed since the last call, each once and as it is now."""
        with self._lock:
            changed, self._changed = self._changed, {}
            return [run.as_json() for run in changed.values()]

    def _count_events(self, run: _Run, span: ReadableSpan) -> None:
        """Attempts that are no spans: known when their retry has ended."""
        for event in span.events:
            if event.name == semconv.EVENT_ATTEMPT:
                run.attempts += 1
                run.retries += _is_retry(event.attributes)
                run.failures += _outcome(event.attributes) not in _NOT_FAILED
                self._note(run)

    def _start(self, span: Span) -> None:
        run = _Run.of(span)
        with self._lock:
            self._ended.pop(run.id, None)  # an earlier delivery of the same run
            self._running[run.id] = run
            self._run_of[span.get_span_context().span_id] = run
            self._note(run)

    def _end(self, run: _Run, span: ReadableSpan) -> None:
        attributes = span.attributes or {}
        run.state = "ended"
        run.outcome = _outcome(span.attributes)
        run.ended_at = span.end_time
        cause = attributes.get(semconv.CANCEL_CAUSE)
        run.cancel_cause = None if cause is None else str(cause)
        self._note(run)
        if self._is_current(run):
            del self._running[run.id]
            self._ended[run.id] = run
            if len(self._ended) > MAX_ENDED:
                self._ended.popitem(last=False)

    def _note(self, run: _Run) -> None:
        if self._watchers and self._is_current(run):
            self._changed[run.id] = run

    def _is_current(self, run: _Run) -> bool:
        """Whether it is the last delivery of its run that started here."""
        return self._running.get(run.id) is run


def inline_run_id(span: SpanContext) -> str:
    """An inline run is the span of a workflow, and has no other id."""
    return f"{span.trace_id:032x}-{span.span_id:016x}"


def _is_retry(attributes: Attributes) -> bool:
    number = (attributes or {}).get(semconv.ATTEMPT_NUMBER)
    return isinstance(number, int) and number > 1


def _outcome(attributes: Attributes) -> str | None:
    outcome = (attributes or {}).get(semconv.OUTCOME)
    return None if outcome is None else str(outcome)
