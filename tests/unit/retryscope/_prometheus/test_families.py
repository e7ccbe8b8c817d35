"""The families as this library declares them."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.samples import Exemplar

from retryscope._prometheus.cells import count_of, distribution_of
from retryscope._prometheus.families import UndatedCounter, UndatedHistogram


@pytest.mark.parametrize(("ours", "theirs"), [(UndatedCounter, Counter), (UndatedHistogram, Histogram)])
def test_only_the_time_of_its_making_is_left_out(ours: Any, theirs: Any) -> None:
    texts = []
    for kind in (ours, theirs):
        registry = CollectorRegistry()
        kind("a", "A", ["l"], registry=registry).labels("x")
        texts.append(generate_latest(registry).decode().splitlines())
    undated, dated = texts
    assert undated == [line for line in dated if "a_created" not in line]
    assert undated != dated


def test_who_collects_gets_the_exemplars_of_the_client() -> None:
    """Tuples of its own type, as bridges and tests unpack them."""
    registry = CollectorRegistry()
    count_of(UndatedCounter("a", "A", registry=registry)).inc((1, 2))
    distribution_of(UndatedHistogram("h", "H", registry=registry)).observe(0.2, (3, 4))
    found = [sample.exemplar for family in registry.collect() for sample in family.samples if sample.exemplar]
    assert [(type(each), each.labels["span_id"], each.value) for each in found] == [
        (Exemplar, f"{2:016x}", 1),
        (Exemplar, f"{4:016x}", 0.2),
    ]
