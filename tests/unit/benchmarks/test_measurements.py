"""Each measurement of retries and sleepers runs, with tiny sizes."""

import gc
import random
import sys
from collections.abc import Callable, Iterator

import pytest

from benchmarks import first_tries, retries, sleepers_burst, sleepers_memory
from benchmarks.receiver import Receiver
from benchmarks.result import Result
from benchmarks.variants import present

TINY = retries.Size(10, 1, shortest_sample=0.0)
SMALL: dict[str, Callable[[Receiver], Result]] = {
    "P1": lambda receiver: retries.measure(receiver, rounds=1, rng=random.Random(1), size=TINY),
    "P1s": lambda receiver: first_tries.measure(receiver, rounds=1, rng=random.Random(1), size=TINY),
    "P4": lambda receiver: sleepers_memory.measure(receiver, rounds=1, rng=random.Random(1), callers=50),
    "P5": lambda receiver: sleepers_burst.measure(receiver, rounds=2, rng=random.Random(1), callers=50),
}
FINDINGS = {
    "P1": {"P1/tenacity", "P1/bare", "P1/lean"},
    "P1s": {"P1s/tenacity"},
    "P4": {"P4"},
    "P5": {"P5/10k/cpu", "P5/10k/time", "P5/10k/lost"},
}


@pytest.fixture
def young_heap() -> Iterator[None]:
    """Each sample collects the garbage first; what all the tests before have left would make that slow."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.skipif(sys.platform == "win32", reason="reads the resident set as Unix tells it")
@pytest.mark.usefixtures("young_heap")
@pytest.mark.parametrize("name", SMALL)
def test_each_measurement_has_every_variant_and_finds_what_it_is_for(name: str, receiver: Receiver) -> None:
    """And no span is lost: that is asserted where they are counted."""
    result = SMALL[name](receiver)
    assert result.variants == (present() if name != "P5" else sleepers_burst._USUAL)
    assert all(set(sample) == set(result.variants) for sample in result.rounds.samples)
    assert set(result.findings) == FINDINGS[name]
    if name == "P5":
        assert result.findings["P5/10k/lost"].value == 0.0


def test_calls_that_fail_have_the_spans_of_a_retry() -> None:
    """The goals on lost spans rest on it."""
    assert retries.Size(10, 1).spans == 2 * 4 + 8 * 2
    assert retries.Size(10, 1, fail_every=0).spans == 10 * 2
