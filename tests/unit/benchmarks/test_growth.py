"""P9: the power is fitted through all sizes of a round, and every kind of work does what it counts."""

import asyncio
import random

import pytest

from benchmarks import growth
from benchmarks.receiver import Receiver
from benchmarks.rounds import Rounds


@pytest.mark.parametrize("power", [1.0, 2.0], ids=["linear", "quadratic"])
def test_the_power_is_that_of_the_whole_piece(power: float) -> None:
    """A sample tells the CPU of each in it."""
    sizes = (10, 100, 1_000)
    sample = {f"spans {size}": {"cpu": 3e-6 * size ** (power - 1)} for size in sizes}
    found = growth.powers(Rounds([sample]), "spans", sizes)
    assert found.median == pytest.approx(power)


def test_each_kind_is_measured_and_loses_no_span(receiver: Receiver) -> None:
    """How many attempts were made is asserted inside, and that runs were at once."""
    sizes = {"attempts": (1, 10), "spans": (1, 10), "runs": (1, 10)}
    result = growth.measure(receiver, rounds=1, rng=random.Random(1), sizes=sizes)
    assert set(result.findings) == {"P9/attempts", "P9/spans", "P9/runs"}
    warm_up_and_sizes = 3
    assert receiver.spans("P9/runs") == warm_up_and_sizes * 10 * 2


def test_runs_wait_for_each_other() -> None:
    """Else they would be one after another."""
    asyncio.run(growth._runs(3))
