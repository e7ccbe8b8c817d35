"""Plays a drill: phase by phase faults and load, then the claims; at the end there are no faults any more."""

from dataclasses import dataclass

from retryscope_service.drills.drill import Claim, Drill, Verdict
from retryscope_service.drills.evidence import Evidence
from retryscope_service.drills.target import Target
from retryscope_service.upstream.faults import Faults


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a drill.

    Attributes:
        drill: Which.
        verdicts: One for each of its claims that can be looked at.
        left_out: Claims about spans that this service does not have.
    """

    drill: Drill
    verdicts: tuple[Verdict, ...]
    left_out: tuple[Claim, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every claim does."""
        return all(verdict.holds for verdict in self.verdicts)


async def play(drill: Drill, target: Target) -> Result:
    """Play a drill.

    However it ends, also by a cancel, the upstream is left without faults.

    Raises:
        DrillError: The service or the upstream does not answer as it should.
    """
    evidence: dict[str, Evidence] = {}
    try:
        for name, phase in drill.phases.items():
            await target.put_faults(phase.faults)
            evidence[name] = await target.observe(phase.load)
    finally:
        await target.put_faults(Faults())
    return judge(drill, evidence, in_one_process=target.in_one_process)


def judge(drill: Drill, evidence: dict[str, Evidence], *, in_one_process: bool) -> Result:
    """The verdicts on the claims of a drill."""
    able = [claim for claim in drill.claims if in_one_process or not claim.in_one_process]
    left_out = tuple(claim for claim in drill.claims if claim not in able)
    return Result(drill, tuple(claim.judge(evidence) for claim in able), left_out)
