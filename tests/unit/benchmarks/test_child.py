"""Work in a process of its own."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks import child
from benchmarks.rounds import Sample


@contextmanager
def open_work(start: int) -> Iterator[Callable[..., Sample]]:
    """What the processes of these tests do: count on, and say who they are."""
    taken = [start]

    def sample(add: int) -> Sample:
        taken[0] += add
        return {"total": taken[0], "pid": os.getpid()}

    yield sample


def test_each_task_lives_in_one_process_of_its_own_through_all_samples() -> None:
    with child.running(__name__, {"one": {"start": 1}, "ten": {"start": 10}}) as ask:
        first, second = ask["one"](add=1), ask["one"](add=1)
        other = ask["ten"](add=5)
    assert (first["total"], second["total"], other["total"]) == (2, 3, 15)
    assert first["pid"] == second["pid"]
    assert len({first["pid"], other["pid"], os.getpid()}) == 3


def test_a_process_that_ends_is_an_error_that_names_its_task(capfd: pytest.CaptureFixture[str]) -> None:
    """Its own words are on stderr."""
    with (
        child.running(__name__, {"one": {"start": 1}}) as ask,
        pytest.raises(RuntimeError, match=r"process of .*test_child with {'start': 1} ended"),
    ):
        ask["one"](subtract=1)
    assert "unexpected keyword argument 'subtract'" in capfd.readouterr().err
