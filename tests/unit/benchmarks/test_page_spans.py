"""P13: what is measured is the page's own span processors, fed with every span of the runs."""

import random

from benchmarks import page_spans
from benchmarks.receiver import Receiver
from benchmarks.report import render


def test_a_span_and_what_the_page_adds_to_it_are_measured_apart() -> None:
    receiver = Receiver(0)  # nothing is exported
    size = page_spans.Size(runs=2, traces=2)
    result = page_spans.measure(receiver, rounds=2, rng=random.Random(1), size=size)
    assert [goal.name for goal in result.goals] == ["P13"]
    assert list(result.variants) == ["off", "spans", "page"]
    assert "a span: " in render(result)
