"""An outage ends: success returns with the first run, and the load is what it was before."""

from typing import Final

from retryscope import semconv as library
from retryscope_service.drills.drill import Claim, Drill, Load, Phase
from retryscope_service.drills.evidence import SpanLike
from retryscope_service.drills.measures import ATTEMPT, amplification, failed_runs, http_run
from retryscope_service.upstream.faults import Faults

_OUTAGE: Final = "outage"
_AFTER: Final = "after"
_LOAD: Final = Load(http_run(max_retries=2), runs=60)

DRILL: Final = Drill(
    "recovery",
    "Every request is answered 503 for a while, and then none any more.",
    {
        _OUTAGE: Phase(_LOAD, Faults(unavailable=1.0, retry_after=0)),
        _AFTER: Phase(_LOAD),
    },
    (
        Claim(
            "During the outage the runs fail.",
            lambda seen: failed_runs(seen[_OUTAGE]),
            "share",
            0.99,
            1.0,
        ),
        Claim(
            "Their traces show retries that used up their attempts.",
            lambda seen: seen[_OUTAGE].traces_with(
                ATTEMPT, SpanLike("retry ", {library.RETRY_GIVEUP_REASON: "max_attempts"}, failed=True)
            ),
            "traces",
            1,
        ),
        Claim(
            "After it no run fails: success has returned.",
            lambda seen: failed_runs(seen[_AFTER]),
            "share",
            most=0.01,
        ),
        Claim(
            "The load is back at one request a run.",
            lambda seen: amplification(seen[_AFTER]),
            "times",
            0.99,
            1.05,
        ),
        Claim(
            "Traces show runs of the one attempt that succeeded.",
            lambda seen: (
                seen[_AFTER].traces_with(SpanLike("attempt ", failed=False))
                - seen[_AFTER].traces_with(ATTEMPT)
            ),
            "traces",
            1,
        ),
    ),
)
