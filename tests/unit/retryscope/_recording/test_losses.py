"""What an export has lost: all counted, the first of each reason logged."""

import threading
from collections import Counter

import pytest

from retryscope._recording.losses import Losses


def test_all_are_counted_and_the_first_of_each_reason_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    counted: Counter[str] = Counter()
    losses = Losses(lambda reason, spans: counted.update({reason: spans}))
    losses.add("queue_full", 2)
    losses.add("queue_full", 5)
    losses.add("rejected", 1)
    assert counted == {"queue_full": 7, "rejected": 1}
    further = "further drops are only counted, in resilience_telemetry_dropped_spans_total"
    assert [record.getMessage() for record in caplog.records] == [
        f"2 spans were dropped (queue_full); {further}",
        f"1 spans were dropped (rejected); {further}",
    ]


def test_what_the_collector_said_comes_first_and_once(caplog: pytest.LogCaptureFixture) -> None:
    losses = Losses(lambda *_: None)
    losses.add("export_failed", 2, "503 Service Unavailable")
    losses.add("export_failed", 2, "500 Internal Server Error")
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "the collector has not taken a request: 503 Service Unavailable"
    assert len(told) == 2


def test_a_lock_that_another_thread_held_at_the_fork_is_left_behind() -> None:
    losses = Losses(lambda *_: None)
    held, done = threading.Event(), threading.Event()

    def holds() -> None:
        with losses._lock._lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=holds)
    thread.start()
    held.wait()
    losses._lock.after_fork()
    losses.add("queue_full", 1)
    done.set()
    thread.join()
