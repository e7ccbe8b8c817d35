"""Names that an expression may use, with their labels and types."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from retryscope import semconv
from retryscope.outcome import CANCEL_CAUSES, CLEANUP_OUTCOMES, GIVEUP_REASONS, OUTCOMES
from retryscope_service.operations.shop.orders import END_STATES
from tests.support.names import METRICS
from tests.support.promql import MetricUse, metric_uses

TARGET = frozenset({"job", "instance"})
"""Labels that Prometheus gives to everything that it scrapes."""

EXEMPLARS = frozenset(
    {
        semconv.OPERATION_DURATION.name,
        semconv.WORKFLOW_DURATION.name,
        semconv.ATTEMPTS.name,
        semconv.ATTEMPT_DURATION.name,
        semconv.RETRY_GIVEUPS.name,
        semconv.CLEANUP_DURATION.name,
        semconv.HTTP_CLIENT_DURATION.name,
        semconv.HTTP_SERVER_DURATION.name,
    }
)
"""Families with exemplars; a test compares them with what a loaded service exposes."""

PROCESS = {
    "process_cpu_seconds_total": "counter",
    "process_max_fds": "gauge",
    "process_open_fds": "gauge",
    "process_resident_memory_bytes": "gauge",
    "process_start_time_seconds": "gauge",
    "python_gc_collections_total": "counter",
}
"""Of prometheus_client's own collectors, what is used."""

VALUES: dict[str, frozenset[str]] = {
    "outcome": frozenset({*OUTCOMES, *CLEANUP_OUTCOMES}),
    "cause": frozenset(CANCEL_CAUSES),
    "reason": frozenset({*GIVEUP_REASONS, "queue_full", "export_failed", "already_shutdown"}),
    "state": frozenset(
        {"queued", "running", "cancelling", "succeeded", "failed", "cancelled", "lost", *END_STATES}
    ),
    "pool": frozenset({"inline", "worker", "engine"}),
    "status": frozenset({"firing", "resolved"}),
    "alertstate": frozenset({"pending", "firing"}),
}
"""Values of the labels that have a bounded set of them; an expression that asks for another finds nothing."""

DIAGNOSTIC = {
    "process_virtual_memory_bytes": "address space says nothing about the memory that is used",
    "python_gc_objects_collected": "for whoever suspects the garbage collector",
    "python_gc_objects_uncollectable": "for whoever suspects the garbage collector",
    "resilience_telemetry_early_decisions": "costs only spans that keep_successes would leave out",
    "resilience_telemetry_left_out_spans": "on purpose: nothing is lost",
    "python_info": "build info has the version of Python, beside that of the service",
}
"""Families that the service exposes, but no dashboard and no rule uses, and why."""


@dataclass(frozen=True)
class Series:
    """A name that can be selected.

    Attributes:
        labels: All that it has.
        type: counter, gauge or recorded.
        exemplars: Whether exemplars are stored with it.
    """

    labels: frozenset[str]
    type: str
    exemplars: bool = False


IN_DOCUMENTS = {
    "scrape_samples_scraped": Series(TARGET, "gauge"),
}
"""What only a document asks for, of prometheus_client's collectors and of what Prometheus makes itself."""


def table(rules: Path) -> dict[str, Series]:
    """Every name, the ones that the rules of a folder record included."""
    known = dict(_of_semconv())
    known |= {name: Series(TARGET, kind) for name, kind in PROCESS.items()} | IN_DOCUMENTS
    known["python_gc_collections_total"] = Series(TARGET | {"generation"}, "counter")
    known["up"] = Series(TARGET, "gauge")
    alert = {"alertname", "alertstate", "severity", "long", "short", "pool"}
    known["ALERTS"] = Series(TARGET | alert | {"workflow", "operation"}, "gauge")
    known["ALERTS_FOR_STATE"] = Series(known["ALERTS"].labels - {"alertstate"}, "gauge")
    for path in sorted(rules.glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in (rule for rule in group["rules"] if "record" in rule):
                # The level that begins the name is, by convention, the labels that are left.
                level = rule["record"].split(":")[0]
                labels = {label for label in ("job", "workflow", "operation") if label in level.split("_")}
                known[rule["record"]] = Series(frozenset(labels), "recorded")
    return known


def _of_semconv() -> Iterator[tuple[str, Series]]:
    for metric in METRICS.values():
        labels = TARGET.union(metric.labels)
        exemplars = metric.name in EXEMPLARS
        if metric.type == "histogram":
            yield f"{metric.name}_bucket", Series(labels | {"le"}, "counter", exemplars)
            yield f"{metric.name}_count", Series(labels, "counter")
            yield f"{metric.name}_sum", Series(labels, "counter")
        elif metric.type == "counter":
            yield f"{metric.name}_total", Series(labels, "counter", exemplars)
        else:
            yield metric.name, Series(labels, "gauge")


def is_known(use: MetricUse, known: dict[str, Series]) -> bool:
    """Whether the series exists, with all labels that the expression expects of it."""
    return use.metric in known and use.labels <= known[use.metric].labels


def family(sample: str) -> str:
    """The family of a sample, as semconv names it."""
    for suffix in ("_bucket", "_count", "_sum", "_total"):
        if sample.removesuffix(suffix) in METRICS:
            return sample.removesuffix(suffix)
    return sample


def families_in(expression: str) -> set[str]:
    """The families that an expression asks for."""
    return {family(use.metric) for use in metric_uses(expression)}
