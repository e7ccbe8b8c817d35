"""A trace as a text waterfall: what a terminal can show of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from retryscope import semconv
from retryscope.outcome import FAILED
from retryscope_service.printable import printable

BAR_WIDTH: Final = 40
LEGEND: Final = "= ran   x failed   . backoff   ~ cancelled   + cleanup   > still running"

MAX_INDENTED: Final = 40
"""Levels that are indented: what is deeper stands there too, or a deep trace were mostly blanks."""
MAX_TEXT: Final = 200
"""Characters of a name or a remark: whoever names spans may have put a document into it."""


def render_trace(spans: Sequence[ReadableSpan], now_ns: int) -> str:
    """The spans of one trace, each with a bar on a common time axis, its name and its outcome.

    Args:
        spans: In the order of their starts.
        now_ns: Wall clock in nanoseconds since the epoch; where a running span's bar ends.
    """
    begin = min(_start(span) for span in spans)
    total = max(max(_end(span, now_ns) for span in spans) - begin, 1)
    children: dict[int, list[ReadableSpan]] = {}
    known = {_id(span) for span in spans}
    for span in spans:
        parent = span.parent.span_id if span.parent is not None else 0
        children.setdefault(parent if parent in known else 0, []).append(span)

    header = f"{'start':>9}  {'duration':>9}  |{'':{BAR_WIDTH}}|"
    lines = (_line(span, depth, begin, total, now_ns) for span, depth in _walk(children))
    return "\n".join([header, *lines, "", LEGEND, ""])


def _walk(children: Mapping[int, Sequence[ReadableSpan]]) -> Iterator[tuple[ReadableSpan, int]]:
    """Each span with its depth, before those below it; a trace may be deeper than calls can be nested."""
    levels = [iter(children.get(0, ()))]
    while levels:
        span = next(levels[-1], None)
        if span is None:
            levels.pop()
        else:
            yield span, len(levels) - 1
            levels.append(iter(children.get(_id(span), ())))


def _line(span: ReadableSpan, depth: int, begin: int, total: int, now_ns: int) -> str:
    start, end = _start(span), _end(span, now_ns)
    first = min(round((start - begin) / total * BAR_WIDTH), BAR_WIDTH - 1)
    width = min(max(round((end - start) / total * BAR_WIDTH), 1), BAR_WIDTH - first)
    bar = " " * first + _mark(span) * width
    return (
        f"{(start - begin) / 1e9:8.3f}s  {(end - start) / 1e9:8.3f}s  |{bar:{BAR_WIDTH}}|"
        f" {'  ' * min(depth, MAX_INDENTED)}"
        f"{printable(span.name, MAX_TEXT)}{printable(_remark(span), MAX_TEXT)}"
    )


def _mark(span: ReadableSpan) -> str:
    attributes = span.attributes or {}
    outcome = attributes.get(semconv.OUTCOME)
    if span.end_time is None:
        return ">"
    if outcome == "cancelled":
        return "~"
    if outcome in FAILED or semconv.ERROR_TYPE in attributes:
        return "x"
    if span.name.startswith(semconv.SPAN_BACKOFF):
        return "."
    return "+" if span.name.startswith(semconv.SPAN_CLEANUP) else "="


def _remark(span: ReadableSpan) -> str:
    """What the name leaves out: the task, the attempt's number, the outcome and its reason."""
    attributes = span.attributes or {}
    label = _label(span.name, attributes)
    outcome = (
        attributes.get(semconv.OUTCOME)
        or attributes.get(semconv.CLEANUP_OUTCOME)
        or attributes.get(semconv.HTTP_RESPONSE_STATUS_CODE)
        or _state(span, attributes)
    )
    why = (
        attributes.get(semconv.CANCEL_CAUSE)
        or attributes.get(semconv.RETRY_GIVEUP_REASON)
        or attributes.get(semconv.ERROR_TYPE)
    )
    reason = f": {why}" if why is not None and str(why) != str(outcome) else ""
    return f"{label}  {outcome}{reason}"


def _state(span: ReadableSpan, attributes: Mapping[str, object]) -> str:
    """Of a span that says no outcome, as a database's: those of others have none."""
    if span.end_time is None:
        return "running"
    return "error" if semconv.ERROR_TYPE in attributes else "ended"


def _label(name: str, attributes: Mapping[str, object]) -> str:
    if semconv.ATTEMPT_NUMBER in attributes:
        return f" #{attributes[semconv.ATTEMPT_NUMBER]}"
    if semconv.RETRY_DELAY in attributes:
        return f" ({attributes[semconv.RETRY_DELAY]:g} s planned)"
    task = str(attributes.get(semconv.TASK_NAME, ""))
    return f" ({task})" if task and not name.endswith(task) else ""


def _id(span: ReadableSpan) -> int:
    assert span.context is not None
    span_id: int = span.context.span_id
    return span_id


def _start(span: ReadableSpan) -> int:
    assert span.start_time is not None
    return span.start_time


def _end(span: ReadableSpan, now_ns: int) -> int:
    return max(now_ns, _start(span)) if span.end_time is None else span.end_time
