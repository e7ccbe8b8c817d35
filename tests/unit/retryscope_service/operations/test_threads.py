"""Work on threads: results, cancels, and what happens to a thread that does not stop."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from retryscope_service.operations.threads import NoThreadError, Threads
from tests.support.polling import until

REAL_LOOP = True


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def threads(registry: CollectorRegistry) -> Threads:
    return Threads(2, registry)


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """What deaf work waits for; at the end it is let go."""
    event = threading.Event()
    yield event
    event.set()


def abandoned(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value("retryscope_threads_abandoned_total")


def obedient(stop: threading.Event) -> str:
    stop.wait()
    return "stopped"


async def cancelled(running: "asyncio.Task[object]") -> None:
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_it_returns_what_the_work_returns(threads: Threads) -> None:
    assert await threads.run(lambda _: threading.current_thread().daemon, stop_seconds=1) is True
    assert threads.running == 0


async def test_it_raises_what_the_work_raises(threads: Threads) -> None:
    def fail(_: threading.Event) -> None:
        raise ValueError("line 7")

    with pytest.raises(ValueError, match="line 7"):
        await threads.run(fail, stop_seconds=1)
    assert threads.running == 0


async def test_a_thread_that_cannot_be_started_takes_no_slot(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        await threads.run(lambda _: True, stop_seconds=1)
    assert threads.running == 0


async def test_work_that_looks_at_the_stop_has_ended_when_the_cancel_comes_out(
    threads: Threads, registry: CollectorRegistry
) -> None:
    running = asyncio.create_task(threads.run(obedient, stop_seconds=60))
    await until(lambda: threads.running)
    await cancelled(running)
    assert threads.running == 0
    assert abandoned(registry) == 0


async def test_a_second_cancel_does_not_leave_the_thread_alone(
    threads: Threads, release: threading.Event
) -> None:
    running = asyncio.create_task(threads.run(lambda _: release.wait(), stop_seconds=60))
    await until(lambda: threads.running)
    for _ in range(3):
        running.cancel()
        await asyncio.sleep(0)
    assert not running.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert threads.running == 0


async def test_a_deaf_thread_is_abandoned_counted_and_logged_and_keeps_its_slot_until_it_ends(
    threads: Threads, registry: CollectorRegistry, release: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    running = asyncio.create_task(threads.run(lambda _: release.wait(), stop_seconds=0))
    await until(lambda: threads.running)
    with caplog.at_level(logging.ERROR):
        await cancelled(running)
    assert (threads.running, threads.abandoned, abandoned(registry)) == (1, 1, 1)
    assert "1 of 2 threads are abandoned" in caplog.text
    release.set()
    await until(lambda: threads.running == 0)
    assert (threads.abandoned, abandoned(registry)) == (0, 1)


async def test_when_all_are_abandoned_it_says_so_also_to_whoever_waits(
    threads: Threads, release: threading.Event
) -> None:
    deaf = [
        asyncio.create_task(threads.run(lambda _: release.wait(), stop_seconds=0))
        for _ in range(threads.running, 2)
    ]
    await until(lambda: threads.running == 2)
    waiting = asyncio.create_task(threads.run(lambda _: True, stop_seconds=1))
    await asyncio.sleep(0)
    for each in deaf:
        await cancelled(each)
    with pytest.raises(NoThreadError, match="all 2 threads are taken"):
        await waiting
    with pytest.raises(NoThreadError):
        await threads.run(lambda _: True, stop_seconds=1)
    release.set()
    await until(lambda: threads.running == 0)
    assert await threads.run(lambda _: True, stop_seconds=1)


async def test_beyond_its_slots_work_waits(threads: Threads, release: threading.Event) -> None:
    first = [asyncio.create_task(threads.run(lambda _: release.wait(), stop_seconds=1)) for _ in range(5)]
    await until(lambda: threads.running == 2)
    release.set()
    assert await asyncio.gather(*first) == [True] * 5
    assert threads.running == 0
