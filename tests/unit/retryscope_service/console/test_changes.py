"""Changes of runs and spans on the stream: in batches, each run and span once in a batch."""

import asyncio
import json
from contextlib import ExitStack
from typing import Any

import pytest

from retryscope import semconv
from retryscope_service.console import changes
from retryscope_service.console.changes import BATCH_SECONDS, publish_changes
from retryscope_service.console.console import Console
from retryscope_service.console.stream import StreamReader
from retryscope_service.traces import span_store
from retryscope_service.traces.span_store import SpanStore
from tests.unit.retryscope_service.helpers import InlineExecutor
from tests.unit.retryscope_service.traces.spans import own_tracer_into, start, trace_of


async def events(reader: StreamReader) -> list[tuple[str, Any]]:
    """What waits for the reader, without the greeting."""
    lines = (await reader.take(1) or b"").decode().splitlines()
    names = [line[7:] for line in lines if line.startswith("event: ")]
    data = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    return [each for each in zip(names, data, strict=True) if each[0] != "hello"]


@pytest.fixture
def console() -> Console:
    return Console(SpanStore(10, 1000))


async def test_each_run_and_span_is_published_once_and_as_it_is_now(console: Console) -> None:
    """Runs to everybody, spans to who asked for their trace."""
    tracer = own_tracer_into(console.feed)
    run = start(tracer, "workflow retry", attributes={semconv.WORKFLOW: "retry"})
    trace_id = f"{trace_of(run):032x}"
    with ExitStack() as stack:
        stack.enter_context(console.runs.watching())
        stack.enter_context(console.spans.watching([trace_of(run)]))
        following = stack.enter_context(console.hub.reader([trace_id]))
        watching = stack.enter_context(console.hub.reader())
        for number in (1, 2):
            start(tracer, "attempt call", run, {semconv.ATTEMPT_NUMBER: number}).end()
        publish_changes(console.hub, console.runs, console.spans)
        runs, spans = await events(following)
        assert await events(watching) == [runs]
        assert runs[0] == "runs"
        assert [(each["trace_id"], each["attempts"]) for each in runs[1]] == [(trace_id, 2)]
        name, trace = spans
        assert (name, trace["trace_id"], trace["total"], trace["truncated"]) == ("spans", trace_id, 3, False)
        assert [(span["attempt"], span["end"] is None) for span in trace["spans"]] == [(1, False), (2, False)]
        publish_changes(console.hub, console.runs, console.spans)
        assert console.hub.seq == 2


async def test_they_come_in_batches(console: Console) -> None:
    """However much happens, ten a second; nothing while nothing changes."""
    asyncio.get_running_loop().set_default_executor(InlineExecutor())
    tracer = own_tracer_into(console.feed)
    publishing = asyncio.create_task(console.keep_publishing())
    with console.runs.watching(), console.hub.reader() as reader:
        await asyncio.sleep(5)
        assert console.hub.seq == 0
        for _ in range(1000):
            start(tracer, "workflow retry").end()
            await asyncio.sleep(0.001)
        await asyncio.sleep(2 * BATCH_SECONDS)
        batches = await events(reader)
        assert {name for name, _ in batches} == {"runs"}
        assert len(batches) == pytest.approx(1 / BATCH_SECONDS, abs=2)
        assert len({run["id"] for _, runs in batches for run in runs}) == 1000
        seq = console.hub.seq
        await asyncio.sleep(5)
        assert console.hub.seq == seq
    publishing.cancel()


async def test_many_spans_come_in_several_events(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """No event keeps the process busy for long; a change without spans is told too."""
    monkeypatch.setattr(changes, "SPANS_PER_EVENT", 3)
    monkeypatch.setattr(span_store, "MAX_SPANS_PER_TRACE", 8)
    tracer = own_tracer_into(console.feed)
    root = start(tracer, "root")
    trace_id = f"{trace_of(root):032x}"
    with console.spans.watching([trace_of(root)]), console.hub.reader([trace_id]) as reader:
        for number in range(7):
            start(tracer, f"child {number}", root)
        publish_changes(console.hub, console.runs, console.spans)
        told = [data for _, data in await events(reader)]
        assert [len(each["spans"]) for each in told] == [3, 3, 1]
        assert [span["name"] for each in told for span in each["spans"]] == [f"child {n}" for n in range(7)]
        assert {(each["trace_id"], each["total"], each["truncated"]) for each in told} == {
            (trace_id, 8, False)
        }
        start(tracer, "too many", root)
        publish_changes(console.hub, console.runs, console.spans)
        assert await events(reader) == [
            ("spans", {"trace_id": trace_id, "total": 9, "truncated": True, "spans": []})
        ]


async def test_closing_publishes_what_has_just_happened(console: Console) -> None:
    """The last thing that a page sees of a process is how its runs ended."""
    tracer = own_tracer_into(console.feed)
    with console.runs.watching(), console.hub.reader() as reader:
        start(tracer, "workflow retry").end()
        console.close()
        ((name, (run,)),) = await events(reader)
        assert (name, run["state"]) == ("runs", "ended")
        assert await reader.take(1) is None
