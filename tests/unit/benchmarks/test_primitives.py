"""P12: failures with stack traces, timeouts and gathers do the same work in every variant."""

import asyncio
import random
import traceback

import pytest

from benchmarks import primitives, stack_traces
from benchmarks.receiver import Receiver
from benchmarks.rounds import Rounds


@pytest.mark.parametrize("frames", stack_traces.FRAMES)
def test_a_failure_has_as_many_frames_as_it_says_and_python_folds_none(frames: int) -> None:
    """Else a trace of 15 frames would be formatted as one of five."""
    with pytest.raises(Exception, match="with a stack trace") as failed:
        asyncio.run(stack_traces._work(frames))
    work = [entry for entry in traceback.extract_tb(failed.tb) if entry.filename == stack_traces.__file__]
    assert len(work) == frames
    assert "repeated" not in "".join(traceback.format_tb(failed.tb))


def test_what_is_added_is_beyond_success_and_beyond_raising() -> None:
    bare = {"0": 1.0, "15": 11.0, "3": 4.0}
    ours = {"0": 5.0, "15": 17.0, "3": 9.0}
    sample = {"bare": bare, "record_exception": ours, "sdk path": ours, "fast path": ours}
    (found,) = stack_traces.added(Rounds([sample])).samples
    assert found["fast path"] == {"15": 2.0, "3": 1.0}


def test_stack_traces_are_measured_in_every_way(receiver: Receiver) -> None:
    paths = ("P12/fast-path", "P12/sdk-path")
    before = [receiver.spans(path) for path in paths]
    result = stack_traces.measure(receiver, rounds=1, rng=random.Random(1), calls=2)
    assert set(result.findings) == {"P12/15 frames", "P12/3 frames"}
    assert result.variants == ("record_exception", "sdk path", "fast path")
    arrived = [receiver.spans(path) - sooner for path, sooner in zip(paths, before, strict=True)]
    assert arrived == [2 * 3 * 2] * 2


def test_timeouts_and_gathers_are_measured_in_every_way(receiver: Receiver) -> None:
    """Whether each fired, and each call of the ten answered, is asserted inside."""
    result = primitives.measure(receiver, rounds=1, rng=random.Random(1), calls=2)
    assert set(result.findings) == {"P12/timeout", "P12/gather"}
    assert set(result.rounds.samples[0]) == {"asyncio", "sdk path", "fast path"}
