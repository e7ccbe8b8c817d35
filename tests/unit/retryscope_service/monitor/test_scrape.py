"""The numbers that the console reads are those of /metrics, to the last one."""

import pytest
from prometheus_client import CollectorRegistry

from retryscope import semconv
from retryscope.metrics import metrics_for
from retryscope.operation import Operation
from retryscope_service import semconv as service_semconv
from retryscope_service.monitor.process import ProcessMetrics
from retryscope_service.monitor.scrape import LAG_BOUNDS, RUN_BOUNDS, RegistryScraper, Scrape


@pytest.fixture
def registry() -> CollectorRegistry:
    """Each family with values of its own: 1, 2, 4, … so that no two sums are the same by chance."""
    registry = CollectorRegistry()
    metrics, process_metrics = metrics_for(registry), ProcessMetrics(registry)
    for number, (workflow, name) in enumerate([("w", "a"), ("w", "b"), ("v", "a")]):
        operation = metrics.of(Operation(name, workflow=workflow))
        for _ in range(2**number):
            operation.started()
            operation.attempt("error", "ValueError", 0.2, None)
            operation.attempt("error", "KeyError", 0.2, None)
            operation.attempt("success", "", 0.2, None)
            operation.backoff(0.3)
            operation.ended("success", 0.7 + number, 3, None)
        operation.started()
        operation.cancelled("deadline")
        operation.ended("cancelled", 0.01, 1, None)
    for seconds in (0.001, 0.3, 0.3, 100.0):
        metrics.of_workflow("w").started()
        metrics.of_workflow("w").ended("timeout", seconds, None)
    metrics.of_workflow("v").started()
    metrics.dropped("queue_full", 3)
    process_metrics.add_pool("inline", lambda: 7, 200)
    process_metrics._lag.observe(0.3)
    process_metrics._lag.observe(60.0)
    return registry


@pytest.fixture
def scrape(registry: CollectorRegistry) -> Scrape:
    return RegistryScraper(registry).scrape()


def exposed(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """The sum of the series of /metrics that have these labels."""
    found = [
        sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert found
    return sum(found)


def test_of_runs(scrape: Scrape, registry: CollectorRegistry) -> None:
    name = semconv.WORKFLOW_DURATION.name
    assert scrape.runs["w", "timeout"] == exposed(registry, f"{name}_count", workflow="w", outcome="timeout")
    assert sum(scrape.runs.values()) == exposed(registry, f"{name}_count") == 4
    for bound, count in zip(RUN_BOUNDS, scrape.run_buckets, strict=True):
        le = "+Inf" if bound == RUN_BOUNDS[-1] else str(bound)
        assert count == exposed(registry, f"{name}_bucket", le=le)
    assert scrape.in_flight == {("w",): 0.0, ("v",): 1.0}


def test_of_operations(scrape: Scrape, registry: CollectorRegistry) -> None:
    name = semconv.OPERATION_DURATION.name
    for workflow, operation in (("w", "a"), ("w", "b"), ("v", "a")):
        labels = {"workflow": workflow, "operation": operation}
        for outcome in ("success", "error", "timeout", "exhausted", "cancelled"):
            ended = exposed(registry, f"{name}_count", **labels, outcome=outcome)
            assert scrape.operations[workflow, operation, outcome] == ended
        for outcome in ("success", "error", "timeout", "cancelled"):
            attempts = exposed(registry, "resilience_attempts_total", **labels, outcome=outcome)
            assert scrape.attempts[workflow, operation, outcome] == attempts
    assert scrape.operation_seconds == pytest.approx(exposed(registry, f"{name}_sum"))
    waited = exposed(registry, f"{semconv.BACKOFF_DURATION.name}_sum")
    assert scrape.backoff_seconds == pytest.approx(waited) == pytest.approx(7 * 0.3)
    assert scrape.cancellations["deadline"] == exposed(
        registry, "resilience_cancellations_total", cause="deadline"
    )
    assert sum(scrape.cancellations.values()) == exposed(registry, "resilience_cancellations_total")


def test_of_the_process(scrape: Scrape, registry: CollectorRegistry) -> None:
    assert scrape.pool_in_flight == {("inline",): 7.0}
    assert scrape.pool_limit == {("inline",): 200.0}
    assert scrape.dropped == {
        ("queue_full",): 3.0,
        ("export_failed",): 0.0,
        ("rejected",): 0.0,
        ("already_shutdown",): 0.0,
    }
    for bound, count in zip(LAG_BOUNDS, scrape.lag_buckets, strict=True):
        le = "+Inf" if bound == LAG_BOUNDS[-1] else str(bound)
        assert count == exposed(registry, f"{service_semconv.EVENT_LOOP_LAG.name}_bucket", le=le)


def test_of_an_operation_that_is_declared_later() -> None:
    registry = CollectorRegistry()
    scraper = RegistryScraper(registry)
    assert scraper.scrape() == Scrape(
        cancellations={},
        dropped=dict.fromkeys(
            [("queue_full",), ("export_failed",), ("rejected",), ("already_shutdown",)], 0.0
        ),
    )
    metrics_for(registry).of(Operation("late", workflow="w")).attempt("timeout", "timeout", 0.2, None)
    assert scraper.scrape().attempts["w", "late", "timeout"] == 1
