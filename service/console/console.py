"""What a process with an API tells its page."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from opentelemetry.sdk.trace import SpanProcessor

from service.console.changes import keep_publishing, publish_changes
from service.console.run_inputs import RunInputs
from service.console.run_summaries import RunSummaries
from service.console.span_store import SpanStore
from service.console.stream import StreamHub


@dataclass(frozen=True, slots=True)
class Console:
    """The live parts.

    Attributes:
        spans: The last traces.
        runs: The runs of this process.
        inputs: What its inline runs were started with.
        hub: Whoever has news publishes them there.
    """

    spans: SpanStore
    runs: RunSummaries = field(default_factory=RunSummaries)
    inputs: RunInputs = field(default_factory=RunInputs)
    hub: StreamHub = field(default_factory=StreamHub)

    @property
    def span_processors(self) -> Sequence[SpanProcessor]:
        """What the telemetry has to feed."""
        return (self.spans, self.runs, self.inputs)

    async def keep_publishing(self) -> None:
        """Publish the changes of runs and spans, until cancelled."""
        await keep_publishing(self.hub, self.runs, self.spans)

    def close(self) -> None:
        """Publish the last changes, and end the streams."""
        publish_changes(self.hub, self.runs, self.spans)
        self.hub.close()
