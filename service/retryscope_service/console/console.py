"""What a process with an API tells its page."""

from typing import Final

from retryscope_service.console.changes import keep_publishing, publish_changes
from retryscope_service.console.inline_records import InlineRecords
from retryscope_service.console.run_summaries import RunSummaries
from retryscope_service.console.stream import StreamHub
from retryscope_service.traces.span_store import SpanStore


class Console:
    """The live parts.

    Attributes:
        feed: The span processor that the telemetry has to have.
        spans: The traces that are kept.
        runs: The runs of this process.
        inline: What its inline runs were started with, and what they answered.
        hub: Whoever has news publishes them there.
    """

    def __init__(self, spans: SpanStore) -> None:
        self.feed: Final = spans.feed
        self.spans: Final = spans
        self.runs: Final = RunSummaries(self.feed, spans.keeps)
        self.inline: Final = InlineRecords(spans.__contains__)
        self.hub: Final = StreamHub()

    async def keep_publishing(self) -> None:
        """Publish the changes of runs and spans, until cancelled."""
        await keep_publishing(self.hub, self.runs, self.spans)

    def close(self) -> None:
        """Publish the last changes, and end the streams."""
        publish_changes(self.hub, self.runs, self.spans)
        self.hub.close()
