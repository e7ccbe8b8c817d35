"""How whatever has a span ends when it does not simply return: one place decides what is said of an error.

Its cause, event and link where it is a cancellation; else its type, one record of the exception and the
description of the status. Executions, attempts, waits, gathers, cleanups and server requests all ask here.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from retryscope import semconv
from retryscope._core.cancel_request import CancelRequest, cancel_request
from retryscope._core.marks import mark_exhausted, mark_recorded, recorded_since
from retryscope._core.scope import Level
from retryscope._recording.attributes import AttributeSet
from retryscope._recording.recorder import Attributes, OpenSpan, Recorder
from retryscope._recording.telemetry import Telemetry
from retryscope.outcome import Outcome, error_type_of, message_of


class Ending(NamedTuple):
    """What there is to say of an error that ended something.

    Attributes:
        error: What came out.
        error_type: The value of ``error.type``; empty for a cancellation.
        attributes: Span attributes besides the outcome: the error's type, or the cause of the cancellation.
        failure: Description of the status ERROR; None leaves the span UNSET.
        request: Who asked for the cancellation; None where it is none.
    """

    error: BaseException
    error_type: str
    attributes: dict[str, str]
    failure: str | None = None
    request: CancelRequest | None = None


_MAX_KINDS: Final = 256
_ended: dict[tuple[Outcome, str], AttributeSet] = {}


def ended_as(outcome: Outcome, ending: Ending) -> Attributes:
    """The outcome and what there is to say of it, as attributes; an error's are built once per type."""
    if ending.request is not None:
        return {semconv.OUTCOME: outcome, **ending.attributes}
    found = _ended.get((outcome, ending.error_type))
    if found is None:
        if len(_ended) >= _MAX_KINDS:
            _ended.clear()
        found = AttributeSet({semconv.OUTCOME: outcome, **ending.attributes})
        _ended[outcome, ending.error_type] = found
    return found


def explain(
    telemetry: Telemetry,
    span: OpenSpan,
    outcome: Outcome,
    error: BaseException,
    *,
    inside: Level | None,
    around: Level | None,
    started: float,
    now: float,
    is_part: bool = False,
    recorded: bool = False,
) -> Ending:
    """Record on a span why it ended so, and return what its end, metrics and logs are to say.

    Args:
        telemetry: What started the span.
        span: It.
        outcome: Any but ``success``.
        error: What came out.
        inside: Its own level: what ran inside may have recorded the error already.
        around: The level that it ran in, which knows the cause of a cancel that names none.
        started: When it began, in seconds of the clock that measures it.
        now: When it ended, by the same clock.
        recorded: Each error that this one is made of has a record.
        is_part: It is an attempt or a wait: the event and the link of a cancel are its operation's.
    """
    recorder = telemetry.recorder
    if outcome == "cancelled":
        request = cancel_request(error, around)
        attributes = request.attributes
        if not is_part:
            recorder.event(span, semconv.EVENT_CANCEL_REQUESTED, attributes, request.time_ns)
            if request.by is not None and request.by != span.context:
                recorder.link(span, request.by)
        return Ending(error, "", attributes, request=request)
    kind = error_type_of(outcome, error)
    if outcome == "error" and not recorded:
        record_once(recorder, span, error, started, now, inside=inside, around=around)
    else:  # a timeout's record is its event, an exhausted retry's are its attempts'
        mark_recorded(error, now, around)
        if outcome == "exhausted":
            mark_exhausted(error, now, around)
    failure = message_of(error) if telemetry.is_failure(outcome) else None
    return Ending(error, kind, {semconv.ERROR_TYPE: kind}, failure)


def record_once(
    recorder: Recorder,
    span: OpenSpan,
    error: BaseException,
    started: float,
    now: float,
    *,
    inside: Level | None,
    around: Level | None,
) -> None:
    """Record an exception on a span, unless one inside of it has done so since it started."""
    if not recorded_since(error, started, inside):
        recorder.exception(span, error)
    mark_recorded(error, now, around)
