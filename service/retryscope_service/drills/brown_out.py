"""A part of the requests fails for a while: retries hide it from users, and pay for that with load."""

from typing import Final

from retryscope import semconv as library
from retryscope_service import semconv
from retryscope_service.drills.drill import Claim, Drill, Load, Phase
from retryscope_service.drills.evidence import SpanLike
from retryscope_service.drills.measures import (
    ATTEMPT,
    amplification,
    failed_attempts,
    failed_runs,
    http_run,
)
from retryscope_service.upstream.faults import Faults

_BROWN_OUT: Final = "brown-out"

DRILL: Final = Drill(
    "brown-out",
    "The upstream answers 40 % of the requests with 500; runs retry up to four times.",
    {_BROWN_OUT: Phase(Load(http_run(), runs=150), Faults(error=0.4, seed=1))},
    (
        Claim(
            "The upstream puts the fault into two in five of the requests that it gets.",
            lambda seen: seen[_BROWN_OUT].share(semconv.UPSTREAM_REQUESTS, fault="error"),
            "share",
            0.3,
            0.5,
        ),
        Claim(
            "As many of the attempts fail.",
            lambda seen: failed_attempts(seen[_BROWN_OUT]),
            "share",
            0.3,
            0.5,
        ),
        Claim(
            "Retries hide it: of the runs fewer fail, by this many points.",
            lambda seen: failed_attempts(seen[_BROWN_OUT]) - failed_runs(seen[_BROWN_OUT]),
            "share",
            0.25,
        ),
        Claim(
            "The price is load: requests for each run, where one would do.",
            lambda seen: amplification(seen[_BROWN_OUT]),
            "times",
            1.3,
            2.1,
        ),
        Claim(
            "Traces show runs that failed, waited and then succeeded.",
            lambda seen: seen[_BROWN_OUT].traces_with(
                ATTEMPT,
                SpanLike("backoff "),
                SpanLike("workflow ", {library.OUTCOME: "success"}),
            ),
            "traces",
            1,
        ),
        Claim(
            "In the same traces the upstream's own spans name the fault.",
            lambda seen: seen[_BROWN_OUT].traces_with(
                ATTEMPT, SpanLike("GET ", {semconv.UPSTREAM_FAULT: "error"}, failed=True)
            ),
            "traces",
            1,
            in_one_process=True,
        ),
    ),
)
