"""P6: in every outage each span arrives or is counted, and the collector's return is noticed."""

import random

from benchmarks import outages
from benchmarks.receiver import Receiver


def test_each_outage_is_gone_through_and_every_span_is_accounted_for(receiver: Receiver) -> None:
    """What is made after it has ended arrives, in the same process."""
    size = outages.Size(callers=5, calls_each=2, after=2)
    result = outages.measure(receiver, rounds=1, rng=random.Random(1), size=size)
    found = result.findings
    assert set(found) == {"P6/gone", "P6/slow", "P6/refusing", "P6/memory", "P6/lost", "P6/recovery"}
    assert found["P6/lost"].value == 0
    assert found["P6/recovery"].value == 1
