"""The result of a load as a JSON document, and whether it kept its thresholds."""

from dataclasses import dataclass
from typing import Any

from retryscope_service.load.generator import TOLERATED_DELAY
from retryscope_service.load.histogram import PRECISION
from retryscope_service.load.tally import LoadNumbers, Tally


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What must hold at the end; None: anything goes.

    Attributes:
        failure_ratio: Most failures, as a share of the requests due.
        p99: Most seconds of the corrected 99th percentile.
    """

    failure_ratio: float | None = None
    p99: float | None = None

    def broken(self, total: Tally) -> list[str]:
        """What does not hold, in words."""
        if (self.failure_ratio, self.p99) == (None, None):
            return []
        if not total.corrected.count:
            return ["nothing was measured: no request was due, or each was hung up on purpose"]
        found = []
        if self.failure_ratio is not None and total.failure_ratio > self.failure_ratio:
            found.append(
                f"{total.failure_ratio:.2%} of the requests failed; --max-failure-ratio is"
                f" {self.failure_ratio:g}"
            )
        if self.p99 is not None:
            p99 = total.corrected.percentile(99)
            if p99 is None or p99 > self.p99:
                said = f"unknown, {unknown(total)}" if p99 is None else f"{p99:.3f} s"
                found.append(f"the 99th percentile is {said}; --max-p99 is {self.p99:g}")
        return found


def unknown(total: Tally) -> str:
    """How many requests have no latency, and why, in words."""
    reasons = {
        "not sent, as --max-in-flight were outstanding": total.not_sent,
        "without an answer at the end": total.abandoned,
    }
    said = "; ".join(f"{number} {reason}" for reason, number in reasons.items() if number)
    return f"{total.corrected.unknown} of {total.corrected.count} requests have no latency ({said})"


def warnings(numbers: LoadNumbers) -> list[str]:
    """What makes the numbers less than they seem, in words."""
    found = []
    if numbers.late or numbers.longest_delay > TOLERATED_DELAY:
        late = f"{numbers.late} requests that were due were not sent at all, " if numbers.late else ""
        found.append(
            f"this load was up to {numbers.longest_delay:.2f} s behind its schedule:"
            f" {late}so the numbers say more about the machine that sends than about the service;"
            " lower --rate, or send from more machines"
        )
    if numbers.total.corrected.unknown:
        found.append(f"{unknown(numbers.total)}: percentiles that would be theirs are unknown")
    return found


def report(numbers: LoadNumbers, *, seconds: float, settings: dict[str, Any]) -> dict[str, Any]:
    """The whole result as a JSON document.

    Args:
        numbers: What was counted.
        seconds: For how long requests were sent.
        settings: How it was called: it comes first, as it is.
    """
    return {
        **settings,
        "seconds": round(seconds, 3),
        "latency_precision": PRECISION,
        "warnings": warnings(numbers),
        "client": {
            "not_sent": numbers.late,
            "longest_delay_seconds": round(numbers.longest_delay, 6),
        },
        "total": _tally(numbers.total, seconds),
        "workflows": {name: _tally(tally, seconds) for name, tally in sorted(numbers.workflows.items())},
    }


def _tally(tally: Tally, seconds: float) -> dict[str, Any]:
    return {
        "sent": tally.sent,
        "sent_per_second": round(tally.sent / seconds, 3) if seconds else None,
        "not_sent": tally.not_sent,
        "succeeded": tally.succeeded,
        "failed": tally.failed,
        "hung_up": tally.hung_up,
        "abandoned": tally.abandoned,
        "failure_ratio": round(tally.failure_ratio, 6),
        "statuses": {str(status): number for status, number in sorted(tally.statuses.items())},
        "outcomes": dict(sorted(tally.outcomes.items())),
        "errors": {
            kind: {"count": error.count, "first": error.first} for kind, error in sorted(tally.errors.items())
        },
        "latency_seconds": tally.latency.summary(),
        "corrected_latency_seconds": tally.corrected.summary(),
    }
