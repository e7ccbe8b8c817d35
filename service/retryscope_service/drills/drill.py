"""What a drill is: phases with faults and load, and claims about what the telemetry shows of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf, isnan
from typing import Any, Literal

from retryscope_service.drills.evidence import Evidence
from retryscope_service.upstream.faults import Faults

Kind = Literal["share", "times", "seconds", "traces", "count"]
"""What a number is of: it decides how the number is written."""
_UNITS: Mapping[Kind, str] = {"share": " %", "times": "", "seconds": " s", "traces": " trace", "count": ""}


@dataclass(frozen=True, slots=True)
class Load:
    """Runs of a workflow.

    Attributes:
        params: Its parameters.
        runs: How many.
        at_once: How many of them at a time.
        workflow: Which.
    """

    params: Mapping[str, Any]
    runs: int
    at_once: int = 10
    workflow: str = "retry"


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a drill in which the upstream does the same all the time."""

    load: Load
    faults: Faults = field(default_factory=Faults)


@dataclass(frozen=True, slots=True)
class Claim:
    """What the telemetry shows, as a sentence and as a number within bounds.

    Attributes:
        says: The sentence.
        measure: Finds the number in the evidence, by the names of the phases.
        kind: What it is of.
        least: Smallest number with which the claim holds.
        most: Largest one.
        in_one_process: It is about spans of the upstream, which only a service has that it is part of.
    """

    says: str
    measure: Callable[[Mapping[str, Evidence]], float]
    kind: Kind
    least: float = -inf
    most: float = inf
    in_one_process: bool = False

    @property
    def expected(self) -> str:
        """The bounds, in words."""
        if self.least == -inf:
            return f"at most {written(self.most, self.kind)}"
        if self.most == inf:
            return f"at least {written(self.least, self.kind)}"
        return f"{written(self.least, self.kind)} to {written(self.most, self.kind)}"

    def judge(self, evidence: Mapping[str, Evidence]) -> "Verdict":
        """Whether it holds."""
        seen = self.measure(evidence)
        return Verdict(self, seen, self.least <= seen <= self.most)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was seen of a claim: not a number where nothing was counted, and then it does not hold."""

    claim: Claim
    number: float
    holds: bool

    @property
    def seen(self) -> str:
        """The number, in words."""
        return written(self.number, self.claim.kind)


def written(number: float, kind: Kind) -> str:
    """A number with its unit.

    >>> written(0.405, "share"), written(1.2, "times"), written(float("nan"), "seconds")
    ('40.5 %', '1.2', 'nothing')
    """
    if isnan(number):
        return "nothing"
    plural = "s" if kind == "traces" and number != 1 else ""
    return f"{100 * number if kind == 'share' else number:.3g}{_UNITS[kind]}{plural}"


@dataclass(frozen=True, slots=True)
class Drill:
    """An incident.

    Attributes:
        name: What it is called on the command line.
        summary: What happens, in a sentence.
        phases: Its parts, in order, by name.
        claims: What is seen of them.
    """

    name: str
    summary: str
    phases: Mapping[str, Phase]
    claims: tuple[Claim, ...]
