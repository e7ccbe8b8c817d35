"""P13: what is measured is the page's own span processors, fed with every span of the runs."""

import random

from benchmarks import page_spans
from benchmarks.receiver import Receiver


def test_a_span_and_what_the_page_adds_to_it_are_measured_apart() -> None:
    receiver = Receiver(0)  # nothing is exported
    size = page_spans.Size(runs=2, traces=2)
    result = page_spans.measure(receiver, rounds=2, rng=random.Random(1), size=size)
    assert set(result.findings) == {"P13"}
    assert list(result.variants) == ["off", "spans", "page"]
    assert result.notes[0].startswith("a span: ")
