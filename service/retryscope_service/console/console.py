"""What a process with an API tells its page."""

from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk.trace import SpanProcessor

from retryscope_service.console.changes import keep_publishing, publish_changes
from retryscope_service.console.inline_records import InlineRecords
from retryscope_service.console.run_summaries import RunSummaries
from retryscope_service.console.stream import StreamHub
from retryscope_service.traces.span_store import SpanStore


class Console:
    """The live parts.

    Attributes:
        spans: The traces that are kept.
        runs: The runs of this process.
        inline: What its inline runs were started with, and what they answered.
        hub: Whoever has news publishes them there.
    """

    def __init__(self, spans: SpanStore) -> None:
        self.spans: Final = spans
        self.runs: Final = RunSummaries(spans.__contains__)
        self.inline: Final = InlineRecords(spans.__contains__)
        self.hub: Final = StreamHub()

    @property
    def span_processors(self) -> Sequence[SpanProcessor]:
        """What the telemetry has to feed."""
        return (self.spans, self.runs)

    async def keep_publishing(self) -> None:
        """Publish the changes of runs and spans, until cancelled."""
        await keep_publishing(self.hub, self.runs, self.spans)

    def close(self) -> None:
        """Publish the last changes, and end the streams."""
        publish_changes(self.hub, self.runs, self.spans)
        self.hub.close()
