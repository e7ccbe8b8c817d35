"""All requests fail: retries multiply the load on what is down already, unless a budget bounds them."""

from typing import Final

from retryscope import semconv as library
from retryscope_service.drills.drill import Claim, Drill, Load, Phase
from retryscope_service.drills.evidence import Evidence, SpanLike, ratio
from retryscope_service.drills.measures import amplification, http_run
from retryscope_service.upstream.faults import Faults

_BEFORE: Final = "before"
_TEXTBOOK: Final = "textbook"
_BUDGET: Final = "budget"
_RUNS: Final = 100
"""Ten retries, which a full budget has, are a tenth of that; and so many successes fill it."""


def _gave_up(evidence: Evidence, reason: str) -> float:
    """The share of runs whose retries gave up for a reason."""
    runs = evidence.count(library.WORKFLOW_DURATION)
    return ratio(evidence.count(library.RETRY_GIVEUPS, reason=reason), runs)


DRILL: Final = Drill(
    "retry-storm",
    "Every request fails; runs retry up to four times, first as in the textbook, then with a retry budget.",
    {
        _BEFORE: Phase(Load(http_run(budget=True), _RUNS)),
        _TEXTBOOK: Phase(Load(http_run(), _RUNS), Faults(error=1.0)),
        _BUDGET: Phase(Load(http_run(budget=True), _RUNS), Faults(error=1.0)),
    },
    (
        Claim(
            "The textbook's policy multiplies the load: requests to the upstream for each run.",
            lambda seen: amplification(seen[_TEXTBOOK]),
            "times",
            4.9,
            5.1,
        ),
        Claim(
            "With the budget there is hardly more than one.",
            lambda seen: amplification(seen[_BUDGET]),
            "times",
            1.001,
            1.2,
        ),
        Claim(
            "Without it every run uses up its attempts.",
            lambda seen: _gave_up(seen[_TEXTBOOK], "max_attempts"),
            "share",
            0.99,
            1.0,
        ),
        Claim(
            "With it, nearly every run gives up because the budget is spent.",
            lambda seen: _gave_up(seen[_BUDGET], "budget"),
            "share",
            0.9,
            1.0,
        ),
        Claim(
            "Traces say so: retries that gave up for the budget.",
            lambda seen: seen[_BUDGET].traces_with(
                SpanLike("retry ", {library.RETRY_GIVEUP_REASON: "budget"}, failed=True)
            ),
            "traces",
            1,
        ),
    ),
)
