"""The runs of this process in short: each in flight, and the last that have ended."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from retryscope import semconv
from retryscope.outcome import is_above_one
from retryscope_service.console.run_summary import RunSummary
from retryscope_service.traces.retention import first_to_go
from retryscope_service.traces.span_feed import SpanFeed
from retryscope_service.traces.span_json import kind_of
from retryscope_service.traces.span_parts import said_at_end, said_at_start

MAX_ENDED: Final = 500
"""As many as traces are remembered, by default: a page loaded anew has lost none that can be opened."""

_OPERATIONS: Final = frozenset({semconv.SPAN_TASK, semconv.SPAN_RETRY, semconv.SPAN_TIMEOUT})
_APART: Final = frozenset({semconv.SPAN_GATHER, semconv.SPAN_CLEANUP})
"""What is inside runs in asyncio tasks of its own: an operation there is one more, also of the same name."""


@dataclass(slots=True)
class _Operation:
    """What counts as one operation, as the metrics count them: a timeout inside its own retry is no other."""

    name: str
    attempts: int = 0


@dataclass(slots=True)
class _Place:
    """Where an open span is."""

    kind: str
    run: RunSummary
    operation: _Operation | None = None
    is_operation: bool = False
    """Whether the span is that operation itself."""

    def attempt(self, said: Mapping[str, Any]) -> None:
        """An attempt was made here."""
        self.run.attempts += 1
        self.run.retries += is_above_one(said.get(semconv.ATTEMPT_NUMBER))
        if self.operation is not None:
            self.operation.attempts += 1


class RunSummaries:
    """Counts what happens inside each workflow span. Thread-safe.

    Attempts are counted as the metrics count them: what is not retried is one, once it has ended; those that
    are events are known when their retry has ended. At the end tasks and attempts are those of the run's
    answer, where its span says them.

    Args:
        feed: The span processor that feeds it.
        has_trace: Whether a trace is kept: its runs stay as long as it does, within ``MAX_ENDED``.
    """

    def __init__(self, feed: SpanFeed, has_trace: Callable[[int], bool] = lambda _: False) -> None:
        self._has_trace = has_trace
        self._running: dict[str, RunSummary] = {}
        self._ended: OrderedDict[str, RunSummary] = OrderedDict()
        self._places: dict[int, _Place] = {}
        """Of the open spans inside runs."""
        self._changed: dict[str, RunSummary] = {}
        self._watchers = 0
        self.feed: Final = feed
        feed.add(self)

    def started(self, span: ReadableSpan, trace_id: int, span_id: int, parent_id: int) -> None:
        """A workflow is a new run; anything else belongs to the run of its parent."""
        around = self._places.get(parent_id)
        if around is None and not span.name.startswith(semconv.SPAN_WORKFLOW):
            return
        kind = kind_of(span)
        if kind == semconv.SPAN_WORKFLOW:
            self._start(span, span_id)
            return
        if around is None:
            return
        place = self._places[span_id] = _place_of(span, kind, around)
        if kind == semconv.SPAN_ATTEMPT:
            place.attempt(said_at_start(span))
        elif place.is_operation:
            place.run.tasks.running += 1
        else:
            return
        self._note(place.run)

    def ended(self, span: ReadableSpan, trace_id: int, span_id: int) -> None:
        """An attempt or an operation may have failed; the end of a workflow is that of its run."""
        place = self._places.pop(span_id, None)
        if place is None:
            return
        if place.kind == semconv.SPAN_WORKFLOW:
            self._end(place.run, span)
            return
        if place.kind == semconv.SPAN_ATTEMPT:
            place.run.attempt_ended(said_at_end(span))
        elif place.kind in _OPERATIONS:
            _ended_inside(place, span)
        self._note(place.run)

    def cancel_requested(self, run_id: str) -> None:
        """Somebody asked for a background run to be cancelled; it need not be one of this process."""
        with self.feed.settled():
            run = self._running.get(run_id)
            if run is not None:
                run.state = "cancelling"
                run.cancel_cause = "request"
                run.cancel_requested_at = run.cancel_requested_at or time.time_ns()
                self._note(run)

    def latest(self) -> list[dict[str, Any]]:
        """All runs in flight and the last ``MAX_ENDED`` others as JSON, the newest first."""
        with self.feed.settled():
            runs = sorted(
                (*self._running.values(), *self._ended.values()), key=lambda run: run.started_at, reverse=True
            )
            return [run.as_json() for run in runs]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Changes are only collected while somebody watches."""
        with self.feed.settled():
            self._watchers += 1
        try:
            yield
        finally:
            with self.feed.settled():
                self._watchers -= 1
                if not self._watchers:
                    self._changed.clear()

    @property
    def has_changed(self) -> bool:
        """Whether ``take_changed`` has something."""
        with self.feed.settled():
            return bool(self._changed)

    def take_changed(self) -> list[dict[str, Any]]:
        """The runs that changed since the last call, each once and as it is now."""
        with self.feed.settled():
            changed, self._changed = self._changed, {}
            return [run.as_json() for run in changed.values()]

    def _start(self, span: ReadableSpan, span_id: int) -> None:
        run = RunSummary.of(span)
        self._ended.pop(run.id, None)  # an earlier delivery of the same run
        self._running[run.id] = run
        self._places[span_id] = _Place(semconv.SPAN_WORKFLOW, run)
        self._note(run)

    def _end(self, run: RunSummary, span: ReadableSpan) -> None:
        run.ended(span)
        self._note(run)
        if self._is_current(run):
            del self._running[run.id]
            self._ended[run.id] = run
            if len(self._ended) > MAX_ENDED:
                del self._ended[
                    first_to_go(self._ended, lambda each: int(each.trace_id, 16), self._has_trace)
                ]

    def _note(self, run: RunSummary) -> None:
        if self._watchers and self._is_current(run):
            self._changed[run.id] = run

    def _is_current(self, run: RunSummary) -> bool:
        """Whether it is the last delivery of its run that started here."""
        return self._running.get(run.id) is run


def _place_of(span: ReadableSpan, kind: str, around: _Place) -> _Place:
    if kind in _APART:
        return _Place(kind, around.run)
    if kind in _OPERATIONS:
        name = str(said_at_start(span).get(semconv.OPERATION))
        if around.operation is None or around.operation.name != name:
            return _Place(kind, around.run, _Operation(name), is_operation=True)
    return _Place(kind, around.run, around.operation)


def _ended_inside(place: _Place, span: ReadableSpan) -> None:
    """A span of an operation has ended, with the attempts that are no spans."""
    for event in span.events:
        if event.name == semconv.EVENT_ATTEMPT:
            said = event.attributes or {}
            place.attempt(said)
            place.run.attempt_ended(said)
    if place.is_operation and place.operation is not None:
        place.run.operation_ended(span, place.operation.attempts)
