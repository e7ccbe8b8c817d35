"""The load generator, on a clock of its own: when it sends, what it counts, how it ends."""

import asyncio
from collections.abc import Iterator
from itertools import repeat

import pytest

from retryscope_service.load.generator import TOLERATED_DELAY, LoadGenerator
from retryscope_service.load.request import Answer, Request
from retryscope_service.load.tally import Tally
from tests.support import clock
from tests.unit.retryscope_service.load.stubs import REQUEST, SlowService, every, load


def test_requests_leave_exactly_on_schedule() -> None:
    service = SlowService()

    async def main() -> float:
        generator = load(service, 0.25, duration=1.0)
        await generator.run()
        return generator.seconds

    assert clock.run(main()) == pytest.approx(1.0)
    assert service.came == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("seconds", [0.0, 3.0, 9.0])
def test_a_slow_service_does_not_slow_the_sending(seconds: float) -> None:
    """An open loop: users do not wait for each other's answers."""
    service = SlowService(lambda _: seconds)
    clock.run(load(service).run())
    assert service.came == [float(number) for number in range(10)]


def test_what_is_due_beyond_the_bound_is_counted_and_never_sent_later() -> None:
    """Two at a time, three seconds each: of three that are due, two are sent."""
    service = SlowService(lambda _: 2.5)

    async def main() -> LoadGenerator:
        generator = load(service, 1.0, duration=9.0, max_in_flight=2)
        await generator.run()
        return generator

    total = clock.run(main()).numbers.total
    assert service.came == [0.0, 1.0, 3.0, 4.0, 6.0, 7.0]
    assert service.most_in_flight == 2
    assert (total.sent, total.not_sent, total.succeeded) == (6, 3, 6)


def stalled_from_10_to_20(came: float) -> float:
    """Seconds until an answer of a service that stalls."""
    return 20.0 - came if 10.0 <= came < 20.0 else 0.001


def through_a_stall(max_in_flight: int) -> Tally:
    """Ten a second for 100 s; for ten of them nothing is answered."""
    service = SlowService(stalled_from_10_to_20)

    async def main() -> LoadGenerator:
        generator = load(service, 0.1, duration=100.0, max_in_flight=max_in_flight)
        await generator.run()
        return generator

    return clock.run(main()).numbers.total


def test_a_stall_shows_in_the_percentiles_where_enough_may_be_in_flight() -> None:
    """5 % of all requests waited at least 5 s."""
    total = through_a_stall(10_000)
    assert (total.sent, total.not_sent) == (1000, 0)
    assert total.corrected.percentile(95) == pytest.approx(5.0, rel=0.05)
    assert total.corrected.percentile(99) == pytest.approx(9.0, rel=0.05)


@pytest.mark.parametrize("max_in_flight", [1, 5])
def test_a_stall_never_makes_a_service_look_fast(max_in_flight: int) -> None:
    """What was not sent for it has no latency, and the others are not 99 % of what was due.

    With one request in flight what was really sent shows nothing of it: one of 901 was slow.
    """
    total = through_a_stall(max_in_flight)
    assert total.sent + total.not_sent == total.corrected.count == 1000
    assert total.corrected.percentile(50) == pytest.approx(0.001, rel=0.03)
    assert total.corrected.percentile(95) is total.corrected.percentile(99) is None
    if max_in_flight == 1:
        assert total.latency.percentile(99) == pytest.approx(0.001, rel=0.03)


def test_latency_counts_from_when_a_request_was_due_and_from_when_it_was_sent() -> None:
    """The machine that sends was busy for two seconds."""
    service = SlowService(lambda _: 1.0)

    async def main() -> LoadGenerator:
        generator = LoadGenerator(repeat(REQUEST), iter([-2.0]), service, duration=10.0, max_in_flight=1)
        await generator.run()
        return generator

    total = clock.run(main()).numbers.total
    assert total.latency.maximum == pytest.approx(1.0)
    assert total.corrected.maximum == pytest.approx(3.0)


def test_stop_ends_the_sending_and_waits_for_answers() -> None:
    service = SlowService(lambda _: 4.0)

    async def main() -> tuple[LoadGenerator, float]:
        generator = load(service, duration=None)
        asyncio.get_running_loop().call_later(2.5, generator.stop)
        await generator.run()
        return generator, asyncio.get_running_loop().time()

    generator, ended = clock.run(main())
    assert service.came == [0.0, 1.0, 2.0]
    assert ended == pytest.approx(6.0)
    assert generator.seconds == pytest.approx(2.5)
    assert generator.numbers.total.succeeded == 3


def test_answers_that_do_not_come_in_time_are_abandoned() -> None:
    """After the drain; they count as slow and as bad, and nothing goes on behind the generator's back."""
    service = SlowService(lambda _: 1000.0)

    async def main() -> tuple[LoadGenerator, float]:
        generator = load(service, 2.0, duration=4.0, drain_seconds=3.0)
        await generator.run()
        return generator, asyncio.get_running_loop().time()

    generator, ended = clock.run(main())
    total = generator.numbers.total
    assert ended == pytest.approx(7.0)
    assert (total.abandoned, total.in_flight, service.in_flight) == (2, 0, 0)
    assert total.failure_ratio == 1.0
    assert (total.corrected.count, total.corrected.unknown) == (2, 2)
    assert total.latency.count == 0


def test_cancelling_ends_it_at_once() -> None:
    service = SlowService(lambda _: 1000.0)

    async def main() -> tuple[LoadGenerator, float]:
        generator = load(service, duration=None)
        running = asyncio.create_task(generator.run())
        await asyncio.sleep(1.5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return generator, asyncio.get_running_loop().time()

    generator, ended = clock.run(main())
    assert ended == pytest.approx(1.5)
    assert generator.numbers.total.abandoned == 2
    assert service.in_flight == 0


def test_numbers_are_live() -> None:
    service = SlowService(lambda _: 1.5)

    async def main() -> list[tuple[int, int, int]]:
        generator = load(service, duration=3.0)
        running = asyncio.create_task(generator.run())
        seen = []
        for wait in (0.1, 1.0, 1.0, 10.0):
            await asyncio.sleep(wait)
            total = generator.numbers.total
            seen.append((total.sent, total.in_flight, total.succeeded))
        await running
        return seen

    assert clock.run(main()) == [(1, 1, 0), (2, 2, 0), (3, 2, 1), (3, 0, 3)]


def test_a_generator_that_was_stopped_before_it_started_sends_nothing() -> None:
    service = SlowService()

    async def main() -> float:
        generator = load(service, duration=None)
        assert generator.seconds == 0.0
        generator.stop()
        await generator.run()
        return generator.seconds

    assert clock.run(main()) == 0.0
    assert service.came == []


def test_a_bug_of_the_sender_ends_the_load() -> None:
    """Instead of being counted as an answer."""

    class Buggy:
        async def send(self, request: Request) -> Answer:
            raise LookupError("a bug")

    async def main() -> float:
        generator = LoadGenerator(
            repeat(REQUEST), iter([0.0, 1.0, 2.0]), Buggy(), duration=None, max_in_flight=1
        )
        with pytest.raises(LookupError, match="a bug"):
            await generator.run()
        return asyncio.get_running_loop().time()

    assert clock.run(main()) < 1.0


class BusyClient(SlowService):
    """Needs a tenth of a second of its own for each request, during which nothing else gets its turn."""

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        clock.pass_time(0.1)
        return REQUEST


@pytest.mark.parametrize(("duration", "late"), [(2.0, 178), (4.0, 358)])
def test_a_client_that_cannot_keep_the_rate_keeps_the_duration(duration: float, late: int) -> None:
    """Ten a second where a hundred were asked for; the rest is its own fault, and in a number of its own."""
    client = BusyClient()

    async def main() -> tuple[LoadGenerator, float]:
        generator = LoadGenerator(client, every(0.01), client, duration=duration, max_in_flight=1000)
        await generator.run()
        return generator, asyncio.get_running_loop().time()

    generator, ended = clock.run(main())
    assert ended == pytest.approx(duration, abs=TOLERATED_DELAY + 0.2)
    assert generator.seconds == pytest.approx(duration, abs=TOLERATED_DELAY + 0.2)
    numbers = generator.numbers
    assert numbers.late == pytest.approx(late, abs=3)
    assert numbers.late + numbers.total.sent == round(duration * 100)
    assert (numbers.total.not_sent, numbers.total.failure_ratio) == (0, 0.0)
    assert numbers.longest_delay == pytest.approx(duration * 0.9, abs=0.4)


def test_counting_what_is_late_keeps_nobody_waiting() -> None:
    """It is not sending any more, and answers are still read."""
    turns = longest = 0

    def slow_schedule() -> Iterator[float]:
        nonlocal longest
        before, since = turns, 0
        for number in range(20_000):
            since = since + 1 if turns == before else 0
            before, longest = turns, max(longest, since)
            clock.pass_time(0.01)
            yield number / 10_000

    async def main() -> LoadGenerator:
        nonlocal turns
        generator = LoadGenerator(
            repeat(REQUEST), slow_schedule(), SlowService(), duration=1.0, max_in_flight=10
        )
        running = asyncio.create_task(generator.run())
        while not running.done():
            turns += 1
            await asyncio.sleep(0)
        return generator

    generator = clock.run(main())
    assert generator.numbers.late > 9_800
    assert generator.seconds == pytest.approx(1.25, abs=0.1)
    assert 0 < longest <= 1_000


def test_a_moment_of_being_late_at_the_end_costs_no_request() -> None:
    """Every machine is busy at times."""
    client = BusyClient()

    async def main() -> LoadGenerator:
        generator = LoadGenerator(client, iter([0.0, 0.97, 0.98]), client, duration=1.0, max_in_flight=10)
        await generator.run()
        return generator

    numbers = clock.run(main()).numbers
    assert (numbers.total.sent, numbers.late) == (3, 0)
    assert 0.0 < numbers.longest_delay < TOLERATED_DELAY


def test_what_was_overdue_when_it_was_stopped_is_late_too() -> None:
    client = BusyClient()

    async def main() -> LoadGenerator:
        generator = LoadGenerator(client, every(0.01), client, duration=None, max_in_flight=1000)
        asyncio.get_running_loop().call_later(3.0, generator.stop)
        await generator.run()
        return generator

    numbers = clock.run(main()).numbers
    assert numbers.late + numbers.total.sent == pytest.approx((3.0 - TOLERATED_DELAY) * 100, abs=25)
    assert numbers.late > 200


def test_a_client_that_keeps_the_rate_has_nothing_late() -> None:
    async def main() -> LoadGenerator:
        generator = load(SlowService(lambda _: 3.0), 0.01, duration=5.0, max_in_flight=3)
        await generator.run()
        return generator

    numbers = clock.run(main()).numbers
    assert numbers.late == 0
    assert numbers.longest_delay == pytest.approx(0.0, abs=1e-6)


def test_others_get_their_turn_while_it_is_behind_schedule() -> None:
    """A rate that the machine can't keep must not keep the answers from being read."""
    service = SlowService()
    turns = 0

    def overdue() -> Iterator[float]:
        for number in range(100):
            assert turns >= number // 2, "nobody else had a turn"
            yield -100.0

    async def main() -> None:
        nonlocal turns
        generator = LoadGenerator(repeat(REQUEST), overdue(), service, duration=1.0, max_in_flight=1000)
        running = asyncio.create_task(generator.run())
        while not running.done():
            turns += 1
            await asyncio.sleep(0)
            if len(service.came) == 100:
                break
        await running

    clock.run(main())
    assert len(service.came) == 100
