"""Processes: forks, an end by an exception, threads with event loops."""

import asyncio
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from textwrap import dedent

import pytest
from prometheus_client import CollectorRegistry

from retryscope import Operation, RetryBudget, RetryPolicy, retry
from retryscope.metrics import metrics_for
from retryscope.operation import declared
from tests.support.otlp_receiver import otlp_receiver
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, value_of

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def in_child(main: Callable[[], object]) -> str:
    """What a forked process makes of it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, repr(main()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        said = answer.read().decode()
    os.waitpid(child, 0)
    return said


def test_forked_workers_draw_different_jitter() -> None:
    """Else all of them would come back together, which is what jitter is there to prevent."""
    rng = retry(PRICE).rng
    assert len({in_child(rng.random) for _ in range(3)}) == 3


PROGRAM = """
    import asyncio, os
    from retryscope import Operation, RetryPolicy, retry, setup, shutdown

    OP = Operation("op", workflow="w")

    async def fail():
        raise ValueError("the failure to look at")

    def run():
        asyncio.run(retry(OP, RetryPolicy(max_attempts=1)).call(fail))

    def quiet():
        try:
            run()
        except ValueError:
            pass

"""


def program(rest: str, endpoint: str, **settings: float) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; it exports to the endpoint."""
    text = dedent(PROGRAM) + f"setup(service_name='shop', **{settings})\n" + dedent(rest)
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    return subprocess.run(
        [sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=False
    )


def test_the_spans_of_what_ended_the_program_are_sent() -> None:
    """The last line, ``shutdown()``, is not reached."""
    with otlp_receiver() as receiver:
        done = program("run()\nshutdown()", receiver.url)
        assert (done.returncode, "the failure to look at" in done.stderr) == (1, True)
        assert sorted(span.name for span in receiver.spans()) == ["attempt op", "retry op"]


def test_a_forked_process_sends_its_own_spans_and_none_of_its_parents() -> None:
    """Each span arrives once."""
    fork = """
        quiet()
        if os.fork() == 0:
            quiet()
            shutdown()
            os._exit(0)
        os.wait()
        shutdown()
    """
    with otlp_receiver() as receiver:
        done = program(fork, receiver.url)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False)
        spans = receiver.spans()
    assert sorted(span.name for span in spans) == ["attempt op", "attempt op", "retry op", "retry op"]
    assert len({span.span_id for span in spans}) == 4


def test_a_forked_process_decides_over_its_own_traces_while_its_parents_are_held() -> None:
    """Of plain successes none is kept: the child's failure is, and of the parent's trace each span, once."""
    fork = """
        from retryscope import step, workflow

        async def fail_after_a_child_has_failed():
            async with workflow("parent"):
                async with step(OP):
                    pass
                if os.fork() == 0:
                    child()
                os.wait()
                raise ValueError("the failure to look at")

        def child():
            import threading

            def succeed_and_fail():
                asyncio.run(retry(Operation("fine", workflow="w")).call(asyncio.sleep, 0))
                quiet()

            alone = threading.Thread(target=succeed_and_fail)
            alone.start()
            alone.join()
            shutdown()
            os._exit(0)

        try:
            asyncio.run(fail_after_a_child_has_failed())
        except ValueError:
            pass
        shutdown()
    """
    with otlp_receiver() as receiver:
        done = program(fork, receiver.url, keep_successes=0.0)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False)
        spans = receiver.spans()
    assert sorted(span.name for span in spans) == ["attempt op", "retry op", "task op", "workflow parent"]


def test_a_forked_process_writes_its_log_lines() -> None:
    """The thread that writes them is not taken along."""
    fork = """
        import logging
        from retryscope.logs import configure_logs, flush_logs

        configure_logs("shop")
        logging.getLogger("shop").info("in the parent")
        flush_logs()
        if os.fork() == 0:
            logging.getLogger("shop").info("in the child")
            os._exit(0 if flush_logs(5.0) else 7)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
        shutdown()
    """
    done = program(fork, "")
    assert done.returncode == 0, done.stderr
    assert [line.count("in the") for line in done.stdout.splitlines() if "in the" in line] == [1, 1]


def in_threads(number: int, main: Callable[[], object]) -> None:
    """Run it in several threads at once."""
    together = threading.Barrier(number)
    errors: list[BaseException] = []

    def work() -> None:
        together.wait()
        try:
            main()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_one_retry_serves_the_event_loops_of_several_threads(recorded: Recorded) -> None:
    """Each call is counted, and none is left in flight."""
    budget = RetryBudget(capacity=1000)
    shared = retry(PRICE, RetryPolicy(max_attempts=2, base_delay=0), budget=budget)

    async def some() -> None:
        for number in range(20):
            answers = iter([OSError(), number])

            async def call(left: object = answers) -> object:
                answer = next(left)  # type: ignore[call-overload]
                if isinstance(answer, Exception):
                    raise answer
                return answer

            assert await shared.call(call) == number

    in_threads(4, lambda: asyncio.run(some()))
    ended = "resilience_operation_duration_seconds_count"
    assert value_of(recorded, ended, operation="price", outcome="success") == 80
    assert value_of(recorded, "resilience_operations_in_flight", operation="price") == 0


def test_a_budget_of_several_threads_gives_out_what_it_has() -> None:
    budget = RetryBudget(capacity=5000)
    spent: list[bool] = []
    in_threads(4, lambda: spent.extend(budget.try_spend() for _ in range(2000)))
    assert spent.count(True) == 5000


def test_threads_that_declare_an_operation_get_the_same_one() -> None:
    found: set[int] = set()
    in_threads(8, lambda: found.add(id(Operation("declared by threads", workflow="checkout"))))
    assert len(found) == 1
    assert [each.name for each in declared()].count("declared by threads") == 1


def test_a_budget_that_another_thread_held_is_free_in_a_forked_process() -> None:
    budget = RetryBudget()
    with budget._lock:
        assert in_child(lambda: (budget._lock._lock.acquire(timeout=1), budget.tokens)) == "(True, 10.0)"


def test_threads_that_use_a_registry_for_the_first_time_share_its_metrics() -> None:
    """A family can be registered only once."""
    for _ in range(5):
        registry, found = CollectorRegistry(), set[int]()
        in_threads(8, lambda registry=registry, found=found: found.add(id(metrics_for(registry))))  # type: ignore[misc]
        assert len(found) == 1


def test_a_seed_of_the_users_determines_no_ids_and_is_not_drawn_from() -> None:
    seeded = """
        import random

        random.seed(1)
        quiet()
        print(random.random())
    """
    with otlp_receiver() as receiver:
        drawn = {program(seeded, receiver.url).stdout for _ in range(2)}
        assert len({span.trace_id for span in receiver.spans()}) == 2
    assert drawn == {f"{random.Random(1).random()}\n"}


def test_a_child_of_multiprocessing_sends_its_spans_when_it_ends() -> None:
    fork = """
        import multiprocessing

        child = multiprocessing.get_context("fork").Process(target=quiet)
        child.start()
        child.join()
    """
    with otlp_receiver() as receiver:
        done = program(fork, receiver.url)
        assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
        assert sorted(span.name for span in receiver.spans()) == ["attempt op", "retry op"]
