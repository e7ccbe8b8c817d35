"""Playing a drill: faults before load, claims after it, and no faults at the end whatever happens."""

import asyncio
from math import inf
from typing import cast

import pytest

from retryscope_service.drills.drill import Claim, Drill, Load, Phase
from retryscope_service.drills.evidence import Evidence
from retryscope_service.drills.play import play
from retryscope_service.drills.target import DrillError, Target
from retryscope_service.upstream.faults import Faults

FIRST, SECOND = Load({}, runs=1), Load({}, runs=2)
NONE, SOME = Faults(), Faults(error=1.0)


class Stub:
    """A target that notes what is asked of it."""

    def __init__(self, *, in_one_process: bool = True, fails: bool = False, hangs: bool = False) -> None:
        self.asked: list[object] = []
        self.in_one_process = in_one_process
        self._fails = fails
        self._hangs = hangs

    async def put_faults(self, faults: Faults) -> None:
        await asyncio.sleep(0)
        self.asked.append(faults)

    async def observe(self, load: Load) -> Evidence:
        self.asked.append(load)
        if self._fails:
            raise DrillError("gone")
        if self._hangs:
            await asyncio.sleep(inf)
        return Evidence(workflow=str(load.runs))


def target(stub: Stub) -> Target:
    return cast("Target", stub)


def drill(*claims: Claim) -> Drill:
    return Drill("d", "It happens.", {"a": Phase(FIRST, SOME), "b": Phase(SECOND)}, claims)


def runs_of_b(most: float, *, in_one_process: bool = False) -> Claim:
    return Claim(
        "Runs.",
        lambda seen: float(seen["b"].workflow),
        "count",
        most=most,
        in_one_process=in_one_process,
    )


async def test_each_phase_has_its_faults_and_there_are_none_afterwards() -> None:
    stub = Stub()
    await play(drill(), target(stub))
    assert stub.asked == [SOME, FIRST, NONE, SECOND, NONE]


async def test_it_holds_only_where_every_claim_does() -> None:
    assert (await play(drill(runs_of_b(2), runs_of_b(3)), target(Stub()))).holds
    result = await play(drill(runs_of_b(2), runs_of_b(1)), target(Stub()))
    assert not result.holds
    assert [verdict.holds for verdict in result.verdicts] == [True, False]


async def test_claims_about_spans_that_are_elsewhere_are_left_out_and_named() -> None:
    claims = (runs_of_b(2), runs_of_b(1, in_one_process=True))
    result = await play(drill(*claims), target(Stub(in_one_process=False)))
    assert ([verdict.claim for verdict in result.verdicts], result.left_out) == ([claims[0]], (claims[1],))
    assert result.holds


async def test_an_error_leaves_no_faults_behind() -> None:
    stub = Stub(fails=True)
    with pytest.raises(DrillError):
        await play(drill(), target(stub))
    assert stub.asked == [SOME, FIRST, NONE]


async def test_a_cancel_leaves_no_faults_behind() -> None:
    stub = Stub(hangs=True)
    playing = asyncio.create_task(play(drill(), target(stub)))
    await asyncio.sleep(1)
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    assert stub.asked == [SOME, FIRST, NONE]
