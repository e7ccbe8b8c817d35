"""What a measured number says of its target."""

import pytest

from benchmarks.findings import Finding, verdict
from benchmarks.rounds import Ratio
from benchmarks.targets import TARGETS, Target

COST = Target("P1/tenacity", "ours to tenacity", 0.7, 0.33)
SHARE = Target("P8/bare", "ours to bare", 0.65, 0.85, "at least")


@pytest.mark.parametrize(
    ("target", "value", "said"),
    [
        pytest.param(COST, 0.71, "FALL SHORT", id="costs more"),
        pytest.param(COST, 0.7, "PASS", id="costs what it may"),
        pytest.param(COST, 0.33, "PASS, GOAL", id="costs what it is to"),
        pytest.param(SHARE, 0.64, "FALL SHORT", id="does less"),
        pytest.param(SHARE, 0.65, "PASS", id="does what it must"),
        pytest.param(SHARE, 0.9, "PASS, GOAL", id="does more than it is to"),
    ],
)
def test_the_verdict_says_whether_bound_and_goal_are_reached(target: Target, value: float, said: str) -> None:
    """Bound and goal themselves are good enough."""
    assert verdict(target, Finding(value)) == said


def test_what_nobody_has_measured_is_said() -> None:
    """No number stands in for it."""
    assert verdict(COST, None) == "NOT MEASURED"


def test_a_ratio_has_its_quartiles() -> None:
    assert Finding.of(Ratio(median=3.0, low=2.5, high=3.5)) == Finding(3.0, 2.5, 3.5)


def test_every_target_has_a_key_of_its_own_and_a_goal_no_weaker_than_its_bound() -> None:
    assert len({target.key for target in TARGETS}) == len(TARGETS)
    for target in TARGETS:
        assert verdict(target, Finding(target.goal)) == "PASS, GOAL", target
