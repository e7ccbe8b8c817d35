"""What the page's own interface answers, as models: they make the schemas, from which the page has its types.

They build no answer; tests hold every answer, and every event of the stream, against them.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from retryscope import Outcome
from retryscope_service.api.openapi_names import SPAN_KINDS
from retryscope_service.monitor.chart import Colour, Unit
from retryscope_service.runs.result import ErrorInfo, RunResult


class Document(BaseModel):
    """Part of an answer; times are seconds since the epoch, ids are hexadecimal."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class TaskCounts(Document):
    """Tasks of a run by how they ended; while it runs they are its operations."""

    running: int
    succeeded: int
    failed: int
    timed_out: int
    cancelled: int


class RunSummary(Document):
    """A run of this process, inline or in the background."""

    id: str
    kind: Literal["background", "inline"]
    workflow: str
    trace_id: str
    span_id: str
    state: Literal["running", "cancelling", "ended"]
    outcome: Outcome | None
    started_at: float
    ended_at: float | None
    attempts: int
    retries: int
    failures: int
    """Attempts that failed."""
    cancel_cause: str | None
    cancel_requested_at: float | None
    tasks: TaskCounts
    error: ErrorInfo | None
    """Of the run, or else of the last operation in it that failed."""
    error_types: list[str]


class SpanEvent(Document):
    """Something that happened at a moment of a span."""

    time: float
    name: str
    attributes: dict[str, Any]


class SpanLink(Document):
    """Another span that has to do with this one."""

    trace_id: str
    span_id: str
    kind: str | None


class Span(Document):
    """A span, also while it runs."""

    id: str
    parent: str | None
    name: str
    kind: str = Field(json_schema_extra={"enum": list(SPAN_KINDS)})
    operation: str | None
    task: str | None
    start: float
    end: float | None
    outcome: str | None
    """null while it runs; of a cleanup: completed, failed or timed_out."""
    attempt: int | None
    delay: float | None
    max_attempts: int | None
    attempts: int | None
    """Attempts that an ended retry has made."""
    giveup: str | None
    """Why an ended retry made no more."""
    limit: float | None
    """Seconds from the start on, of its own."""
    deadline: float | None
    """Seconds from the start on, of what is around it."""
    error: ErrorInfo | None
    cancel_cause: str | None
    attributes: dict[str, Any]
    events: list[SpanEvent]
    links: list[SpanLink]


class SpansEvent(Document):
    """Spans of a trace that have changed."""

    trace_id: str
    total: int
    truncated: bool
    spans: list[Span]


class TraceDocument(SpansEvent):
    """All spans of a trace that are kept."""

    seq: int


class AlertState(Document):
    """An alert that this process evaluates by itself."""

    alert: str
    severity: str
    state: Literal["inactive", "pending", "firing"]
    since: float | None
    labels: dict[str, str]
    value: float | None
    threshold: float
    lacks: str | None
    """Why it is inactive though the value is above the threshold."""
    unit: Unit
    summary: str
    description: str
    runbook_url: str
    promql: str
    for_seconds: float
    window: str | None
    covered: bool
    """Whether the history is at least as long as the window."""


class AlertPeriod(Document):
    """From when to when an alert fired; without an end it still does."""

    alert: str
    labels: dict[str, str]
    severity: str
    start: float = Field(alias="from")
    to: float | None


class AlertsDocument(Document):
    """The alerts now, and those that fired."""

    rules: list[AlertState]
    history: list[AlertPeriod]


class ScenarioOffer(Document):
    """What the traffic switch can send."""

    name: str
    summary: str


class Traffic(Document):
    """The traffic switch, and what was sent since it was switched on last."""

    on: bool
    scenario: str | None
    rate: float | None
    scenarios: list[ScenarioOffer]
    max_rate: float
    max_seconds: float
    ends_at: float | None
    sent: int
    succeeded: int
    failed: int
    not_sent: int
    p99_seconds: float | None


class Links(Document):
    """Addresses of other user interfaces."""

    grafana: str | None
    prometheus: str | None


class Snapshot(Document):
    """All that the stream tells the changes of."""

    boot_id: str
    seq: int
    time: float
    version: str
    runs: list[RunSummary]
    alerts: list[AlertState]
    traffic: Traffic
    links: Links


class ChartThreshold(Document):
    """A line where an alert fires."""

    value: float
    label: str


class Series(Document):
    """One line of a chart."""

    key: str
    label: str
    color: Colour
    points: dict[str, list[float | None]]
    """By resolution: the step in seconds."""


class ChartData(Document):
    """A chart with its values."""

    id: str
    title: str
    unit: Unit
    description: str
    promql: str
    traceql: str | None
    threshold: ChartThreshold | None
    series: list[Series]


class Resolution(Document):
    """How far apart the values of a series are."""

    step: int
    start: float
    """Time of the first point."""
    length: int


class History(Document):
    """The charts of the last three hours."""

    time: float
    resolutions: list[Resolution]
    charts: list[ChartData]


class InlineRun(Document):
    """What an inline run was started with, and what it answered."""

    workflow: str
    params: dict[str, Any]
    result: RunResult | None = None
    error: ErrorInfo | None = None
    total_tasks: int | None = None
    """Where the result has not all of its tasks: how many there were."""


class Workflow(Document):
    """What can be run."""

    name: str
    summary: str
    href: str
    defaults: dict[str, Any]
    schema_: dict[str, Any] = Field(alias="schema", description="JSON Schema of its parameters.")


class WorkflowList(Document):
    """All that can be run."""

    workflows: list[Workflow]


class HelloEvent(Document):
    """The first event: changes from here on are told."""

    boot_id: str
    seq: int


class MetricsEvent(Document):
    """The charts' values of one second, by the series' keys."""

    time: float
    """The second that the values are of."""
    now: float
    values: dict[str, float | None]


class StreamEvents(Document):
    """The events of the stream, each with what its data is."""

    hello: HelloEvent
    resync: dict[str, None]
    """Some were dropped: load all anew."""
    runs: list[RunSummary]
    metrics: MetricsEvent
    alerts: list[AlertState]
    traffic: Traffic
    spans: SpansEvent
