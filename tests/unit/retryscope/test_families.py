"""Families of metrics by the rows of the tables."""

from prometheus_client import CollectorRegistry, generate_latest

from retryscope.families import counter, gauge, histogram
from retryscope.semconv import ATTEMPTS, OPERATION_DURATION, OPERATIONS_IN_FLIGHT


def test_a_family_is_what_its_row_says() -> None:
    registry = CollectorRegistry()
    counter(ATTEMPTS, registry).labels("w", "o", "error", "OSError").inc()
    gauge(OPERATIONS_IN_FLIGHT, registry).labels("w", "o").set(3)
    duration = histogram(OPERATION_DURATION, registry)
    duration.labels("w", "o", "error").observe(1)
    families = {family.name: family for family in registry.collect()}
    assert {name: (family.type, family.documentation) for name, family in families.items()} == {
        ATTEMPTS.name.removesuffix("_total"): ("counter", ATTEMPTS.help),
        OPERATIONS_IN_FLIGHT.name: ("gauge", OPERATIONS_IN_FLIGHT.help),
        OPERATION_DURATION.name: ("histogram", OPERATION_DURATION.help),
    }
    buckets = [
        sample.labels["le"] for sample in families[OPERATION_DURATION.name].samples if "le" in sample.labels
    ]
    assert [float(each) for each in buckets] == [*(OPERATION_DURATION.buckets or ()), float("inf")]


def test_none_has_a_series_that_says_when_it_was_made() -> None:
    """Nobody asks for it, and it would be twice as many of a counter."""
    registry = CollectorRegistry()
    counter(ATTEMPTS, registry).labels("w", "o", "error", "OSError").inc()
    histogram(OPERATION_DURATION, registry).labels("w", "o", "error").observe(1)
    assert b"_created" not in generate_latest(registry)
