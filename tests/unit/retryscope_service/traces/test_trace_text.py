"""The text waterfall: bars on one time axis, and what the names leave out."""

import asyncio
import contextlib
import re

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Span

from retryscope import Operation, RetryPolicy, cancel_on_exit, cancellable, retry, timeout, workflow
from retryscope_service.traces.trace_text import LEGEND, render_trace
from tests.support.clock import EPOCH_NS, run
from tests.support.recorded import recording

CALL = Operation("call", workflow="text")
WORK = Operation("work", workflow="text")


async def _retried() -> None:
    answers = iter([OSError("busy"), "done"])

    async def flaky() -> str:
        await asyncio.sleep(1)
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    async with workflow("text"):
        await retry(CALL, RetryPolicy(base_delay=2, jitter="none")).call(flaky)


def _lines(text: str) -> list[str]:
    """The lines without the legend, the bars cut to every second column."""
    *lines, blank, legend = text.splitlines()
    assert (blank, legend) == ("", LEGEND)
    return [re.sub(r"\|(.{40})\|", lambda bar: f"|{bar[1][::2]}|", line) for line in lines]


def test_attempts_and_the_wait_between_them_are_on_one_axis() -> None:
    """A failed second, two seconds of backoff, a good second: bars of one, two and one quarter."""
    with recording() as recorded:
        run(_retried())
    assert _lines(render_trace(recorded.spans(), EPOCH_NS)) == [
        "    start   duration  |                    |",
        "   0.000s     4.000s  |====================| workflow text  success",
        "   0.000s     4.000s  |====================|   retry call  success",
        "   0.000s     1.000s  |xxxxx               |     attempt call #1  error: OSError",
        "   1.000s     2.000s  |     ..........     |     backoff call (2 s planned)  success",
        "   3.000s     1.000s  |               =====|     attempt call #2  success",
    ]


def test_a_cancelled_task_shows_its_cause_and_its_cleanup() -> None:
    """~ for what was cancelled, + for the cleanup, the task's name in brackets."""

    async def main() -> None:
        running = cancellable(WORK, asyncio.sleep, 9, name="A", on_cancel=lambda: asyncio.sleep(1))
        async with cancel_on_exit([running]):
            await asyncio.sleep(3)

    with recording() as recorded:
        run(main())
    assert _lines(render_trace(recorded.spans(), EPOCH_NS))[1:] == [
        "   0.000s     4.000s  |~~~~~~~~~~~~~~~~~~~~| task work (A)  cancelled: request",
        "   3.000s     1.000s  |               +++++|   cleanup work  completed",
    ]


def test_a_task_named_like_its_operation_is_named_once() -> None:
    """`timeout work (work)` would say nothing more; an own timeout is a failure."""

    async def main() -> None:
        async with timeout(WORK, 1, name="work"):
            await asyncio.sleep(2)

    with recording() as recorded, contextlib.suppress(TimeoutError):
        run(main())
    assert _lines(render_trace(recorded.spans(), EPOCH_NS))[1:] == [
        "   0.000s     1.000s  |xxxxxxxxxxxxxxxxxxxx| timeout work  timeout",
    ]


def test_a_running_span_grows_until_now() -> None:
    """> up to the time of the look; a span that has just started has a bar all the same."""
    with recording() as recorded:

        async def look() -> str:
            running = asyncio.create_task(_retried())
            await asyncio.sleep(2)
            text = render_trace(recorded.log.started, EPOCH_NS + 2_000_000_000)
            await running
            return text

        text = run(look())
    assert [line[22:44] for line in _lines(text)[1:]] == [
        "|>>>>>>>>>>>>>>>>>>>>|",
        "|>>>>>>>>>>>>>>>>>>>>|",
        "|xxxxxxxxxx          |",
        "|          >>>>>>>>>>|",
    ]
    assert "running" in text


def test_a_span_whose_parent_is_elsewhere_is_shown_as_a_root() -> None:
    """The caller's span is in the caller's process, or no longer in the store."""
    with recording() as recorded:
        run(_retried())
        orphans = recorded.spans()[2:]
    assert _lines(render_trace(orphans, EPOCH_NS))[1].endswith("| attempt call #1  error: OSError")


def test_a_span_of_others_has_no_outcome_but_ends_all_the_same() -> None:
    """A database's, for example: it ended, or failed for a reason."""
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("test")
    ended = tracer.start_span("SELECT orders", start_time=0)
    ended.end(1_000_000_000)
    failed = tracer.start_span("SELECT stock", start_time=0, attributes={"error.type": "40001"})
    failed.end(1_000_000_000)
    texts = [render_trace([span], EPOCH_NS).splitlines()[1] for span in (readable(ended), readable(failed))]
    assert texts[0].endswith("=| SELECT orders  ended")
    assert texts[1].endswith("x| SELECT stock  error: 40001")


def readable(span: Span) -> ReadableSpan:
    assert isinstance(span, ReadableSpan)
    return span
