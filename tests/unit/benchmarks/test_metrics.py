"""P7 and cells: what is compared is the same text, and the same counts."""

import random

import pytest
from prometheus_client import generate_latest

from benchmarks import counting, scrapes
from benchmarks.receiver import Receiver


@pytest.fixture
def receiver() -> Receiver:
    """Nothing is exported."""
    return Receiver(0)


def test_something_happens_in_every_label_set() -> None:
    """No series of an operation stays at zero, so that every child has to be written again."""
    registry, operations = scrapes.declared(300)
    scrapes.happen(operations, random.Random(1))
    quiet = [
        line
        for line in generate_latest(registry).decode().splitlines()
        if "scraped_0" in line and "_count{" in line and line.endswith(" 0.0") and "workflow_dur" not in line
    ]
    assert quiet == []


def test_a_scrape_is_measured_with_what_it_holds(receiver: Receiver) -> None:
    result = scrapes.measure(
        receiver, rounds=1, rng=random.Random(1), size=scrapes.Size(series=300, scrapes=1)
    )
    assert set(result.findings) == {"P7/all", "P7/tenth", "P7/none", "P7/held"}
    assert all(finding.value > 0 for finding in result.findings.values())
    assert all(sample["held"] > 0 for each in result.rounds.samples for sample in each.values())


def test_cells_and_client_count_the_same(receiver: Receiver) -> None:
    """Every family that a call touches, with its exemplars."""
    ways = counting._ways()
    result = counting.measure(receiver, rounds=1, rng=random.Random(1), calls=10)
    assert set(result.variants) == set(ways)
    assert set(result.findings) == {"cells/success", "cells/failure"}
