"""What changed, to the readers of the stream: in batches, so that a busy service does not drown them."""

import asyncio
from typing import Final

from retryscope_service.console.run_summaries import RunSummaries
from retryscope_service.console.stream import StreamHub
from retryscope_service.traces.span_json import span_json
from retryscope_service.traces.span_store import SpanStore, TraceSpans

BATCH_SECONDS: Final = 0.1
SPANS_PER_EVENT: Final = 500
"""While an event is encoded no other thread runs: for some milliseconds with so many spans."""


async def keep_publishing(hub: StreamHub, runs: RunSummaries, spans: SpanStore) -> None:
    """Publish the changes of runs and watched traces again and again, until cancelled."""
    while True:
        await asyncio.sleep(BATCH_SECONDS)
        if runs.has_changed or spans.has_changed:
            # Thousands of spans take longer to encode than the event loop should stand still.
            await asyncio.to_thread(publish_changes, hub, runs, spans)


def publish_changes(hub: StreamHub, runs: RunSummaries, spans: SpanStore) -> None:
    """Publish each run and each span that changed once, as it is now."""
    if changed := runs.take_changed():
        hub.publish("runs", changed)
    for trace in spans.take_changed():
        members = trace_members(trace)
        for first in range(0, max(len(trace.spans), 1), SPANS_PER_EVENT):
            some = [span_json(span) for span in trace.spans[first : first + SPANS_PER_EVENT]]
            hub.publish("spans", {**members, "spans": some}, topic=f"{trace.trace_id:032x}")


def trace_members(trace: TraceSpans) -> dict[str, object]:
    """What there is to say of a trace besides its spans."""
    return {
        "trace_id": f"{trace.trace_id:032x}",
        "total": trace.total,
        "truncated": trace.truncated,
    }
