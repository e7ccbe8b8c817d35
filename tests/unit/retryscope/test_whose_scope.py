"""Whose scope is it: one that has ended is in force for nobody."""

import asyncio
import gc
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from retryscope import RetryPolicy, deadline, retry, settle, step, timeout, without_spans, workflow
from retryscope._core.scope import inherited_deadline, workflow_here
from tests.conftest import ROOT
from tests.support.clock import pass_time, run
from tests.support.recorded import Recorded
from tests.unit.retryscope.helpers import PRICE, STOCK, Script, attribute, sleeper, value_of

ONCE = RetryPolicy(max_attempts=1)


class TestBackgroundTasks:
    """They outlive the block in which they were started."""

    def test_its_deadline_binds_them_as_long_as_it_lasts(self, recorded: Recorded) -> None:
        async def keeper() -> list[float]:
            inside = inherited_deadline()
            await asyncio.sleep(2)
            await retry(PRICE, ONCE).call(asyncio.sleep, 60)
            async with timeout(PRICE, 5):
                await asyncio.sleep(1)
            return [inside, inherited_deadline()]

        async def main() -> list[float]:
            async with workflow("request", deadline=1.5), deadline(3):
                running = asyncio.create_task(keeper())
                await asyncio.sleep(1)
            return await running

        assert run(main()) == [1.5, float("inf")]

    def test_an_attempt_that_began_inside_is_not_ended_by_it(self, recorded: Recorded) -> None:
        """Its timer was armed for that deadline."""

        async def main() -> float:
            async with deadline(3):
                attempt = asyncio.create_task(retry(PRICE, ONCE).call(asyncio.sleep, 60))
                limited = asyncio.create_task(within(90, 70))
                await asyncio.sleep(1)
            await asyncio.gather(attempt, limited)
            return asyncio.get_running_loop().time()

        assert run(main()) == 70

    def test_a_nearer_deadline_around_that_one_binds_it_then(self, recorded: Recorded) -> None:
        async def main() -> float:
            with suppress(TimeoutError):
                async with deadline(5):
                    async with deadline(3):
                        running = asyncio.create_task(within(90, 70))
                        await asyncio.sleep(1)
                    await asyncio.sleep(3600)
            with pytest.raises(TimeoutError, match="price timed out after 5 s"):
                await running
            return asyncio.get_running_loop().time()

        assert run(main()) == 5

    def test_a_wait_that_began_inside_is_not_cut_short(self, recorded: Recorded) -> None:
        policy = RetryPolicy(max_attempts=3, base_delay=1, jitter="none")

        async def main() -> object:
            async with deadline(3):
                script = Script(OSError(), OSError(), "late", takes=1)
                running = asyncio.create_task(retry(PRICE, policy).call(script))
                await asyncio.sleep(0.5)
            return await running

        assert run(main()) == "late"

    def test_their_operations_are_no_more_its_workflows(self, recorded: Recorded) -> None:
        async def keeper() -> str | None:
            await asyncio.sleep(1)
            async with step(PRICE):
                pass
            return workflow_here()

        async def main() -> str | None:
            async with workflow("refund"):
                running = asyncio.create_task(keeper())
            return await running

        assert run(main()) is None
        ended = "resilience_operation_duration_seconds_count"
        assert value_of(recorded, ended, workflow="checkout", operation="price") == 1

    def test_what_had_begun_inside_writes_no_more_in_its_report(self, recorded: Recorded) -> None:
        """The report is the caller's by then."""
        running: list[asyncio.Task[object]] = []
        policy = RetryPolicy(max_attempts=3, base_delay=1, jitter="none")

        async def start() -> None:
            script = Script(OSError(), OSError(), "late", takes=1)
            running.append(asyncio.create_task(retry(PRICE, policy).call(script)))
            await asyncio.sleep(1.5)

        async def main() -> tuple[int, float, str | None]:
            report = await settle(start)
            await running[0]
            return report.attempts, report.backoff_seconds, report.outcome

        assert run(main()) == (1, 0.0, "success")

    def test_their_attempts_are_no_more_its_reports(self, recorded: Recorded) -> None:
        running: list[asyncio.Task[object]] = []

        async def start() -> None:
            async def keeper() -> object:
                await asyncio.sleep(1)
                return await retry(PRICE, ONCE).call(Script("done"))

            running.append(asyncio.create_task(keeper()))

        async def main() -> int:
            report = await settle(start)
            await running[0]
            return report.attempts

        assert run(main()) == 1

    def test_tasks_that_start_each_other_are_forgotten(self) -> None:
        """For days, whatever their blocks are. In a process of its own: here others may hold tasks, too."""
        command = [sys.executable, "-c", RELAY]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.stderr == ""
        assert int(done.stdout) < 10


RELAY = """
import asyncio, gc
from collections import deque
from retryscope import RetryPolicy, deadline, retry, step, timeout, workflow
from tests.support.clock import run
from tests.support.recorded import recording
from tests.unit.retryscope.helpers import PRICE, STOCK

held = deque(maxlen=2)

async def tick(left):
    await asyncio.sleep(0)
    async with workflow("poll", deadline=9), deadline(9), step(PRICE), timeout(STOCK, 9):
        if left:
            once = retry(PRICE, RetryPolicy(max_attempts=1))
            held.append(asyncio.create_task(once.call(tick, left - 1)))
            return
    gc.collect()
    print(sum(isinstance(each, asyncio.Task) for each in gc.get_objects()))
    ended.set()

async def main():
    global ended
    ended = asyncio.Event()
    held.append(asyncio.create_task(tick(200)))
    await ended.wait()

with recording():
    run(main())
"""


class TestGenerators:
    """Their blocks end where they did not begin, or not in order."""

    def test_one_that_was_left_binds_nobody(self, recorded: Recorded) -> None:
        async def pages() -> AsyncIterator[int]:
            async with deadline(3), step(STOCK):
                yield 1
                yield 2

        async def main() -> None:
            async for _ in pages():
                break
            gc.collect()
            await asyncio.sleep(5)
            await retry(PRICE, ONCE).call(asyncio.sleep, 10)

        run(main())
        assert recorded.outline() == "task stock\nretry price\n  attempt price\n"

    def test_two_that_are_consumed_in_turn(self, recorded: Recorded) -> None:
        """The first one ends first: what it restored would be a parent that has ended."""

        async def pages(pause: float) -> AsyncIterator[int]:
            async with deadline(pause), step(STOCK):
                yield 1
            yield 2

        async def main() -> None:
            first, second = pages(3), pages(60)
            await anext(first), await anext(second)
            await anext(first), await anext(second)
            await asyncio.sleep(5)
            assert inherited_deadline() == float("inf")
            async with step(PRICE):
                await asyncio.sleep(1)
            await first.aclose(), await second.aclose()  # type: ignore[attr-defined]

        run(main())
        assert recorded.outline().splitlines()[-1] == "task price"

    def test_a_fixture_that_is_left_in_another_task(
        self, recorded: Recorded, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No log noise, and nothing dead is current."""

        async def fixture() -> AsyncIterator[None]:
            async with workflow("checkout", deadline=60), deadline(60), timeout(PRICE, 60):
                with without_spans():
                    yield

        async def main() -> None:
            generator = fixture()

            async def go_on() -> None:
                await anext(generator, None)

            await asyncio.create_task(go_on())
            await asyncio.create_task(go_on())
            async with step(STOCK):
                pass

        with caplog.at_level(logging.DEBUG):
            run(main())
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
        assert recorded.outline() == "workflow checkout\n  timeout price\ntask stock\n"


def test_no_time_left_is_no_attempt(recorded: Recorded) -> None:
    """What began now could not even be awaited; and no message names a negative limit."""
    script = Script("never")

    async def main() -> None:
        async with deadline(3):
            pass_time(5)
            await retry(PRICE).call(script)

    with pytest.raises(TimeoutError, match=r"^no time is left for price: its deadline has passed$"):
        run(main())
    assert script.calls == 0
    assert recorded.outline() == "retry price\n"
    assert attribute(recorded, "retry price", "resilience.retry.giveup_reason") == "deadline"
    assert attribute(recorded, "retry price", "resilience.outcome") == "timeout"
    assert value_of(recorded, "resilience_attempts_total", operation="price") == 0


def test_no_time_left_is_no_body(recorded: Recorded) -> None:
    async def main() -> None:
        async with deadline(3):
            pass_time(5)
            async with timeout(PRICE, 5):
                pytest.fail("it began")

    with pytest.raises(TimeoutError, match=r"^no time is left for price"):
        run(main())
    assert attribute(recorded, "timeout price", "resilience.outcome") == "timeout"


async def within(limit: float, seconds: float) -> None:
    async with timeout(PRICE, limit):
        await sleeper(seconds)()


@pytest.mark.parametrize("closed", [False, True])
def test_a_block_whose_loop_has_stopped_is_torn_down_quietly(closed: bool) -> None:
    """A task that it had started is bound by its deadline still, and nothing runs any more."""
    loop = asyncio.new_event_loop()
    running: list[asyncio.Task[None]] = []

    async def keeper() -> None:
        async with timeout(PRICE, 60):
            await asyncio.sleep(3600)

    async def main() -> None:
        async with deadline(5):
            running.append(asyncio.create_task(bound))
            await asyncio.sleep(3600)

    bound, block = keeper(), main()
    running.append(loop.create_task(block))
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    if closed:
        loop.close()
    block.close()
    bound.close()
    if not closed:
        for each in running:
            each.cancel()
        loop.run_until_complete(asyncio.wait(running))
        loop.close()
