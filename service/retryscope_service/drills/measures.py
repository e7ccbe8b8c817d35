"""Numbers that several drills look at."""

from typing import Final

from retryscope import semconv as library
from retryscope_service import semconv
from retryscope_service.drills.evidence import Evidence, SpanLike, ratio

SCALE: Final = 0.05
"""Of the durations in the runs: a backoff of half a second becomes 25 ms."""

ATTEMPT: Final = SpanLike("attempt ", failed=True)
"""An attempt that failed."""


def http_run(**params: object) -> dict[str, object]:
    """Parameters of a run that calls the upstream, which decides alone whether a call fails."""
    return {"operation": "http", "failure_rate": 0, "time_scale": SCALE, **params}


def amplification(evidence: Evidence) -> float:
    """Requests that the upstream saw, for each run."""
    return ratio(evidence.count(semconv.UPSTREAM_REQUESTS), evidence.count(library.WORKFLOW_DURATION))


def failed_attempts(evidence: Evidence) -> float:
    """The share of attempts that did not succeed."""
    return 1 - evidence.share(library.ATTEMPTS, outcome="success")


def failed_runs(evidence: Evidence) -> float:
    """The share of runs that did not succeed."""
    return 1 - evidence.share(library.WORKFLOW_DURATION, outcome="success")
