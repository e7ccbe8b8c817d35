"""Claims: a number within bounds; how both are written."""

from math import inf, nan

import pytest

from retryscope_service.drills.catalogue import DRILLS
from retryscope_service.drills.drill import Claim, Kind
from retryscope_service.drills.evidence import Evidence


def claim(number: float, kind: Kind = "times", least: float = -inf, most: float = inf) -> Claim:
    return Claim("It is so.", lambda seen: number, kind, least, most)


@pytest.mark.parametrize(
    ("number", "holds"),
    [(0.9, False), (1.0, True), (1.2, True), (1.21, False), (nan, False)],
)
def test_a_claim_holds_within_its_bounds(number: float, holds: bool) -> None:
    """Where nothing was counted it does not."""
    assert claim(number, least=1.0, most=1.2).judge({}).holds is holds


@pytest.mark.parametrize(
    ("given", "expected", "seen"),
    [
        (claim(0.405, "share", 0.3, 0.5), "30 % to 50 %", "40.5 %"),
        (claim(1.1111, "times", most=1.2), "at most 1.2", "1.11"),
        (claim(0.25, "seconds", least=0.2), "at least 0.2 s", "0.25 s"),
        (claim(3, "traces", least=1), "at least 1 trace", "3 traces"),
        (claim(nan, "seconds", least=0.2), "at least 0.2 s", "nothing"),
    ],
)
def test_bounds_and_number_are_written_with_their_unit(given: Claim, expected: str, seen: str) -> None:
    assert (given.expected, given.judge({}).seen) == (expected, seen)


@pytest.mark.parametrize("name", DRILLS)
def test_every_drill_has_claims_on_metrics_and_on_traces(name: str) -> None:
    kinds = {each.kind for each in DRILLS[name].claims}
    assert "traces" in kinds
    assert kinds - {"traces"}


@pytest.mark.parametrize("name", DRILLS)
def test_no_claim_holds_where_nothing_was_recorded(name: str) -> None:
    """A service that records nothing, or calls another upstream, must not look healthy."""
    nothing = dict.fromkeys(DRILLS[name].phases, Evidence())
    assert [each.says for each in DRILLS[name].claims if each.judge(nothing).holds] == []
