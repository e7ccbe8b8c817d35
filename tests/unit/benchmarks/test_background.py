"""P8: what it says about its limits, and that it is skipped where Redis is missing."""

import random

import pytest

from benchmarks import background, redis_server
from benchmarks.receiver import Receiver
from benchmarks.rounds import Rounds
from benchmarks.worker_limits import limits, most_gained


@pytest.mark.parametrize(
    ("cores", "gain"),
    [
        pytest.param(2, 1.6, id="two cores for three processes"),
        pytest.param(8, 2.0, id="a core for each"),
    ],
)
def test_two_workers_gain_what_the_cores_allow(cores: int, gain: float) -> None:
    """Never more than twice one."""
    assert most_gained(worker=0.002, redis=0.0005, cores=cores) == pytest.approx(gain)


@pytest.mark.parametrize(
    ("ratios", "doubtful"),
    [
        pytest.param((1.6, 1.7, 1.8), False, id="plausible"),
        pytest.param((2.1, 2.2, 2.3), True, id="more than twice"),
        pytest.param((1.0, 1.7, 2.4), True, id="all over the place"),
    ],
)
def test_it_says_where_a_busy_machine_has_spoilt_it(ratios: tuple[float, ...], doubtful: bool) -> None:
    """Two processes get more of a contended core than one, which looks like a gain."""

    def sample(rate: float) -> dict[str, float]:
        return {"rate": rate, "worker": 0.002, "redis": 0.0005}

    bare = {"bare task": sample(900.0), "bare task x2": sample(1500.0)}
    taken = Rounds([{"run": sample(200.0), "run x2": sample(200.0 * each), **bare} for each in ratios])
    assert any("NOT to be relied on" in note for note in limits(taken)) is doubtful


def test_without_redis_it_is_skipped_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other goals are measured all the same."""
    monkeypatch.setattr(redis_server, "PROGRAM", "no-such-redis-server")
    result = background.measure(Receiver(0), rounds=1, rng=random.Random(1))
    assert result.findings == {}
    assert result.absent["run"] == "no-such-redis-server is not on PATH (Debian: apt install redis-server)"
