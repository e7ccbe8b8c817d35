"""Ids of traces and spans."""

import random

from hypothesis import given
from hypothesis import strategies as st

from retryscope._recording.ids import OwnIds


@given(st.integers())
def test_they_are_another_each_time_whatever_somebody_seeds(seed: int) -> None:
    ids = OwnIds()
    found = set()
    for _ in range(2):
        random.seed(seed)
        found |= {ids.generate_trace_id(), ids.generate_span_id()}
    assert len(found) == 4


def test_they_are_as_long_as_they_may_be_and_never_0() -> None:
    ids = OwnIds()
    traces = [ids.generate_trace_id() for _ in range(200)]
    spans = [ids.generate_span_id() for _ in range(200)]
    assert all(0 < each < 2**128 for each in traces)
    assert all(0 < each < 2**64 for each in spans)
    assert max(traces) >= 2**120
    assert max(spans) >= 2**56


def test_nothing_is_drawn_from_the_source_of_others() -> None:
    random.seed(7)
    expected = random.random()
    random.seed(7)
    OwnIds().generate_trace_id()
    assert random.random() == expected
