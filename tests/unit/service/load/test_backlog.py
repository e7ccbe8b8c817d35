"""How long requests that were not sent would have waited, held against a line that serves everybody."""

import asyncio
import heapq
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice

import pytest

from service.load.backlog import MOST_GROUPS, RESOLUTION, Backlog
from service.load.generator import LoadGenerator
from service.load.histogram import PERCENTILES, Histogram
from service.load.request import Request
from service.load.tally import Tally
from tests.support import clock
from tests.unit.service.load.stubs import SlowService, load

TIE = 1e-5
"""Seconds by which an answer comes before the next request is due."""


def run(gap: float, *, takes: float, places: int, duration: float) -> tuple[Tally, float]:
    """The numbers of a load on a service of a constant speed, and when the last answer came."""
    service = SlowService(lambda _: takes)

    async def main() -> tuple[Tally, float]:
        generator = load(service, gap, duration=duration, max_in_flight=places)
        await generator.run()
        return generator.numbers.total, asyncio.get_running_loop().time()

    return clock.run(main())


def served(gap: float, *, takes: float, places: int, duration: float) -> Iterator[tuple[float, float]]:
    """When each request is due and answered, first come, first served."""
    free = [0.0] * places
    for number in range(round(duration / gap)):
        due = number * gap
        answered = max(due, heapq.heappop(free)) + takes
        heapq.heappush(free, answered)
        yield due, answered


@pytest.mark.parametrize(
    ("gap", "takes", "places", "duration"),
    [
        (1.0, 4.0 - TIE, 1, 40.0),
        (1.0, 8.0 - TIE, 4, 40.0),
        (0.05, 0.1 - TIE, 1, 10.0),
        (0.001, 0.1 - TIE, 10, 4.0),
        (1.0, 3.5, 1, 70.0),  # a place is free for half a second until the next request is sent
        (0.01, 0.5 - TIE, 20, 10.0),
    ],
)
def test_under_saturation_it_is_the_delay_of_a_line(
    gap: float, takes: float, places: int, duration: float
) -> None:
    """Who would be answered after the end counts until the end, and as long as an answer takes.

    A place can be taken only by what is due next, so it may be late by that gap.
    """
    total, end = run(gap, takes=takes, places=places, duration=duration)
    assert total.not_sent > total.sent / 2
    wanted = Histogram()
    for due, answered in served(gap, takes=takes, places=places, duration=duration):
        wanted.add(answered - due if answered <= end + TIE else end - due + takes)
    assert total.corrected.count == wanted.count == total.sent + total.not_sent
    for percent in (1, 10, 25, *PERCENTILES):
        found = total.corrected.percentile(percent)
        assert found == pytest.approx(wanted.percentile(percent), rel=0.01, abs=gap + 2 * RESOLUTION)
        uncorrected = total.latency.percentile(percent)
        assert found is not None
        assert uncorrected is not None
        assert found >= uncorrected
    assert total.corrected.maximum == pytest.approx(wanted.maximum, rel=0.01, abs=gap)


def test_a_saturated_service_is_not_faster_than_any_of_its_answers() -> None:
    """Ten at a time, a tenth of a second each, ten times as many as that serves."""
    total, _ = run(0.001, takes=0.1, places=10, duration=4.0)
    assert total.not_sent > 3500
    assert total.latency.percentile(50) == pytest.approx(0.1, rel=0.02)
    assert total.corrected.percentile(50) == pytest.approx(2.0, rel=0.1)


def test_free_places_work_the_line_off() -> None:
    """A burst of ten with two places, then one request a minute: it is not that one that frees places."""
    service = SlowService(lambda _: 1.0)

    async def main() -> Tally:
        times = iter([0.0] * 10 + [60.0, 120.0])
        generator = LoadGenerator(_requests("retry"), times, service, duration=180.0, max_in_flight=2)
        await generator.run()
        return generator.numbers.total

    total = clock.run(main())
    assert (total.sent, total.not_sent) == (4, 8)
    assert total.corrected.maximum == pytest.approx(5.0, rel=0.01)
    assert total.corrected.percentile(50) == pytest.approx(2.5, abs=0.6)


def test_each_workflow_has_a_latency_for_each_of_its_requests() -> None:
    """Also where one of another workflow goes on its behalf."""
    service = SlowService(lambda _: 0.25)

    async def main() -> LoadGenerator:
        times = (number / 100 for number in range(10_000))
        generator = LoadGenerator(
            _requests("retry", "timeouts", "retry"), times, service, duration=5.0, max_in_flight=3
        )
        await generator.run()
        return generator

    numbers = clock.run(main()).numbers
    assert numbers.total.not_sent > 400
    for tally in (numbers.total, *numbers.workflows.values()):
        assert tally.corrected.count == tally.sent + tally.not_sent


def _requests(*workflows: str) -> Iterator[Request]:
    return (Request(each, {}) for each in cycle(workflows))


def pieces_of(dues: Iterator[float]) -> tuple[int, Counter[float]]:
    """How many pieces a line that nobody serves comes out in, and the waits until 86,400."""
    backlog = Backlog()
    for due in dues:
        backlog.join("retry", due)
    found = list(backlog.give_up(86_400.0))
    assert len(backlog) == 0
    waits: Counter[float] = Counter()
    for each in found:
        waits[each.seconds] += each.number
    return len(found), waits


@pytest.mark.parametrize(
    ("number", "gap"), [(600_000, 0.0001), (5_000, 0.01), (86_400, 1.0), (1_025, 80.0), (200_000, 0.43)]
)
def test_memory_and_time_are_bounded_however_long_the_line_is(number: int, gap: float) -> None:
    """A wait is off by no more than is said, and never too short."""
    pieces, waits = pieces_of(each * gap for each in range(number))
    assert pieces <= MOST_GROUPS
    assert waits.total() == number
    precision = max(RESOLUTION, number * gap / (MOST_GROUPS / 2))
    found = waits.elements()  # in the order of the line
    for each, seconds in enumerate(islice(found, number)):
        assert -1e-6 <= seconds - (86_400.0 - each * gap) <= precision


def test_a_line_that_was_long_is_precise_again_once_it_was_empty() -> None:
    backlog = Backlog()
    for number in range(5_000):
        backlog.join("retry", float(number))
    assert sum(each.number for each in backlog.give_up(5_000.0)) == 5_000
    for due in (6_000.0, 6_001.0, 6_002.0):
        backlog.join("retry", due)
    assert [each.seconds for each in backlog.give_up(6_003.0)] == [3.0, 2.0, 1.0]


def test_many_free_places_work_it_off_sooner_but_none_faster_than_an_answer() -> None:
    backlog = Backlog()
    backlog.place_freed(1.0)
    assert list(backlog.work_off(10.0, 0)) == []
    backlog.join("retry", 10.0)
    assert [each.seconds for each in backlog.work_off(10.5, 10)] == [1.0]


def test_a_line_that_is_worked_off_at_once_takes_no_longer_than_another() -> None:
    """However long it is, and however long nothing has happened."""
    backlog = Backlog()
    backlog.place_freed(0.02)
    assert list(backlog.work_off(10.0, 0)) == []
    for _ in range(100_000):
        backlog.join("retry", 10.0)
    found = list(backlog.work_off(3_000.0, 1))
    assert sum(each.number for each in found) == 100_000
    assert len(found) <= 2 * MOST_GROUPS
    assert found[-1].seconds == pytest.approx(2_000.0)


def test_nothing_is_worked_off_before_the_first_answer() -> None:
    """Nobody knows the pace yet."""
    backlog = Backlog()
    backlog.join("retry", 1.0)
    assert list(backlog.work_off(100.0, 5)) == []
    assert len(backlog) == 1
