"""Whether what the dashboards show is all there is."""

from grafana import traces
from grafana.panel_kinds import PER_SECOND, Panel, query, trend
from grafana.promql import Scope
from retryscope import semconv
from retryscope_service.slo.promql import summed

HEIGHT = 10
"""There may be ten names beside the lines."""


def losses(scope: Scope) -> Panel:
    """Spans, labels and records that were lost."""
    return trend(
        "Telemetry that was lost",
        query(summed(scope.counter(semconv.DROPPED_SPANS), "reason"), "spans: {{reason}}"),
        query(summed(scope.counter(semconv.DROPPED_LOG_LINES), "reason"), "log: {{reason}}"),
        query(summed(scope.counter(semconv.FOLDED_LABELS), "label"), "folded: {{label}}"),
        query(summed(scope.counter(semconv.TELEMETRY_FAILURES), "part"), "failed: {{part}}"),
        means="Spans that never reached the collector, log lines that nobody read, label values that became"
        " `_OTHER` because they were in no declared set, and errors inside the telemetry."
        " TelemetryDropped fires on dropped spans."
        " What is lost while a process ends is in its log only.",
        do="queue_full: raise OTEL_BSP_MAX_QUEUE_SIZE or sample. export_failed: look at the collector."
        " Folded labels: declare the operation, and build no name from ids. Failures: the log says once"
        " what it was.",
        unit=PER_SECOND,
        height=HEIGHT,
        links=[traces.of_series(title="Traces that did arrive")],
    )
