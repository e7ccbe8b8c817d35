"""Sets of outcomes, as the queries ask for them."""

import re

from hypothesis import given
from hypothesis import strategies as st

from retryscope import outcome
from retryscope.outcome import OUTCOMES
from retryscope_service.slo import promql, traceql

SOME = st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=len(OUTCOMES) - 1, unique=True)
MATCHER = re.compile(r'(?P<label>[\w.]+) ?(?P<operator>=~|!=|=) ?"(?P<pattern>[^"]+)"')


def matched(condition: str, label: str) -> set[str]:
    """Which outcomes a matcher of PromQL or a condition of TraceQL lets through."""
    parts = MATCHER.fullmatch(condition)
    assert parts
    assert parts["label"] == label
    every: set[str] = set(OUTCOMES)
    found = {each for each in every if re.fullmatch(parts["pattern"], each)}
    return every - found if parts["operator"] == "!=" else found


@given(SOME)
def test_some_outcomes_are_matched_and_no_others(outcomes: list[str]) -> None:
    assert matched(promql.ended(*outcomes), "outcome") == set(outcomes)
    assert matched(traceql.has_outcome(*outcomes), "span.resilience.outcome") == set(outcomes)


def test_what_failed_and_what_counts_is_what_the_library_says() -> None:
    assert matched(promql.FAILED, "outcome") == set(outcome.FAILED)
    assert matched(promql.COUNTED, "outcome") == set(outcome.COUNTED)
    assert matched(traceql.FAILED, "span.resilience.outcome") == set(outcome.FAILED)


def test_an_attempt_is_never_exhausted() -> None:
    assert matched(promql.FAILED_ATTEMPTS, "outcome") == {"error", "timeout"}
