"""Every request takes longer, and none fails: only durations tell."""

from collections.abc import Mapping
from typing import Final

from retryscope import semconv as library
from retryscope.names import Metric
from retryscope_service import semconv
from retryscope_service.drills.drill import Claim, Drill, Load, Phase
from retryscope_service.drills.evidence import Evidence, SpanLike, ratio
from retryscope_service.drills.measures import failed_attempts, http_run
from retryscope_service.upstream.faults import Faults
from retryscope_service.upstream.latency import Fixed

_BEFORE: Final = "before"
_SLOW: Final = "slow"
_LATENCY: Final = 0.3
_LOAD: Final = Load(http_run(), runs=60)


def _slower(seen: Mapping[str, Evidence], metric: Metric) -> float:
    """By how many seconds the mean of a histogram grew."""
    return seen[_SLOW].mean(metric) - seen[_BEFORE].mean(metric)


DRILL: Final = Drill(
    "slow-dependency",
    f"Every request takes {_LATENCY:g} s longer than before.",
    {
        _BEFORE: Phase(_LOAD),
        _SLOW: Phase(_LOAD, Faults(latency=Fixed(distribution="fixed", seconds=_LATENCY))),
    },
    (
        Claim(
            "The upstream's requests take longer: by how much on average.",
            lambda seen: _slower(seen, semconv.UPSTREAM_REQUEST_DURATION),
            "seconds",
            _LATENCY * 0.8,
        ),
        Claim(
            "The runs get slower by as much.",
            lambda seen: _slower(seen, library.WORKFLOW_DURATION),
            "seconds",
            _LATENCY * 0.8,
        ),
        Claim(
            "No count of errors says so: attempts that fail.",
            lambda seen: failed_attempts(seen[_SLOW]),
            "share",
            most=0.01,
        ),
        Claim(
            "The time is lost in the attempts, and not in waiting between them: their part of it.",
            lambda seen: ratio(
                seen[_SLOW].seconds(library.ATTEMPT_DURATION), seen[_SLOW].seconds(library.OPERATION_DURATION)
            ),
            "share",
            0.95,
            1.01,
        ),
        Claim(
            "Traces show attempts that took so long and did not fail.",
            lambda seen: seen[_SLOW].traces_with(SpanLike("attempt ", failed=False, seconds=_LATENCY)),
            "traces",
            1,
        ),
    ),
)
