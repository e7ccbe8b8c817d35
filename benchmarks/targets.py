"""The targets: what is claimed of each measurement, what it must reach, and where it is to get.

The only place where such a number stands. Measurements fill in what they found (:mod:`.findings`), under the
key of the target; one that nobody has measured says so.
"""

from dataclasses import dataclass
from typing import Final, Literal

Sense = Literal["at most", "at least"]
"""How bound and goal are meant."""


@dataclass(frozen=True, slots=True)
class Target:
    """A row of the result.

    Attributes:
        key: Number of the measurement, and which of its rows.
        claim: What is compared with what; a ratio, if nothing else is said.
        bound: What a product has to reach.
        goal: Where it is to get.
        sense: Which side of the two is the good one.
        required: Whether missing the bound is an error and not only a fact.
    """

    key: str
    claim: str
    bound: float
    goal: float
    sense: Sense = "at most"
    required: bool = False

    @property
    def number(self) -> str:
        return self.key.partition("/")[0]


TARGETS: Final = (
    Target(
        "P1/tenacity", "200 tasks, 20 % failing, traced and exported: CPU to tenacity untraced", 0.70, 0.33
    ),
    Target("P1/bare", "the same, to the bare loop", 7.0, 4.0),
    Target(
        "P1/lean", "the same on the SDK path, to the textbook's instrumentation", 0.80, 0.80, required=True
    ),
    Target("P1s/tenacity", "200 tasks, none failing: CPU to tenacity untraced", 0.60, 0.30),
    Target("P2/bare", "requests, traced and counted: share of the bare handler's", 0.55, 0.70, "at least"),
    Target("P2/contrib", "the same, to the contrib instrumentation's", 4.0, 6.0, "at least"),
    Target("P3", "p99 of a request to the bare handler's, at half of the bare one's rate", 1.5, 1.2),
    Target("P4", "memory of a task asleep in backoff, spans open, to the bare loop", 1.85, 1.5),
    Target("P5/10k/cpu", "10,000 asleep at once: CPU to the bare loop", 3.3, 1.8),
    Target("P5/10k/time", "10,000 asleep at once: time to tenacity untraced", 0.60, 0.45),
    Target("P5/10k/lost", "10,000 asleep at once: spans neither exported nor counted", 0, 0, required=True),
    Target("P5/100k/cpu", "100,000 asleep at once: CPU to the bare loop", 3.3, 1.8),
    Target("P5/100k/time", "100,000 asleep at once: time to tenacity untraced", 0.60, 0.45),
    Target("P5/100k/lost", "100,000 asleep at once: spans neither exported nor counted", 0, 0, required=True),
    Target("P6/gone", "calls a second while the collector is gone, to normal", 0.95, 0.98, "at least"),
    Target("P6/slow", "calls a second while the collector is slow, to normal", 0.95, 0.98, "at least"),
    Target("P6/refusing", "calls a second while the collector refuses, to normal", 0.95, 0.98, "at least"),
    Target("P6/memory", "memory after as many drops again, to when the queue was full", 1.05, 1.02),
    Target("P6/lost", "spans of an outage neither exported nor counted", 0, 0, required=True),
    Target("P6/recovery", "share of spans that arrive once it is back, no restart", 1, 1, "at least"),
    Target("P7/all", "a scrape of 10,000 series, all changed, to generate_latest", 0.15, 0.06),
    Target("P7/tenth", "a scrape of 10,000 series, a tenth changed, to generate_latest", 0.15, 0.06),
    Target("P7/none", "a scrape of 10,000 series, none changed, to generate_latest", 0.15, 0.06),
    Target("P7/held", "longest that a scrape holds the event loop, to generate_latest", 0.02, 0.02),
    Target("P8/bare", "background runs a second, to bare docket tasks", 0.65, 0.85, "at least"),
    Target("P8/two", "background runs a second, two workers to one", 1.7, 1.9, "at least"),
    Target("P9/attempts", "CPU grows with attempts to the power of (5 to 5,000)", 1.1, 1.05),
    Target("P9/spans", "CPU grows with the spans of a trace to the power of (5 to 5,000)", 1.1, 1.05),
    Target("P9/runs", "CPU grows with runs at once to the power of (1 to 1,000)", 1.1, 1.05),
    Target(
        "P10/success",
        "a request with a retry that succeeds: share of the bare handler's",
        0.36,
        0.55,
        "at least",
    ),
    Target("P10/failure", "a request with a retry that fails once: share of bare", 0.25, 0.35, "at least"),
    Target(
        "P10/tenacity", "a request with a traced retry, to tenacity untraced in it", 0.80, 1.2, "at least"
    ),
    Target(
        "P11", "p99 of a round trip beside 4,000 exported spans a second, to a no-op processor", 1.2, 1.05
    ),
    Target("P12/15 frames", "what a stack trace of 15 frames adds, to record_exception", 0.04, 0.02),
    Target("P12/3 frames", "what a stack trace of 3 frames adds, to record_exception", 0.08, 0.05),
    Target("P12/timeout", "a timeout that fires, to asyncio's", 2.8, 1.5),
    Target("P12/gather", "a gather of 10, to asyncio's", 2.2, 1.5),
    Target("P13", "what the page adds to a span, to the span", 1.0, 0.5),
    Target("cells/success", "counting a success, to the client's methods", 0.5, 0.5),
    Target("cells/failure", "counting a failure, to the client's methods", 0.5, 0.5),
)
