"""Some requests are never answered: only the caller's own limit ends them, and it has to let go of them."""

from typing import Final

from retryscope import semconv as library
from retryscope_service import semconv
from retryscope_service.drills.drill import Claim, Drill, Load, Phase
from retryscope_service.drills.evidence import SpanLike
from retryscope_service.drills.measures import SCALE, http_run
from retryscope_service.upstream.faults import Faults

_HANG: Final = "hang"
_LIMIT: Final = 0.25
"""Seconds that an attempt may take."""
_TOLERANCE: Final = 4
"""By how much a busy machine may be late."""

DRILL: Final = Drill(
    "hang",
    f"30 % of the requests get no answer for a minute; an attempt may take {_LIMIT:g} s.",
    {
        _HANG: Phase(
            Load(http_run(attempt_timeout=_LIMIT / SCALE), runs=60),
            Faults(hang=0.3, hang_seconds=60.0, seed=1),
        )
    },
    (
        Claim(
            "Attempts end with the outcome timeout, three in ten of them.",
            lambda seen: seen[_HANG].share(library.ATTEMPTS, outcome="timeout"),
            "share",
            0.15,
            0.45,
        ),
        Claim(
            "Each of them ends at the limit of an attempt, not with the hang: what they last on average.",
            lambda seen: seen[_HANG].mean(library.ATTEMPT_DURATION, outcome="timeout"),
            "seconds",
            _LIMIT * 0.9,
            _LIMIT * _TOLERANCE,
        ),
        Claim(
            "The connection is let go of: at the upstream, too, a hanging request ends then.",
            lambda seen: seen[_HANG].mean(semconv.UPSTREAM_REQUEST_DURATION, fault="hang"),
            "seconds",
            most=_LIMIT * _TOLERANCE,
        ),
        Claim(
            "Traces show attempts whose error is their own timeout.",
            lambda seen: seen[_HANG].traces_with(
                SpanLike("attempt ", {library.ERROR_TYPE: library.ERROR_TYPE_TIMEOUT}, failed=True)
            ),
            "traces",
            1,
        ),
        Claim(
            "In the same traces the upstream says that its client has gone.",
            lambda seen: seen[_HANG].traces_with(
                SpanLike(
                    "GET ",
                    {
                        semconv.UPSTREAM_FAULT: "hang",
                        library.OUTCOME: "cancelled",
                        library.CANCEL_CAUSE: "client_disconnect",
                    },
                    failed=False,
                )
            ),
            "traces",
            1,
            in_one_process=True,
        ),
    ),
)
