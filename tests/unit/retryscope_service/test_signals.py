"""The signals that ask a process to stop, and which of them is a second request."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retryscope_service.signals import REPEAT_SECONDS, STOP_SIGNALS, on_stop_signals
from tests.support.clock import run, virtual_loop
from tests.support.signals import stop_signals_as_before


@pytest.fixture(autouse=True)
def _handlers_of_this_test_only() -> Iterator[None]:
    with stop_signals_as_before():
        yield


async def heard(signals: list[tuple[float, signal.Signals]]) -> tuple[list[int], list[int]]:
    """What is asked and insisted on while the signals come, each so many seconds after the one before."""
    asked: list[int] = []
    insisted: list[int] = []
    on_stop_signals(asked.append, insisted.append)
    for pause, number in signals:
        await asyncio.sleep(pause)
        signal.raise_signal(number)
    await asyncio.sleep(0)
    return asked, insisted


PAUSES = st.sampled_from([0.0, 0.001, 0.26, 0.31, 1.07, 4.0])
"""No sum of them is close to the bound."""


@given(st.lists(st.tuples(PAUSES, st.sampled_from(STOP_SIGNALS)), min_size=1, max_size=6))
def test_what_comes_within_a_second_of_the_first_is_the_same_request(
    signals: list[tuple[float, signal.Signals]],
) -> None:
    """Whichever of them it is, and however often it comes; every later one is a request of its own."""
    asked, insisted = run(heard(signals))
    since_the_first, expected = 0.0, []
    for pause, number in signals[1:]:
        since_the_first += pause
        if since_the_first >= REPEAT_SECONDS:
            expected.append(number)
    assert asked == [signals[0][1]]
    assert insisted == expected


def test_a_repeat_does_not_kill_a_process_that_has_already_ended_its_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The event loop is closed by then; a later request ends at once what still holds the process up."""
    now = 10.0
    statuses: list[int] = []
    monkeypatch.setattr(os, "_exit", statuses.append)
    loop = virtual_loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(heard([(0.0, signal.SIGTERM)])) == ([signal.SIGTERM], [])
    monkeypatch.setattr(loop, "time", lambda: now)
    monkeypatch.setattr(loop, "is_closed", lambda: True)
    now = REPEAT_SECONDS / 2
    signal.raise_signal(signal.SIGTERM)
    assert statuses == []
    now = 2 * REPEAT_SECONDS
    signal.raise_signal(signal.SIGHUP)
    assert statuses == [128 + signal.SIGHUP]


def test_a_first_request_after_the_end_is_none() -> None:
    """The process is leaving for another reason."""
    asked: list[int] = []

    async def main() -> None:
        on_stop_signals(asked.append, asked.append)

    run(main())
    signal.raise_signal(signal.SIGTERM)
    assert asked == []


def test_a_hangup_that_was_ignored_stays_ignored() -> None:
    """As `nohup` starts a process."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert run(heard([(0.0, signal.SIGHUP), (5.0, signal.SIGHUP)])) == ([], [])


def test_an_interrupt_that_was_ignored_is_heard() -> None:
    """As a shell starts a job in the background, which `kill -INT` is to end all the same."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert run(heard([(0.0, signal.SIGINT)])) == ([signal.SIGINT], [])
