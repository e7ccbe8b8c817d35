"""The suite holds on a busy machine: what depends on how fast that is stands here, with its reason.

Everything else runs on a virtual clock, or waits for events and counts; its only limit is
``tests.support.polling.LIMIT``, which guards against a hang.
"""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.clock_uses import clock_uses

TESTS = ROOT / "tests"

ABSENCE = "shows that nothing happens: on a slow machine it shows less, and fails no more often"
AT_LEAST = "sleeps until something is old enough; on a slow machine it is older"
SHUTDOWN = "20 s: of itself aiohttp would wait for 60 s, and we tell it to wait for 2 s"
OPTIONAL = "judged only with TEST_BUSY_SECONDS, on a machine that does nothing else"

AGAINST_THE_CLOCK = {
    "browser/test_busy.py": {
        "go": OPTIONAL,
        "test_pages_of_a_busy_service_follow_and_need_no_more_memory_with_time": OPTIONAL,
    },
    "browser/test_clock.py": {
        "assert_counts_from": "a wrong clock is off by an hour, and two minutes are allowed",
    },
    "integration/test_checkout.py": {
        "test_every_order_is_settled_or_compensated.one": (
            "cancels a run some time after it was submitted: wherever it is by then, nothing may be lost"
        ),
    },
    "integration/test_lifecycle.py": {
        "TestSecondSignal.test_ends_it_at_once_during_a_long_cleanup": AT_LEAST,
        "TestSecondSignal.test_ends_it_at_once_while_a_hanging_collector_holds_up_the_flush": AT_LEAST,
        "TestSecondSignal.test_ends_it_at_once_while_draining": AT_LEAST,
        "TestShutdown.test_clients_that_dawdle_do_not_delay_the_end": SHUTDOWN,
        "TestShutdown.test_a_client_that_does_not_read_does_not_delay_the_end": SHUTDOWN,
    },
    "integration/test_load.py": {
        "test_the_second_ctrl_c_ends_it_at_once": AT_LEAST,
    },
    "integration/test_runs_api.py": {
        "TestCancel.test_the_error_arrives_within_half_a_second_and_cleanup_finishes": (
            "half a second is what is promised; the median of many is a few milliseconds"
        ),
        "TestEvents.test_readers_that_do_not_read_or_have_gone_do_not_slow_a_run": (
            "compares with the same run alone, a moment before, and allows three times as long and 2 s"
        ),
        "TestMetrics.test_each_process_says_how_it_does": "a process that has just started, within an hour",
    },
    "integration/test_runs_faults.py": {
        "TestRedis.test_stopped_for_10_s_and_started_again": AT_LEAST,
        "TestWorkers.test_kill_9_with_100_running_runs": (
            "leaves 0.2 s for the events of 100 runs, which are written each 0.05 s"
        ),
        "TestWorkers.test_sigterm_lets_finish_what_finishes_in_time_and_cancels_on_request": (
            "leaves 0.3 s to a read of 0.1 s, after which the worker takes nothing"
        ),
        "freeze": "leaves 0.3 s to a read of 0.1 s of a process that is stopped",
    },
    "integration/test_runs_load.py": {
        "test_thousands_of_submissions_are_all_accounted_for_and_memory_is_bounded": "only tells its rate",
    },
    "integration/test_runs_signals.py": {
        "test_any_order_of_signals_and_cancels": AT_LEAST,
    },
    "integration/test_stack.py": {
        "test_a_second_ctrl_c_kills_what_does_not_end": AT_LEAST,
    },
    "support/polling.py": {
        "_pause": "how soon waiting looks again; it decides nothing",
        "until": "the limit of all waiting, see LIMIT",
        "wait_until": "the limit of all waiting, see LIMIT",
    },
    "support/runs.py": {
        "together": "tries again with runs that last longer where the machine was too slow",
    },
    "unit/test_clock.py": {
        "test_threads_that_are_slow_to_end_have_the_time_they_need.SlowToEnd.shutdown": AT_LEAST,
    },
    "unit/retryscope_service/operations/test_file.py": {
        "test_a_deaf_parser_goes_on_after_its_time_and_is_counted": "leaves 0.5 s to a limit of 0.01 s",
    },
    "unit/retryscope_service/operations/test_sql.py": {
        "test_a_query_that_runs_out_of_time_stops_at_the_server": "an hour is not over",
    },
    "unit/retryscope/_core/test_retrying.py": {
        "test_in_a_thread_it_belongs_to_what_awaits_it.call": "a minute is not over",
    },
    "unit/retryscope_service/runs/fleet.py": {
        "Fleet.settle": "the limit of all waiting, see LIMIT",
        "Fleet.wait_for": "the limit of all waiting, see LIMIT",
    },
    "unit/retryscope_service/runs/test_check.py": {
        "test_a_redis_that_hangs_is_given_up_in_time": "the time limit of the check itself, made short",
    },
    "unit/retryscope_service/runs/test_engine.py": {
        "test_no_more_than_so_many_at_a_time": ABSENCE,
        "test_what_is_enqueued_is_delivered_once": ABSENCE,
    },
    "unit/retryscope_service/runs/test_leases.py": {
        "test_a_worker_does_not_take_back_what_belongs_to_another_one": ABSENCE,
        "test_after_redis_was_away_nobody_is_robbed": AT_LEAST,
        "test_leases_are_renewed_while_the_event_loop_is_busy": AT_LEAST,
    },
    "unit/retryscope_service/runs/test_reconcile.py": {
        "test_what_it_lost_is_handed_over_again_once": ABSENCE,
    },
    "unit/retryscope_service/runs/test_schedules.py": {
        "test_every_run_ends_once_and_gives_its_place_back": "the limit of all waiting, see LIMIT",
    },
    "unit/retryscope_service/runs/test_store.py": {
        "TestForget.test_a_key_that_was_used_again_stays": AT_LEAST,
        "TestForget.test_by_time": AT_LEAST,
        "TestSubmit.test_a_key_is_forgotten_after_the_retention": AT_LEAST,
    },
    "unit/retryscope_service/runs/test_worker.py": {
        "TestCancel.test_a_cancel_of_what_has_ended_goes_on.slow": "keeps a call waiting, however long",
        "TestCancel.test_a_cancel_while_a_success_is_written_comes_too_late.slow": "the same",
        "TestShutdown.test_an_engine_that_is_away_finds_out_by_itself": (
            "a run of 0.05 s that has begun, and whose end is not written yet after 0.02 s"
        ),
    },
}


def is_virtual(path: Path) -> bool:
    """Whether a module's event loops are virtual: those of units are, unless they say otherwise."""
    text = path.read_text()
    if path.is_relative_to(TESTS / "unit"):
        return "\nREAL_LOOP = True\n" not in text
    return "from tests.support import clock\n" in text


def test_whatever_looks_at_a_clock_is_listed_with_its_reason_and_nothing_else_is() -> None:
    found: set[str] = set()
    for path in sorted(TESTS.rglob("*.py")):
        found |= clock_uses(path, TESTS, virtual=is_virtual(path))
    listed = {f"{file}::{where}" for file, uses in AGAINST_THE_CLOCK.items() for where in uses}
    assert found == listed


@pytest.mark.parametrize(
    "line",
    [
        "assert time.monotonic() - start < 1",
        "took = time.perf_counter() - start",
        "assert time.time() < end",
        "time.sleep(0.5)",
        "time.sleep(seconds)",
        "asyncio.timeout(2)",
        "asyncio.wait_for(something, 5)",
        "thread.join(1)",
        "process.wait(timeout=10)",
        "wait_until(something, 'it is there', 9)",
        "page.wait_for_timeout(100)",
        "assert answer['duration_seconds'] < 2",
        "assert 3 > float(answer['seconds'])",
        "assert took.wait == pytest.approx(1, abs=0.1)",
    ],
)
def test_a_verdict_that_depends_on_the_machine_is_found(line: str, tmp_path: Path) -> None:
    assert uses_of(line, tmp_path, virtual=False)


@pytest.mark.parametrize(
    "line",
    [
        "await asyncio.sleep(0)",
        "asyncio.sleep(3600)  # never, before somebody cancels it",
        "process.wait(LIMIT)",
        "wait_until(something, 'it is there')",
        "wait_until(something, 'it is there', LIMIT)",
        "while not ready(): time.sleep(0.02)",
        "assert answer['duration_seconds'] >= 0.1",
        "old = time.time() - 100",
        "','.join(names)",
    ],
)
def test_what_cannot_fail_because_the_machine_is_busy_is_not(line: str, tmp_path: Path) -> None:
    assert not uses_of(line, tmp_path, virtual=False)


@pytest.mark.parametrize("line", ["await asyncio.sleep(1)", "asyncio.timeout(2)", "assert took.wait < 1"])
def test_on_a_virtual_clock_time_is_exact(line: str, tmp_path: Path) -> None:
    assert uses_of(line, tmp_path, virtual=False)
    assert not uses_of(line, tmp_path, virtual=True)


def uses_of(line: str, folder: Path, *, virtual: bool) -> set[str]:
    module = folder / "test_it.py"
    module.write_text(f"async def test_it():\n    {line}\n")
    return clock_uses(module, folder, virtual=virtual)
